"""Spans that may be the value of a field."""

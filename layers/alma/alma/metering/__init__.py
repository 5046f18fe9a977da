"""Quotas and usage."""

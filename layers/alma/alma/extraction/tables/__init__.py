"""Rows and columns of repeated fields."""

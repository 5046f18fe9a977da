"""alma: documents in, fields with evidence out."""

__version__ = "0.1.0"

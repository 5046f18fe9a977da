"""Documents as clients see them: JSON, files, pictures."""

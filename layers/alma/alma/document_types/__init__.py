"""Document types: the shipped ones and an organisation's own."""

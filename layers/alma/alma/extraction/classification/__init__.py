"""Document types and boundaries between documents."""

"""A document as a file: one flattener, thin writers."""

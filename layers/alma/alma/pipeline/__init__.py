"""The stages of a file: ingest, split, extract, and what a hosted model adds."""

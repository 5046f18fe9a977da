"""Models of an organisation's own, and the data sets they learn from."""

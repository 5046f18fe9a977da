"""Who may do what: organisations, keys, scopes, rate limits."""

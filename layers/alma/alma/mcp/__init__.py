"""The Model Context Protocol as pure functions over (method, headers, body)."""

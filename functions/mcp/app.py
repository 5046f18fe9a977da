"""POST /mcp: the Model Context Protocol."""

"""Values as they are written: parsers of amounts, dates and names, and patterns."""

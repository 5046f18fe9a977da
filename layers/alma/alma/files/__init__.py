"""From a file to pages: what it is, its pages as images, its own text."""

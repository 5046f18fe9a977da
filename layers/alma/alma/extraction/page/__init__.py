"""The words of a page as lines, and the labels among them."""

"""A hosted language model's answers, found on the pages or dropped."""

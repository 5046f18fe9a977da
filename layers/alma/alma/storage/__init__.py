"""Where state lives: the only importers of boto3 and pynamodb."""

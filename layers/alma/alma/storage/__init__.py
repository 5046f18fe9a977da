"""Where state lives: the only importers of boto3 and pynamodb."""

import logging

# At DEBUG, which an operator may choose, they write whole requests and answers: values of fields, words.
for _name in ("boto3", "botocore", "pynamodb", "s3transfer", "urllib3"):
    logging.getLogger(_name).setLevel(logging.INFO)

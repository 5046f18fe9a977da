"""What the fixture's functions share, so that layers are seen to work."""

import os

import boto3


def remember(key: str, **values: str) -> int:
    """Count how often `key` was seen; return the count."""
    answer = boto3.client("dynamodb").update_item(
        TableName=os.environ["TABLE"],
        Key={"pk": {"S": "seen"}, "sk": {"S": key}},
        UpdateExpression="ADD n :one SET note = :note",
        ExpressionAttributeValues={":one": {"N": "1"}, ":note": {"S": str(values)}},
        ReturnValues="UPDATED_NEW",
    )
    return int(answer["Attributes"]["n"]["N"])

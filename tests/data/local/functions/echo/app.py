"""Returns its event, or whatever the query asks for."""

import base64
import json
import os
from pathlib import Path


def handler(event, context):
    query = event["queryStringParameters"] or {}
    match query.get("answer"):
        case "binary":
            return {
                "statusCode": 200,
                "headers": {"Content-Type": "application/octet-stream"},
                "body": base64.b64encode(bytes(range(256))).decode(),
                "isBase64Encoded": True,
            }
        case "large":
            return {"statusCode": 200, "body": "x" * int(query["size"])}
        case "headers":
            return {
                "statusCode": "201",
                "headers": {"X-One": "1", "WWW-Authenticate": "Bearer"},
                "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]},
                "body": "made",
            }
        case "empty":
            return {"statusCode": 204}
        case "malformed":
            return {"statusCode": 200, "body": {"not": "a string"}}
        case "unknown-key":
            return {"statusCode": 200, "body": "", "extra": 1}
        case "nothing":
            return None
        case "raise":
            raise ValueError("no")
        case "exit":
            os._exit(3)
        case "memory":
            return {"statusCode": 200, "body": str(len(bytearray(900 * 2**20)))}
        case "environment":
            note = (Path(os.environ["ASSETS"]) / "note.txt").read_text()
            return {"statusCode": 200, "body": f"{os.environ['GREETING']} {note.strip()}"}
    return {"statusCode": 200, "body": json.dumps(event)}

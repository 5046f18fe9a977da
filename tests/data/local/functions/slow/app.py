"""Takes longer than it may, or says how its environment differs."""

import os
import time


def handler(event, context):
    if event["queryStringParameters"]:
        return {"statusCode": 200, "body": os.environ["GREETING"]}
    time.sleep(30)
    return {"statusCode": 200}

"""Notes every message; reports those with `bad` in them as failed, and fails as a whole on `boom`."""

from shared import remember


def handler(event, context):
    failed = []
    for record in event["Records"]:
        remember(record["body"], attributes=str(record["attributes"]))
        if "boom" in record["body"]:
            raise RuntimeError("boom")
        if "bad" in record["body"]:
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}

"""Notes every object that lands; fails on those named `bad`, and once on those named `flaky`."""

import json
from urllib.parse import unquote_plus

from shared import remember


def handler(event, context):
    (record,) = event["Records"]
    key = unquote_plus(record["s3"]["object"]["key"])
    seen = remember(key, event=json.dumps(event))
    if "bad" in key or ("flaky" in key and seen == 1):
        raise RuntimeError(f"cannot take {key}")

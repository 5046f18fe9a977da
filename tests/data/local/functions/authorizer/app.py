"""Allows `good`, denies everything else, fails on `fail`, raises the word for `none`."""

calls = 0


def handler(event, context):
    global calls
    calls += 1
    headers = {name.lower(): value for name, value in event["headers"].items()}
    token = headers.get("authorization", "").removeprefix("Bearer ")
    if token == "none":
        raise Exception("Unauthorized")
    if token == "fail":
        raise RuntimeError("broken")
    return {
        "principalId": "someone",
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Action": "execute-api:Invoke",
                    "Effect": "Allow" if token == "good" else "Deny",
                    "Resource": event["methodArn"],
                }
            ],
        },
        "context": {"calls": calls, "flag": True, "name": "x"},
    }

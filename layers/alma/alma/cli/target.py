"""Which installation a command is for.

In this order: options and environment (`ALMA_API_URL`, `ALMA_API_KEY`; `--stack` for the operator's
commands), then `.alma/local.json` of this folder or one above, which the runtime for one machine writes.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOCAL_FILE = Path(".alma") / "local.json"


class TargetError(Exception):
    """It is not clear which installation is meant; the text says what to give."""


@dataclass(frozen=True, slots=True)
class Api:
    """Where the API is and the key to it."""

    url: str
    key: str


def local_file() -> dict[str, Any] | None:
    """Return what the runtime on this machine wrote, or None where none has run."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        path = folder / LOCAL_FILE
        if path.is_file():
            try:
                found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                raise TargetError(f"{path} is not JSON ({error}); start alma again.") from None
            return found
    return None


def api() -> Api:
    """Return the API to talk to.

    Raises
    ------
    TargetError
        None is known.
    """
    url, key = os.environ.get("ALMA_API_URL"), os.environ.get("ALMA_API_KEY")
    if url and key:
        return Api(url.rstrip("/"), key)
    local = local_file()
    if local is None:
        raise TargetError("Set ALMA_API_URL and ALMA_API_KEY, or start alma on this machine with `make run`.")
    return Api((url or str(local["api_url"])).rstrip("/"), key or str(local["api_key"]))


def use_table(stack: str | None) -> None:
    """Point this process at the table of a deployed stack or of the runtime on this machine.

    Raises
    ------
    TargetError
        There is no such stack, or nothing to point at.
    """
    if stack is not None:
        os.environ["ALMA_TABLE"] = _stack_outputs(stack)["TableName"]
    elif "ALMA_TABLE" not in os.environ:
        local = local_file()
        if local is None:
            raise TargetError("Name the deployed stack with --stack, or start alma here with `make run`.")
        os.environ["ALMA_TABLE"] = str(local["table"])
        os.environ["AWS_ENDPOINT_URL"] = str(local["aws_endpoint_url"])
        # The runtime on this machine takes any credentials; botocore insists on some.
        os.environ.setdefault("AWS_ACCESS_KEY_ID", "local")
        os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "local")
        os.environ["AWS_DEFAULT_REGION"] = os.environ["AWS_REGION"] = str(local["region"])


def _stack_outputs(stack: str) -> dict[str, str]:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        found = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    except (BotoCoreError, ClientError) as error:
        raise TargetError(f"The stack {stack!r} cannot be read: {error}") from None
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}

"""Which installation a command is for, and the environment it runs in: the CLI's only use of `os.environ`.

An installation is looked up in this order: options and environment (`ALMA_API_URL`, `ALMA_API_KEY`; `--stack`
for the operator's commands), then `.alma/local.json` of this folder or one above, which the runtime for one
machine writes, then what `alma login` stored for this user, which is found from any folder. For agents what
`alma login --agent` stored comes before both: the key of the runtime here is an administrator's.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alma.cli.errors import CliError

LOCAL_FILE = Path(".alma") / "local.json"
"""What the runtime for one machine writes into the folder it is started in."""

_HEADER_VALUE = re.compile(r"[!-~]+")


class TargetError(CliError):
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


def api(*, agent: bool = False) -> Api:
    """Return the API to talk to, for a person or for an agent.

    Raises
    ------
    TargetError
        None is known, or the key to the one that is named is not.
    """
    url, key = os.environ.get("ALMA_API_URL"), (os.environ.get("ALMA_API_KEY") or "").strip()
    url = None if not url else base_url(url)
    if key and not _HEADER_VALUE.fullmatch(key):
        # Its text is not repeated: it may be most of a key.
        raise TargetError("ALMA_API_KEY holds characters that no key has; copy it again.")
    if url and key:
        return Api(url, key)
    known = (stored(agent=True) if agent else None) or _local_api() or stored()
    if known is None:
        raise TargetError(
            "Set ALMA_API_URL and ALMA_API_KEY, store them with `alma login`, or start alma on this machine "
            "with `make run`."
        )
    if url and url != known.url:
        # A key is never sent to another address than the one it was given for.
        raise TargetError(f"Set ALMA_API_KEY too: the key that is known is for {known.url}.")
    return Api(known.url, key or known.key)


def _local_api() -> Api | None:
    local = local_file()
    return None if local is None else Api(base_url(str(local["api_url"])), str(local["api_key"]))


def base_url(url: str) -> str:
    """Return the address that routes are appended to, without the end that people copy along with it."""
    url = url.strip().rstrip("/")
    for more in ("/mcp", "/v1", "/api"):
        url = url.removesuffix(more)
    return url


def stored_path(*, agent: bool = False) -> Path:
    """Return the file in which `alma login` stores this user's key, or the one of this user's agents."""
    home = os.environ.get("XDG_CONFIG_HOME") or (os.environ.get("APPDATA") if os.name == "nt" else None)
    return (
        (Path(home) if home else Path.home() / ".config")
        / "alma"
        / ("agent.json" if agent else "credentials.json")
    )


def stored(*, agent: bool = False) -> Api | None:
    """Return what `alma login` stored, with `--agent` or without; None for nothing.

    Raises
    ------
    TargetError
        The file is malformed.
    """
    path = stored_path(agent=agent)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Api(base_url(str(found["url"])), str(found["key"]))
    except FileNotFoundError:
        return None
    except (ValueError, LookupError, TypeError, AttributeError):
        raise TargetError(f"{path} is not what `alma login` writes; log in again.") from None


def store(given: Api, *, agent: bool = False) -> Path:
    """Store an address and the key to it, readable by this user alone, and return the file."""
    path = stored_path(agent=agent)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    unfinished.unlink(missing_ok=True)
    # The mode is set when the file is created, so that nobody else can read it while it is written.
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        json.dump({"url": given.url, "key": given.key}, file)
    unfinished.replace(path)
    return path


def forget(*, agent: bool = False) -> bool:
    """Remove the stored key, and return whether there was one."""
    path = stored_path(agent=agent)
    found = path.is_file()
    path.unlink(missing_ok=True)
    return found


def use_table(stack: str | None) -> None:
    """Set this process' environment to the table of a deployed stack or of the runtime on this machine.

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


def use_one_blas_thread() -> None:
    """Limit OpenBLAS to one thread; takes effect before numpy is imported.

    The matrices are small: threads that wait for each other take eight times as long as one.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def _stack_outputs(stack: str) -> dict[str, str]:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        found = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    except (BotoCoreError, ClientError) as error:
        raise TargetError(f"The stack {stack!r} cannot be read: {error}") from None
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}

"""Which installation a command is for, and the environment it runs in: the CLI's only use of `os.environ`.

An installation is looked up in this order: options (`--stack`, `--url`), then `ALMA_API_URL` and
`ALMA_API_KEY` together, then what `alma login` stored for this user (for agents `alma login --agent` first),
then `.alma/local.json` of this folder or one above, which the runtime for one machine writes.

A folder may be a stranger's. Its `local.json` counts only if it is this user's own, nobody else can write it,
and every address in it is on this machine; no key from elsewhere is sent to an address from a file.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alma.cli.errors import CliError

LOCAL_FILE = Path(".alma") / "local.json"
"""What the runtime for one machine writes into the folder it is started in."""

_HEADER_VALUE = re.compile(r"[!-~]+")
# A pattern, since parsers differ on what is the host of http://127.0.0.1@elsewhere.
_LOOPBACK = re.compile(r"http://(127(\.\d{1,3}){3}|localhost|\[::1\])(:\d{1,5})?(/[\w/.-]*)?", re.ASCII)


class TargetError(CliError):
    """It is not clear which installation is meant; the text says what to give."""


@dataclass(frozen=True, slots=True)
class Api:
    """Where the API is and the key to it."""

    url: str
    key: str
    source: str = field(default="", compare=False)
    """Where that is from, for people."""


def local_file() -> dict[str, Any] | None:
    """Return what the runtime on this machine wrote, or None where none has run.

    Raises
    ------
    TargetError
        There is something else in its place.
    """
    found = _local_file()
    return None if found is None else found[1]


def _local_file() -> tuple[Path, dict[str, Any]] | None:
    here = Path.cwd()
    for folder in (here, *here.parents):
        path = folder / LOCAL_FILE
        if path.is_file():
            return path, _read_local_file(path)
    return None


def _read_local_file(path: Path) -> dict[str, Any]:
    """Return what a file in a folder that may be a stranger's says of an alma on this machine."""
    with path.open(encoding="utf-8") as file:
        status = os.fstat(file.fileno())
        if hasattr(os, "getuid") and status.st_uid != os.getuid():
            raise TargetError(f"{path} is not used: it belongs to another user.")
        if os.name != "nt" and status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise TargetError(f"{path} is not used: others can write it (chmod go-w).")
        try:
            found = json.load(file)
        except ValueError as error:
            raise TargetError(f"{path} is not JSON ({error}); start alma again.") from None
    if (
        not isinstance(found, dict)
        or not {"api_url", "api_key"} <= found.keys()
        or not isinstance(found.get("keys", {}), dict)
    ):
        raise TargetError(f"{path} is not what alma writes; start alma again.")
    for name in ("api_url", "aws_endpoint_url"):
        if name in found and _LOOPBACK.fullmatch(str(found[name])) is None:
            raise TargetError(
                f"{path} is not used: it names {found[name]}, which is not on this machine; `alma login` "
                "takes any address."
            )
    return found


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
        return Api(url, key, "ALMA_API_URL and ALMA_API_KEY")
    if key:
        return _named_by_key(key, agent)
    known = _known(agent)
    first = next(known, None)
    if first is None:
        raise TargetError(
            "Set ALMA_API_URL and ALMA_API_KEY, store them with `alma login`, or start alma on this machine "
            "with `make run`."
        )
    if url:
        return _named_by_url(url, first, known)
    return first


def _named_by_key(key: str, agent: bool) -> Api:
    """Return the installation whose own key is in the environment, which the key then stands for."""
    for each in _known(agent):
        if each.key == key:
            return each
    found = _local_file()
    if found is not None and key in found[1].get("keys", {}).values():
        return Api(base_url(str(found[1]["api_url"])), key, str(found[0]))
    # A key is never sent to another address than the one it was given for.
    raise TargetError("Set ALMA_API_URL too, to the address that the key in ALMA_API_KEY is for.")


def _named_by_url(url: str, first: Api, others: Iterator[Api]) -> Api:
    """Return the installation with this address, which a file has the key to."""
    for each in (first, *others):
        if each.url == url:
            return each
    raise TargetError(f"Set ALMA_API_KEY too: the key that is known is for {first.url}.")


def _known(agent: bool) -> Iterator[Api]:
    """Yield the installations that files name, in the order in which they count."""
    for each in (stored(agent=True) if agent else None, stored()):
        if each is not None:
            yield each
    found = _local_file()
    if found is not None:
        yield Api(base_url(str(found[1]["api_url"])), str(found[1]["api_key"]), str(found[0]))


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
        return Api(base_url(str(found["url"])), str(found["key"]), str(path))
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
    NotFoundError
        There is no such stack.
    TargetError
        There is nothing to point at.
    """
    if stack is not None:
        from alma.storage import stacks  # boto3, which few commands need

        os.environ["ALMA_TABLE"] = stacks.outputs(stack)["TableName"]
    elif "ALMA_TABLE" not in os.environ:
        local = local_file()
        if local is None or not {"table", "aws_endpoint_url", "region"} <= local.keys():
            raise TargetError(
                "This command reaches the table, not the API: name the deployed stack with --stack, or run "
                "it in the folder in which `make run` runs."
            )
        # The user's own credentials are for AWS. The runtime here takes any; botocore insists on some.
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"):
            os.environ.pop(name, None)
        os.environ |= {
            "ALMA_TABLE": str(local["table"]),
            "AWS_ENDPOINT_URL": str(local["aws_endpoint_url"]),
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_DEFAULT_REGION": str(local["region"]),
            "AWS_REGION": str(local["region"]),
        }


def use_one_blas_thread() -> None:
    """Limit OpenBLAS to one thread; takes effect before numpy is imported.

    The matrices are small: threads that wait for each other take eight times as long as one.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

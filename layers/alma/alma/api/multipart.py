"""multipart/form-data (RFC 7578), as `curl -F file=@deed.pdf` and browsers send it: one file, few fields."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.message import Message

from alma.errors import BadRequestError

_MOST_PARTS = 8
_MOST_HEADER_BYTES = 4096
_NAME = re.compile(r'(?i)(?:^|;)\s*(name|filename)="((?:\\.|[^"\\])*)"')
_MALFORMED = "The form is not well formed; send it as curl -F file=@deed.pdf does."


@dataclass(frozen=True, slots=True)
class Form:
    """What a form holds."""

    fields: dict[str, str]
    file_name: str
    """As it was sent, without folders."""
    file: bytes


def parse(content_type: str, body: bytes) -> Form:
    """Parse a form with one part `file`.

    Raises
    ------
    BadRequestError
        It is malformed, has too many parts, or no file or several.
    """
    header = Message()
    header["Content-Type"] = content_type
    boundary = header.get_boundary()
    if not boundary or len(boundary) > 70 or not boundary.isascii():
        raise BadRequestError(_MALFORMED)
    # The first delimiter may stand at the very beginning; every other one follows a line break.
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary.encode(), _MOST_PARTS + 1)
    if len(pieces) < 3 or not pieces[-1].startswith(b"--"):
        raise BadRequestError(_MALFORMED)
    fields: dict[str, str] = {}
    files: list[tuple[str, bytes]] = []
    for piece in pieces[1:-1]:
        names, content = _part(piece)
        name = names.get("name")
        if name == "file" and names.get("filename"):
            files.append((re.split(r"[/\\]", names["filename"])[-1], content))
        elif name and name not in fields and "filename" not in names:
            fields[name] = content.decode("utf-8", "replace")
        elif names.get("filename") and name != "file":
            raise BadRequestError(
                "The part with the file is called file, "
                f"not {(name or 'nothing')[:100]}: curl -F file=@deed.pdf."
            )
        else:
            raise BadRequestError(_MALFORMED)
    if len(files) != 1:
        raise BadRequestError("A form holds one file, in the part named file: curl -F file=@deed.pdf.")
    return Form(fields, *files[0])


def _part(piece: bytes) -> tuple[dict[str, str], bytes]:
    """Return the names of a part (`name`, `filename`) and its content."""
    head, found, content = piece.partition(b"\r\n\r\n")
    if not found or len(head) > _MOST_HEADER_BYTES:
        raise BadRequestError(_MALFORMED)
    for line in head.decode("utf-8", "replace").split("\r\n"):
        kind, _, value = line.partition(":")
        if kind.strip().lower() == "content-disposition":
            return {
                name.lower(): re.sub(r"\\(.)", r"\1", text).replace("%22", '"')
                for name, text in _NAME.findall(value)
            }, content
    raise BadRequestError(_MALFORMED)

"""The files attached to a file, inside the parser's process: embedded in a PDF, or sent with an e-mail."""

from __future__ import annotations

import ctypes
import email
import email.policy
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from typing import Protocol

import pypdfium2.raw as c

from alma.errors import UnreadableFileError
from alma.files.content import MAX_ATTACHMENTS, printable
from alma.files.kinds import Kind
from alma.files.pdf import attachments, open_pdf

#: What stands among the names of what was not read where a mail has a text of its own.
MAIL_TEXT = "(text of the e-mail)"
#: Parts of a mail that are looked at: a hostile one has more.
MAX_PARTS = 1000


class Container(Protocol):
    """A file with files attached to it."""

    names: tuple[str, ...]
    """Their names."""
    unread: tuple[str, ...]
    """What else is in it and is not read."""

    def content(self, index: int) -> bytes:
        """Return an attached file (from 0).

        Raises
        ------
        UnreadableFileError
            `file_too_large`, or `damaged_file`.
        """
        ...


def open_container(path: Path, kind: Kind, *, max_bytes: int) -> Container:
    """Open a file for what is attached to it.

    Parameters
    ----------
    path, kind : Path, Kind
        The file.
    max_bytes : int
        What an attached file may hold.
    """
    return _Mail(path, max_bytes) if kind is Kind.MAIL else _Pdf(path, max_bytes)


class _Pdf:
    """The files embedded in a PDF (ISO 32000-1, 7.11.4)."""

    unread: tuple[str, ...] = ()

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._pdf, self._max_bytes = open_pdf(path), max_bytes
        self.names = attachments(self._pdf)

    def content(self, index: int) -> bytes:
        """Return an embedded file."""
        item = c.FPDFDoc_GetAttachment(self._pdf.raw, index)
        length = ctypes.c_ulong()
        if not item or not c.FPDFAttachment_GetFile(item, None, 0, length):
            raise UnreadableFileError("The attached file is damaged; send it by itself.")
        _check_size(length.value, self._max_bytes)
        buffer = ctypes.create_string_buffer(length.value)
        c.FPDFAttachment_GetFile(item, buffer, length.value, length)
        return buffer.raw[: length.value]


class _Mail:
    """The files sent with an e-mail (MIME, RFC 2045 to 2049), those within its parts included."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        with path.open("rb") as stream:
            # The older policy takes headers as they are: the newer one parses them and fails on odd ones.
            message = email.message_from_binary_file(stream, policy=email.policy.compat32)
        self._parts: list[Message] = []
        unread = []
        for part, pictured in _leaves(message):
            if _is_text(part):
                if MAIL_TEXT not in unread and str(part.get_payload()).strip():
                    unread.append(MAIL_TEXT)
            elif not (pictured and part.get_content_maintype() == "image"):
                self._parts.append(part)
        self.names = tuple(_name(part, n) for n, part in enumerate(self._parts[:MAX_ATTACHMENTS], 1))
        if len(self._parts) > MAX_ATTACHMENTS:
            unread.append(f"({len(self._parts) - MAX_ATTACHMENTS} more attachments)")
        self.unread = tuple(unread)

    def content(self, index: int) -> bytes:
        """Return an attached file; a mail that was forwarded as such is one."""
        part = self._parts[index]
        if part.get_content_type() == "message/rfc822":
            forwarded = _forwarded(part)
            content = b"" if forwarded is None else forwarded.as_bytes()
        else:
            payload = part.get_payload(decode=True)
            content = payload if isinstance(payload, bytes) else b""
        _check_size(len(content), self._max_bytes)
        return content


def _leaves(message: Message) -> Iterator[tuple[Message, bool]]:
    """Yield the parts of a mail that hold something, and whether each belongs to the mail's own text."""
    waiting: list[tuple[Message, bool]] = [(message, False)]
    for _ in range(MAX_PARTS):
        if not waiting:
            return
        part, related = waiting.pop()
        inner = part.get_payload()
        if part.get_content_maintype() == "multipart" and isinstance(inner, list):
            related = related or part.get_content_subtype() == "related"
            waiting += [(each, related) for each in reversed(inner) if isinstance(each, Message)]
            continue
        shown = part.get_content_disposition() != "attachment" and (related or "content-id" in part)
        yield part, shown


def _is_text(part: Message) -> bool:
    """Tell whether a part is the mail's own text."""
    attached = part.get_content_disposition() == "attachment" or _file_name(part)
    return part.get_content_maintype() in ("text", "multipart") and not attached


def _file_name(part: Message) -> str:
    try:
        encoded = part.get_filename() or ""
        pieces = email.header.decode_header(encoded)
        return "".join(
            piece if isinstance(piece, str) else piece.decode(charset or "utf-8", "replace")
            for piece, charset in pieces
        )
    except (LookupError, ValueError, TypeError, AttributeError, email.errors.MessageError):
        return ""  # an encoding that there is not


def _forwarded(part: Message) -> Message | None:
    """Return the mail that a part of the type message/rfc822 holds."""
    inner = part.get_payload()
    first = inner[0] if isinstance(inner, list) and inner else None
    return first if isinstance(first, Message) else None


def _name(part: Message, number: int) -> str:
    subject = ""
    if part.get_content_type() == "message/rfc822":
        forwarded = _forwarded(part)
        subject = "" if forwarded is None else f"{forwarded['subject'] or 'message'}.eml"
    return printable(_file_name(part) or subject) or f"attachment {number}"


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise UnreadableFileError(
            f"The attached file has {size / 2**20:.1f} MiB, and all that is attached to a file may have "
            f"{limit / 2**20:.1f}; send it by itself.",
            code="file_too_large",
        )

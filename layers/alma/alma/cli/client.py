"""A client of the public API: retries, redirects, uploads, waiting."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlencode

import urllib3

from alma.cli.errors import CliError
from alma.cli.target import Api
from alma.documents import names

PARALLEL = 8
"""Requests that may be under way at once."""
_LONGEST_NAME = 255
"""Characters of a name that the API finds documents by."""
_TIMEOUT = urllib3.Timeout(connect=5, read=35)
_RETRY_SECONDS = 60
"""How long a call is retried in all."""
_RETRY_SECONDS_OF_AGENTS = 10
"""The same for an agent's message: an agent does better with an answer than with a long wait."""
LONGEST_MESSAGE_SECONDS = _RETRY_SECONDS_OF_AGENTS + 3 * 5 + 35
"""How long an agent's message may take: the last retry with its time-outs, though the API answers in 29 s."""


class ApiError(CliError):
    """The API refused, or could not be reached; the text is one sentence."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        """HTTP status; 0 where no answer came."""
        self.code = code
        self.detail = detail


class Client:
    """Client of one installation, with one key; safe for use by several threads."""

    def __init__(self, api: Api) -> None:
        self._api = api
        # PUT of a file is not repeated by the pool: a half-sent body cannot be rewound safely.
        self._retries = urllib3.Retry(2, redirect=0, respect_retry_after_header=False)
        self._pool = urllib3.PoolManager(maxsize=PARALLEL, retries=self._retries, timeout=_TIMEOUT)

    @property
    def url(self) -> str:
        """Address of the installation."""
        return self._api.url

    def call(self, method: str, path: str, body: object = None, **query: object) -> dict[str, Any]:
        """Return the JSON answer of a route below /api/v1, following a redirect; 202 counts as an answer.

        Raises
        ------
        ApiError
            Any other status, or the API cannot be reached.
        """
        answer = self._follow_redirect(self._send(method, path, body, query))
        if answer.status >= 300:
            raise _error_of(answer)
        try:
            found = json.loads(answer.data) if answer.data else {}
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise _unexpected(answer)
        return found

    def post_mcp(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """Return status and body of the endpoint's answer to an agent's message, whatever the status.

        Raises
        ------
        ApiError
            The API cannot be reached, or the status is 401.
        """
        given = {
            "Authorization": f"Bearer {self._api.key}",
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
        }
        options = {"body": body, "headers": {**given, **headers}}
        answer = self._request_with_retries(
            "POST", f"{self._api.url}/api/mcp", _RETRY_SECONDS_OF_AGENTS, **options
        )
        if answer.status == 401:
            raise _error_of(answer)
        return answer.status, answer.data

    @contextmanager
    def stream(
        self, path: str, query: Mapping[str, object] | None = None
    ) -> Iterator[tuple[Mapping[str, str], Iterator[bytes]]]:
        """Yield the headers and the content of a file, following a redirect to a presigned URL.

        Raises
        ------
        ApiError
            Any status but 200, the API cannot be reached, or the content breaks off.
        """
        answer = self._follow_redirect(self._send("GET", path, None, query or {}, stream=True), stream=True)
        try:
            if answer.status != 200:
                raise _error_of(answer)
            yield answer.headers, answer.stream(2**18)
        except urllib3.exceptions.HTTPError as error:
            raise ApiError(0, "unreachable", f"The file broke off ({error}); do it again.") from None
        finally:
            answer.close()  # what nobody read is not read

    def fetch(
        self, path: str, into: Path, query: Mapping[str, object] | None = None, *, overwrite: bool = True
    ) -> bool:
        """Stream a file to disk, following a redirect; return whether it was fetched.

        Without `overwrite`, a file that is there and has the size of the one that is asked for stays. A
        download that breaks off leaves no file, or the one before.
        """
        with self.stream(path, query) as (headers, blocks):
            size = headers.get("Content-Length")
            if not overwrite and into.is_file() and str(into.stat().st_size) == size:
                return False
            into.parent.mkdir(parents=True, exist_ok=True)
            unfinished = into.with_name(into.name + ".part")
            with unfinished.open("wb") as file:
                file.writelines(blocks)
            unfinished.replace(into)
            return True

    def upload(
        self, path: Path, sent: Callable[[int], None], *, split: bool = True, doc_type: str | None = None
    ) -> int:
        """Announce a file, upload it and return its documentId.

        Parameters
        ----------
        path : Path
            The file.
        sent : callable
            Called with the size of every block that is sent.
        split : bool
            Whether the file may be divided into several documents.
        doc_type : str, optional
            Its type, where that is known.
        """
        body = {"fileName": path.name, "split": split, "docType": doc_type}
        announced = self.call("POST", "/documents", body)
        self._put(announced["upload"]["url"], path, sent)
        return int(announced["documentId"])

    def upload_model(self, path: Path, body: dict[str, Any], sent: Callable[[int], None]) -> dict[str, Any]:
        """Announce a model, upload its file and return the model; `sent` as in `upload`."""
        announced = self.call("POST", "/models", body)
        upload = announced.pop("upload")
        self._put(upload["url"], path, sent)
        return announced

    def _put(self, url: str, path: Path, sent: Callable[[int], None]) -> None:
        size = path.stat().st_size
        with path.open("rb") as stream:
            answer = self._request(
                "PUT",
                url,
                body=_CountingReader(stream, sent),
                headers={"Content-Length": str(size)},
                retries=False,
            )
        if answer.status >= 300:
            raise ApiError(answer.status, "upload_failed", f"{path.name} could not be uploaded.")

    def wait_for_model(self, model: str, seconds: float = 3600) -> dict[str, Any]:
        """Poll a model until it is ready, and return it.

        Raises
        ------
        ApiError
            It failed, was rejected, or is not ready after `seconds`.
        """
        until = time.monotonic() + seconds
        while True:
            found = self.call("GET", f"/models/{model}")
            if found["status"] == "ready":
                return found
            if found["status"] in ("failed", "rejected"):
                raise ApiError(200, found["error"] or found["status"], f"{model}: {found['detail']}")
            if time.monotonic() > until:
                raise ApiError(202, "not_ready", f"{model} is still {found['status']}.")
            time.sleep(1)

    def wait(self, document_id: int, seconds: float = 900) -> dict[str, Any]:
        """Poll a document until it is read, and return its fields.

        Raises
        ------
        ApiError
            It failed, or it is still being read after `seconds`.
        """
        until = time.monotonic() + seconds
        while True:
            found = self.call("GET", f"/documents/{document_id}")
            if found.get("status") != "processing":
                return found
            if time.monotonic() > until:
                raise ApiError(202, "still_processing", f"Document {document_id} is still being read.")
            time.sleep(0.5)

    def wait_for_re_extraction(self, document_id: int, seconds: float = 900) -> dict[str, Any]:
        """Poll a document until it waits for no re-extraction, and return its fields.

        Raises
        ------
        ApiError
            It could not be read again, or still waits after `seconds`.
        """
        until = time.monotonic() + seconds
        while True:
            found = self.call("GET", f"/documents/{document_id}")
            if "reExtraction" not in found:
                return found
            if found["reExtraction"] == "failed":
                raise ApiError(422, "not_read_again", found["reExtractionDetail"])
            if time.monotonic() > until:
                raise ApiError(
                    202, "still_processing", f"Document {document_id} still waits to be read again."
                )
            time.sleep(0.5)

    def latest(self, names: Collection[str]) -> dict[str, int]:
        """Return the newest documentId of each file that has a document, by the file's name."""
        found: dict[str, int] = {}
        cursor = None
        while True:
            page = self.call("GET", "/documents", limit=200, cursor=cursor)
            for each in page["documents"]:
                if each["fileName"] in names:
                    found.setdefault(each["fileName"], each["documentId"])
            cursor = page["nextCursor"]
            if cursor is None or len(found) == len(names):
                return found

    def named(self, name: str) -> list[dict[str, Any]]:
        """Return the documents of files of a name, or else of names with an ending more, newest first."""
        exact, stem = [], []
        cursor = None
        # A name without a letter or a digit is in no index.
        begins = name[:_LONGEST_NAME] if names.folded(name[:_LONGEST_NAME]) else None
        while True:
            page = self.call("GET", "/documents", name=begins, limit=200, cursor=cursor)
            for each in page["documents"]:
                if each["fileName"] == name:
                    exact.append(each)
                elif each["fileName"].rpartition(".")[0] == name:
                    stem.append(each)
            cursor = page["nextCursor"]
            if cursor is None:
                return exact or stem

    def _send(
        self, method: str, path: str, body: object, query: Mapping[str, object], *, stream: bool = False
    ) -> urllib3.BaseHTTPResponse:
        url = f"{self._api.url}/api/v1{path}"
        given = {name: value for name, value in query.items() if value is not None}
        if given:
            url += "?" + urlencode(given)
        options: dict[str, Any] = {
            "headers": {"Authorization": f"Bearer {self._api.key}", "Accept": "*/*"},
            "preload_content": not stream,
        }
        if method == "POST":
            # What was done though its answer was lost is not done twice, so it can be sent again.
            options["headers"]["Idempotency-Key"] = str(uuid.uuid4())
            options["retries"] = self._retries.new(allowed_methods=None)
        if body is not None:
            options["headers"]["Content-Type"] = "application/json"
            options["body"] = json.dumps(body)
        return self._request_with_retries(method, url, _RETRY_SECONDS, **options)

    def _request_with_retries(
        self, method: str, url: str, seconds: float, **options: Any
    ) -> urllib3.BaseHTTPResponse:
        """Return the answer of the API, retried where it says so, for so many seconds in all."""
        until = time.monotonic() + seconds
        while True:
            answer = self._request(method, url, **options)
            # 429 says that nothing was done, whatever the method; 503 may come when something was.
            safe = method == "GET" or "Idempotency-Key" in options["headers"]
            retryable = answer.status == 429 or (safe and answer.status == 503) or _in_progress(answer)
            header = answer.headers.get("Retry-After", "5")
            delay = int(header) if header.isdecimal() else 5
            if not retryable or time.monotonic() + delay > until:
                return answer
            answer.drain_conn()
            time.sleep(delay)

    def _follow_redirect(
        self, answer: urllib3.BaseHTTPResponse, *, stream: bool = False
    ) -> urllib3.BaseHTTPResponse:
        """Return what a redirect to a presigned URL leads to; the key is not sent there."""
        if answer.status != 303:
            return answer
        answer.drain_conn()
        return self._request("GET", answer.headers["Location"], preload_content=not stream)

    def _request(self, method: str, url: str, **options: Any) -> urllib3.BaseHTTPResponse:
        try:
            return self._pool.request(method, url, redirect=False, **options)
        except urllib3.exceptions.HTTPError as error:
            raise ApiError(0, "unreachable", f"{self._api.url} does not answer: {_reason(error)}") from None


class _CountingReader:
    """A file that reports the size of every block read."""

    def __init__(self, stream: IO[bytes], sent: Callable[[int], None]) -> None:
        self._stream, self._sent = stream, sent

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(size)
        self._sent(len(block))
        return block


def _reason(error: urllib3.exceptions.HTTPError) -> str:
    """Return why no answer came, without the names of Python's objects."""
    reason: BaseException = getattr(error, "reason", None) or error
    match reason:
        case urllib3.exceptions.NameResolutionError():
            return "there is no machine of that name"
        case urllib3.exceptions.NewConnectionError() | urllib3.exceptions.ProtocolError():
            causes = [reason.__cause__, reason.__context__, *reason.args]
            said = next(
                (each.strerror for each in causes if isinstance(each, OSError) and each.strerror), None
            )
            return said.lower() if said else "it closed the connection"
        case urllib3.exceptions.TimeoutError():
            return "it took too long"
    return str(reason)


def _in_progress(answer: urllib3.BaseHTTPResponse) -> bool:
    """Tell whether the same request, sent before, is still being served."""
    return answer.status == 409 and _error_of(answer).code == "idempotency_in_progress"


def _error_of(answer: urllib3.BaseHTTPResponse) -> ApiError:
    try:
        body = json.loads(answer.data)
        error = str(body["error"])
    except (ValueError, KeyError, TypeError):
        if answer.status == 202:
            return ApiError(202, "still_processing", "It is still being read; ask again in a moment.")
        return _unexpected(answer)
    if answer.status == 401:
        return ApiError(
            401,
            error,
            "The key is malformed, expired or revoked; check ALMA_API_KEY, or log in with another.",
        )
    return ApiError(answer.status, error, str(body.get("detail", error)))


def _unexpected(answer: urllib3.BaseHTTPResponse) -> ApiError:
    return ApiError(answer.status, "unexpected", f"An unexpected answer, status {answer.status}.")

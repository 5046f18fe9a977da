"""Objects in S3: what stands where, and the few operations alma needs.

The archive keeps, below each organisation's prefix:

==========================================  ==========================================
pages/ID/pN.png                             the page as displayed
words/ID/pN.TRACK.json                      its words, as `alma.datamodel.pages.PageText` writes them
exports/ID/FILE                             an export too large for an answer
exports/ID/answer-ATTEMPT.json              an answer kept for a repeat, too large for a row
exports/datasets/TYPE/FILE                  a data set, as it was last asked for
models/ID/SHA256.onnx                       a model of the organisation's own
==========================================  ==========================================
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from botocore.config import Config
from botocore.exceptions import ClientError

from alma.errors import NotFoundError, UnavailableError, UnreadableFileError
from alma.settings import aws_is_emulated, settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

INBOX = "inbox/"
MODEL_INBOX = "models/"
UPLOADS = ".uploads/"
#: Requests that may be under way at once.
PARALLEL = 16
_DATASETS = "exports/datasets/"
#: Tag of what a rule of the bucket removes after a day.
PASSING = "alma-keep=day"
#: Bytes of one part of a stream. A few of them are in memory at a time, however long the stream is.
_PART = 8 * 2**20


def page_image_key(document_id: int, page: int) -> str:
    """Return the key of a page image, relative to the organisation's prefix (`image_key` of a jsonl line)."""
    return f"pages/{document_id}/p{page}.png"


def words_key(document_id: int, page: int, track: str) -> str:
    """Return the key of a page's words, relative to the organisation's prefix."""
    return f"words/{document_id}/p{page}.{track}.json"


def export_key(document_id: int, file_name: str) -> str:
    """Return the key of an export, relative to the organisation's prefix."""
    return f"exports/{document_id}/{file_name}"


def dataset_key(doc_type: str, file_name: str) -> str:
    """Return the key of a data set as a file, relative to the organisation's prefix."""
    return f"{_DATASETS}{doc_type}/{file_name}"


def model_key(model_id: str, sha256: str) -> str:
    """Return the key of a model's file, relative to the organisation's prefix.

    By content, so that of two that make it at once each has its own, and the card says whose counts.
    """
    return f"models/{model_id}/{sha256}.onnx"


def inbox_prefix(organisation: str) -> str:
    """Return where an organisation's files arrive."""
    return f"{INBOX}{organisation}/"


def upload_key(organisation: str, document_id: int, file_name: str) -> str:
    """Return the inbox key of a file whose document was announced over HTTP."""
    return f"{inbox_prefix(organisation)}{UPLOADS}{document_id}/{file_name}"


def model_upload_key(organisation: str, model_id: str) -> str:
    """Return the inbox key of a model that was announced over HTTP."""
    return f"{MODEL_INBOX}{organisation}/{model_id}.onnx"


@lru_cache(maxsize=1)
def _client() -> S3Client:
    import boto3

    # s3v4 and the regional host: presigned URLs then work in every region and against a local endpoint.
    client: S3Client = boto3.client(
        "s3",
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path" if aws_is_emulated() else "virtual"},
            retries={"max_attempts": 4, "mode": "standard"},
            connect_timeout=2,
            read_timeout=20,
            max_pool_connections=PARALLEL,
        ),
    )
    return client


def _archive_key(organisation: str, key: str) -> str:
    return f"{organisation}/{key}"


def put(
    organisation: str, key: str, body: bytes | str | Path, media_type: str, *, passing: bool = False
) -> None:
    """Store an object in the archive, below the organisation's prefix; one that is `passing` for a day."""
    where: Any = {"Bucket": settings().archive_bucket, "Key": _archive_key(organisation, key)}
    if passing:
        where["Tagging"] = PASSING
    if isinstance(body, Path):
        with body.open("rb") as stream:
            _client().put_object(**where, Body=stream, ContentType=media_type)
    else:
        data = body.encode() if isinstance(body, str) else body
        _client().put_object(**where, Body=data, ContentType=media_type)


def put_stream(organisation: str, key: str, blocks: Iterator[bytes], media_type: str) -> None:
    """Store an object of any length in the archive while it is being made; the archive drops it after a day.

    What `blocks` raises is raised here, and nothing is stored then.
    """
    from boto3.s3.transfer import TransferConfig

    _client().upload_fileobj(
        _Blocks(blocks),  # type: ignore[arg-type]  # it is only read from
        settings().archive_bucket,
        _archive_key(organisation, key),
        ExtraArgs={"ContentType": media_type, "Tagging": PASSING},
        Config=TransferConfig(multipart_threshold=_PART, multipart_chunksize=_PART, max_concurrency=4),
    )


class _Blocks:
    """What is read from an iterator, as a file that cannot be rewound."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks, self._buffer = blocks, bytearray()

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._buffer) < size:
            block = next(self._blocks, None)
            if block is None:
                size = len(self._buffer)
            else:
                self._buffer += block
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken


def get(organisation: str, key: str) -> bytes:
    """Return an object of the archive.

    Raises
    ------
    NotFoundError
        It is not there.
    """
    client = _client()
    try:
        answer = client.get_object(Bucket=settings().archive_bucket, Key=_archive_key(organisation, key))
    except client.exceptions.NoSuchKey:
        raise NotFoundError(f"{key} is not in the archive.") from None
    return answer["Body"].read()


def copy(organisation: str, source: str, key: str) -> None:
    """Copy an object of the archive within the organisation's prefix, without reading it.

    Raises
    ------
    NotFoundError
        It is not there.
    """
    bucket = settings().archive_bucket
    try:
        _client().copy_object(
            Bucket=bucket,
            Key=_archive_key(organisation, key),
            CopySource={"Bucket": bucket, "Key": _archive_key(organisation, source)},
        )
    except ClientError as error:
        if _status(error) != 404:
            raise
        raise NotFoundError(f"{source} is not in the archive.") from None


def download_url(organisation: str, key: str, *, file_name: str | None = None) -> str:
    """Return a presigned URL of an object of the archive, valid for `settings().download_seconds`."""
    params: dict[str, Any] = {
        "Bucket": settings().archive_bucket,
        "Key": _archive_key(organisation, key),
        "ResponseCacheControl": "no-store",
    }
    if file_name:
        params["ResponseContentDisposition"] = f'attachment; filename="{file_name}"'
    return _client().generate_presigned_url(
        "get_object", Params=params, ExpiresIn=settings().download_seconds
    )


def inbox_url(key: str, *, file_name: str) -> str:
    """Return a presigned URL to save a file of the inbox, valid for `settings().download_seconds`.

    The name is said twice (RFC 6266): in ASCII with what is not safe replaced, and as it is, percent-encoded.
    """
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", file_name)
    named = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(file_name, safe='')}"
    return _client().generate_presigned_url(
        "get_object",
        Params={
            "Bucket": settings().inbox_bucket,
            "Key": key,
            "ResponseContentDisposition": named,
            "ResponseContentType": "application/octet-stream",
        },
        ExpiresIn=settings().download_seconds,
    )


def upload_url(key: str) -> str:
    """Return a presigned PUT URL for an inbox key, valid for `settings().upload_seconds`."""
    return _client().generate_presigned_url(
        "put_object",
        Params={"Bucket": settings().inbox_bucket, "Key": key},
        ExpiresIn=settings().upload_seconds,
    )


def in_inbox(key: str) -> bool:
    """Tell whether a file is in the inbox."""
    try:
        _client().head_object(Bucket=settings().inbox_bucket, Key=key)
    except ClientError as error:
        if _status(error) == 404:
            return False
        raise
    return True


def inbox_size(key: str, etag: str) -> int | None:
    """Return the bytes of a file of the inbox; None if it is gone or has other content than `etag` tells."""
    try:
        answer = _client().head_object(Bucket=settings().inbox_bucket, Key=key)
    except ClientError as error:
        if _status(error) == 404:
            return None
        raise
    return int(answer["ContentLength"]) if answer["ETag"].strip('"') == etag else None


def read_inbox(key: str, etag: str) -> bytes | None:
    """Return a file of the inbox; None if it is gone or has other content than `etag` tells."""
    try:
        answer = _client().get_object(Bucket=settings().inbox_bucket, Key=key, IfMatch=etag)
    except ClientError as error:
        if _status(error) in (404, 412):
            return None
        raise
    with answer["Body"] as body:
        return body.read()


def fetch_inbox(key: str, etag: str, into: Path) -> None:
    """Copy a file of the inbox to disk, if it is still the content that `etag` tells.

    Raises
    ------
    UnreadableFileError
        It was taken away (`file_missing`) or replaced (`file_replaced`), or it is larger than files may be
        (`file_too_large`), which is told before anything is copied.
    """
    limit = settings().max_file_bytes
    try:
        answer = _client().get_object(Bucket=settings().inbox_bucket, Key=key, IfMatch=etag)
    except ClientError as error:
        if _status(error) == 404:
            raise UnreadableFileError(
                "The file was taken out of the inbox before it was read; send it again.",
                code="file_missing",
            ) from None
        if _status(error) == 412:
            raise UnreadableFileError(
                "The file was replaced before it was read; its new content is a document of its own.",
                code="file_replaced",
            ) from None
        raise
    with answer["Body"] as body, into.open("wb") as file:
        if answer["ContentLength"] > limit:
            raise UnreadableFileError(
                f"The file has {answer['ContentLength'] / 2**20:.0f} MiB and the limit is "
                f"{limit / 2**20:.0f} MiB; split it, or scan it at a lower resolution.",
                code="file_too_large",
            )
        shutil.copyfileobj(body, file, 2**20)


def put_inbox(key: str, body: bytes) -> None:
    """Put a file into the inbox, as a PUT to its `upload_url` does."""
    _client().put_object(Bucket=settings().inbox_bucket, Key=key, Body=body)


def drop(organisation: str, name: str, path: Path) -> str:
    """Put a file into the organisation's drop folder and return its key."""
    key = inbox_prefix(organisation) + name
    _client().upload_file(str(path), settings().inbox_bucket, key)
    return key


def delete_inbox(key: str, etag: str | None) -> None:
    """Remove a file from the inbox unless other content has taken its place; absent is fine."""
    condition: dict[str, Any] = {} if etag is None else {"IfMatch": etag}
    try:
        _client().delete_object(Bucket=settings().inbox_bucket, Key=key, **condition)
    except ClientError as error:
        if _status(error) not in (404, 412):
            raise


def delete(organisation: str, key: str) -> None:
    """Remove an object of the archive; absent is fine."""
    _delete([_archive_key(organisation, key)])


def delete_model(organisation: str, model_id: str) -> None:
    """Remove a model's files from the archive; absent is fine.

    Raises
    ------
    UnavailableError
        Not all of them could be removed; doing it again is safe.
    """
    _delete(list(_keys(_archive_key(organisation, f"models/{model_id}/"))))


def delete_document(organisation: str, document_id: int) -> None:
    """Remove a document's pages, words and exports from the archive, and all data sets that were exported.

    Raises
    ------
    UnavailableError
        Not all of them could be removed; doing it again is safe.
    """
    own = [f"{folder}/{document_id}/" for folder in ("pages", "words", "exports")]
    # Data sets as they were last asked for may hold its values; the next one who asks has them made anew.
    for prefix in (*own, _DATASETS):
        _delete(list(_keys(_archive_key(organisation, prefix))))


def delete_pages(organisation: str, document_id: int, pages: Iterable[int]) -> None:
    """Remove the images and words of some of a document's pages from the archive; absent is fine.

    Raises
    ------
    UnavailableError
        Not all of them could be removed; doing it again is safe.
    """
    numbers = frozenset(pages)
    _delete(
        [
            key
            for folder in ("pages", "words")
            for key in _keys(_archive_key(organisation, f"{folder}/{document_id}/p"))
            if int(key.rsplit("/p", 1)[1].split(".", 1)[0]) in numbers
        ]
    )


def _delete(keys: list[str]) -> None:
    for start in range(0, len(keys), 1000):
        answer = _client().delete_objects(
            Bucket=settings().archive_bucket,
            Delete={"Objects": [{"Key": key} for key in keys[start : start + 1000]], "Quiet": True},
        )
        if answer.get("Errors"):
            raise UnavailableError("Not everything could be removed; try again.")


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _keys(prefix: str) -> Iterator[str]:
    pages = (
        _client().get_paginator("list_objects_v2").paginate(Bucket=settings().archive_bucket, Prefix=prefix)
    )
    for page in pages:
        for entry in page.get("Contents", []):
            yield entry["Key"]

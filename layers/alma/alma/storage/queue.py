"""The queues: pages to read, models to train."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from alma.errors import UnavailableError
from alma.settings import settings

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_BATCH = 10  # what SQS takes in one call


@lru_cache(maxsize=1)
def _client() -> SQSClient:
    import boto3

    client: SQSClient = boto3.client("sqs")
    return client


def send_pages(organisation: str, document_id: int, pages: Iterable[int]) -> None:
    """Ask for pages to be read; a message per page, page 0 asks only for the document to be resolved.

    Raises
    ------
    UnavailableError
        The queue took some of the messages and not all; sending again is safe.
    """
    _send({"organisation": organisation, "documentId": document_id, "page": page} for page in pages)


def send_re_extraction(
    organisation: str, document_id: int, doc_type: str | None, actor: str, asked: int
) -> None:
    """Ask for a document that is ready to be re-extracted, as of a type if one is given, for a key.

    `asked` is when, as the document's row says it.

    Raises
    ------
    UnavailableError
        The queue did not take the message.
    """
    _send(
        [
            {
                "organisation": organisation,
                "documentId": document_id,
                "page": 0,
                "again": True,
                "docType": doc_type,
                "actor": actor,
                "asked": asked,
            }
        ]
    )


def _send(messages: Iterable[Mapping[str, object]]) -> None:
    bodies = [json.dumps(message) for message in messages]
    for start in range(0, len(bodies), _BATCH):
        answer = _client().send_message_batch(
            QueueUrl=settings().page_queue,
            Entries=[
                {"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies[start : start + _BATCH])
            ],
        )
        if answer.get("Failed"):
            raise UnavailableError("The page queue did not take every message.")


def send_model(organisation: str, model_id: str) -> None:
    """Ask for a model to be trained; sending again is safe."""
    body = json.dumps({"organisation": organisation, "modelId": model_id})
    _client().send_message(QueueUrl=settings().model_queue, MessageBody=body)

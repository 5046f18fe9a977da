"""SQS -> fields: one message per page."""

import json
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from alma.pipeline import run

logger = Logger(service="extract")
# The batch is one message: raising on "everything failed" would hide which message it was.
processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


def _read(record: SQSRecord) -> None:
    message = json.loads(record.body)
    organisation, document_id, page = (message[key] for key in ("organisation", "documentId", "page"))
    where = {"organisation": organisation, "document_id": document_id, "page": page}
    try:
        if message.get("again"):
            # Messages of earlier versions do not say when they were asked for.
            run.re_extract(
                organisation, document_id, message["docType"], message["actor"], message.get("asked")
            )
        else:
            run.process(organisation, document_id, page)
    except Exception:
        # Logged here, where the page is known; raised on, so that the message is delivered again.
        logger.exception("page failed", extra=where)
        raise
    logger.info("page read", extra=where)


def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Read the pages of a batch; those that failed are reported and delivered again."""
    return process_partial_response(event=event, record_handler=_read, processor=processor, context=context)

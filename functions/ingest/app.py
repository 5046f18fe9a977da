"""S3 -> pages: a file landed in the inbox."""

from typing import Any
from urllib.parse import unquote_plus

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from alma.pipeline.ingest import ingest

logger = Logger(service="ingest")


def handler(event: dict[str, Any], _: LambdaContext) -> None:
    """Ingest every object of an S3 event; a failure is retried by the service, and doing it twice is safe."""
    for record in event["Records"]:
        stored = record["s3"]["object"]
        document = ingest(unquote_plus(stored["key"]), stored["eTag"], stored["sequencer"])
        if document is not None:
            logger.info(
                "ingested",
                extra={
                    "organisation": document.organisation,
                    "document_id": document.id,
                    "status": document.status.value,
                    "pages": document.pages,
                    "error": document.error_code,
                },
            )

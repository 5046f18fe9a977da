"""S3 -> models: a model file landed in the inbox."""

from typing import Any
from urllib.parse import unquote_plus

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from alma.models.validation import arrive

logger = Logger(service="check")


def handler(event: dict[str, Any], _: LambdaContext) -> None:
    """Check every object of an S3 event; a failure is retried by the service, and doing it twice is safe."""
    for record in event["Records"]:
        stored = record["s3"]["object"]
        model = arrive(unquote_plus(stored["key"]), stored["eTag"])
        if model is not None:
            logger.info(
                "checked",
                extra={
                    "organisation": model.organisation,
                    "model": model.id,
                    "status": model.status.value,
                    "error": model.error_code,
                },
            )

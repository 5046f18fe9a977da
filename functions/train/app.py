"""SQS -> a model: one message per model to train."""

import json
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from alma.models.training_job import train

#: Seconds kept for writing the result down.
MARGIN = 30

logger = Logger(service="train")
processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Train the models of a batch; those that failed without a recorded reason are delivered again."""

    def work(record: SQSRecord) -> None:
        message = json.loads(record.body)
        where = {key: message[key] for key in ("organisation", "modelId")}
        seconds = context.get_remaining_time_in_millis() / 1000 - MARGIN
        try:
            train(where["organisation"], where["modelId"], seconds=seconds)
        except Exception:
            logger.exception("training failed", extra=where)
            raise
        logger.info("trained", extra=where)

    return process_partial_response(event=event, record_handler=work, processor=processor, context=context)

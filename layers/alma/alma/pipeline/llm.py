"""Beside the stage `extract`: a hosted model's readings of the fields, where the operator has named one."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from alma.datamodel.fields import Extraction
from alma.datamodel.pages import PageText
from alma.datamodel.schemas import DocumentSchema
from alma.extraction.llm.grounding import ground
from alma.extraction.llm.merging import merge
from alma.extraction.llm.question import PURPOSE, TOOL, question_for
from alma.metering import usage
from alma.settings import settings
from alma.storage import bedrock

_log = logging.getLogger(__name__)


def add_readings(
    extraction: Extraction,
    pages: Sequence[PageText],
    schema: DocumentSchema,
    *,
    organisation: str,
    key_id: str | None,
) -> Extraction:
    """Return an extraction with the hosted model's readings beside its own.

    It stays as it is where no model is named or none answers: the service can fail, the document cannot. The
    log says how many answers stand on the pages and how many were dropped, never what they were.

    Parameters
    ----------
    extraction : Extraction
        What alma reads itself.
    pages : sequence of PageText
        The document's words.
    schema : DocumentSchema
        Its type.
    organisation, key_id : str, str or None
        For whom the run of the model is counted; None for the inbox.
    """
    given = settings()
    if not given.hosted_model_id:
        return extraction
    asked = question_for(schema, pages, max_pages=given.hosted_max_pages, max_words=given.hosted_max_words)
    if asked is None:
        return extraction
    try:
        answer = bedrock.ask(
            given.hosted_model_id,
            instructions=asked.instructions,
            texts=asked.texts,
            tool=TOOL,
            purpose=PURPOSE,
            schema=asked.answer,
            max_tokens=given.hosted_max_tokens,
            seconds=given.hosted_seconds,
        )
    except bedrock.ModelCallError as error:
        _log.warning("the hosted model gave no answer: %s", error)
        return extraction
    usage.count_model_run(organisation, key_id)
    found = ground(asked, schema, answer.input)
    _log.info(
        "hosted model: %d answers stand on a page, %d were dropped; %d tokens in, %d out",
        found.kept,
        found.dropped,
        answer.input_tokens,
        answer.output_tokens,
    )
    return merge(extraction, found.readings, schema)

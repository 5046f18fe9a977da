"""Review: what people decide of fields, who works on what, what waits, and what happened."""

from typing import Any

from alma.access.scopes import Scope
from alma.api import review
from alma.api.dispatch import serve
from alma.api.request import Call, Response
from alma.api.request_models import DocumentPath, Nothing
from alma.api.review import (
    AddFieldBody,
    ClaimBody,
    Claimed,
    DecideBody,
    ExtractBody,
    FieldPath,
    HistoryQuery,
    HistoryView,
    MergeBody,
    Queued,
    Rearranged,
    ReviewFilter,
    SplitBody,
    project_queue,
)
from alma.presentation.document import project_field
from alma.review.decisions import Decision
from alma.review.service import ReviewService


def decide(call: Call[FieldPath, Nothing, DecideBody]) -> Response:
    """Decide a field and answer with what it is then."""
    body = call.body
    decision = Decision(body.action, body.version, body.value, body.place, body.track, body.comment)
    field = _service(call).decide(call.path.document_id, call.path.field, decision)
    return Response(200, project_field(field))


def add(call: Call[DocumentPath, Nothing, AddFieldBody]) -> Response:
    """Add a field and answer with it."""
    body = call.body
    field = _service(call).add(
        call.path.document_id,
        body.key,
        row=body.row,
        value=body.value,
        place=body.place,
        comment=body.comment,
    )
    return Response(201, project_field(field))


def claim(call: Call[DocumentPath, Nothing, ClaimBody]) -> Response:
    """Claim a document and answer for how long."""
    document_id = call.path.document_id
    return Response.of(Claimed.of(document_id, _service(call).claim(document_id, call.body.seconds)))


def release(call: Call[DocumentPath, Nothing, None]) -> Response:
    """End a claim."""
    anybodys = Scope.REVIEW_ADMIN in call.request.scopes
    _service(call).release(call.path.document_id, anybodys=anybodys)
    return Response(204)


def extract(call: Call[DocumentPath, Nothing, ExtractBody]) -> Response:
    """Have a document read again."""
    document = _service(call).re_extract(call.path.document_id, call.body.doc_type)
    view = Queued(document_id=document.id, status=document.status, re_extraction="queued")
    return Response.of(view, 202)


def split(call: Call[DocumentPath, Nothing, SplitBody]) -> Response:
    """Have a document split."""
    document = _service(call).split(call.path.document_id, at=call.body.at, ranges=call.body.ranges)
    return Response.of(Rearranged.of(document), 202)


def merge(call: Call[DocumentPath, Nothing, MergeBody]) -> Response:
    """Have documents merged into one."""
    document = _service(call).merge(call.path.document_id, call.body.documents)
    return Response.of(Rearranged.of(document), 202)


def history(call: Call[DocumentPath, HistoryQuery, None]) -> Response:
    """Answer with a page of what happened to a document."""
    document_id, service = call.path.document_id, _service(call)
    found = service.history(document_id, cursor=call.query.cursor, limit=call.query.limit)
    return Response.of(HistoryView.of(document_id, found, service.key_names(found)))


def review_queue(call: Call[Nothing, ReviewFilter, None]) -> Response:
    """Answer with a page of the fields that wait."""
    asked = call.query
    found = _service(call).queue(
        doc_type=asked.doc_type,
        key=asked.field,
        max_confidence=asked.max_confidence,
        status=asked.wanted_status,
        of=asked.of,
        cursor=asked.cursor,
        limit=asked.limit,
    )
    return Response(200, project_queue(found))


def _service(call: Call[Any, Any, Any]) -> ReviewService:
    return ReviewService(call.organisation, call.key_id)


handler = serve(
    "reviews",
    review.ROUTES,
    {
        "decide_field": decide,
        "add_field": add,
        "claim_document": claim,
        "release_document": release,
        "extract_again": extract,
        "split_document": split,
        "merge_documents": merge,
        "document_history": history,
        "review_queue": review_queue,
    },
)

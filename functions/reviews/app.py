"""Review: what people decide of fields, who works on what, what waits, and what happened."""

from urllib.parse import unquote

from alma.access.scopes import Scope
from alma.api.archive import Archive
from alma.api.dispatch import serve
from alma.api.geometry import EvidenceBody
from alma.api.request import Request, Response
from alma.api.views import AddFieldBody, ClaimBody, Claimed, DecideBody, ExtractBody, HistoryView, Queued
from alma.documents import audit
from alma.errors import BadRequestError
from alma.presentation.document import project_field
from alma.review import claims, decisions, queue, re_extraction
from alma.review.corrections import Place
from alma.review.decisions import Decision


def decide(request: Request) -> Response:
    """Decide a field and answer with what it is then."""
    document_id, body = request.document_id("id"), request.json(DecideBody)
    decision = Decision(
        body.action, body.version, body.value, _place(body.evidence), body.track, body.comment
    )
    # The gateway hands the brackets on as they were sent, encoded or not; an id holds no percent sign.
    field_id = unquote(request.path.get("field", ""))
    field = decisions.decide(request.organisation, document_id, field_id, decision, actor=request.key_id)
    return Response(200, project_field(field))


def add(request: Request) -> Response:
    """Add a field and answer with it."""
    document_id, body = request.document_id("id"), request.json(AddFieldBody)
    field = decisions.add(
        request.organisation,
        document_id,
        body.key,
        actor=request.key_id,
        row_number=body.row,
        value=body.value,
        place=_place(body.evidence),
        comment=body.comment,
    )
    return Response(201, project_field(field))


def claim(request: Request) -> Response:
    """Claim a document and answer for how long."""
    document_id, body = request.document_id("id"), request.json(ClaimBody)
    held = claims.claim(request.organisation, document_id, request.key_id, body.seconds)
    return Response(200, Claimed.of(document_id, held).model_dump(mode="json"))


def release(request: Request) -> Response:
    """End a claim."""
    anybodys = Scope.REVIEW_ADMIN in request.scopes
    claims.release(request.organisation, request.document_id("id"), request.key_id, anybodys=anybodys)
    return Response(204)


def extract(request: Request) -> Response:
    """Have a document read again."""
    document_id, body = request.document_id("id"), request.json(ExtractBody)
    document = re_extraction.request(request.organisation, document_id, body.docType, request.key_id)
    return Response(202, Queued(documentId=document_id, status=document.status).model_dump(mode="json"))


def history(request: Request) -> Response:
    """Answer with a page of what happened to a document."""
    document_id = request.document_id("id")
    found = audit.history(
        request.organisation,
        document_id,
        cursor=request.query.get("cursor"),
        limit=request.limit(audit.MAX_LIMIT),
    )
    return Response(200, HistoryView.of(document_id, found).model_dump(mode="json"))


def review_queue(request: Request) -> Response:
    """Answer with a page of the fields that wait."""
    query = request.query
    found = Archive(request.organisation).review_queue(
        doc_type=query.get("docType"),
        key=query.get("field"),
        max_confidence=_number(query.get("maxConfidence")),
        status=query.get("status"),
        limit=request.limit(queue.MAX_LIMIT),
        cursor=query.get("cursor"),
    )
    return Response(200, found)


def _place(evidence: EvidenceBody | None) -> Place | None:
    return None if evidence is None else Place(evidence.page, evidence.bbox.box())


def _number(raw: str | None) -> float | None:
    try:
        return None if raw is None else float(raw)
    except ValueError:
        raise BadRequestError("maxConfidence is a number from 0 to 1.") from None


handler = serve(
    "reviews",
    {
        "decide_field": decide,
        "add_field": add,
        "claim_document": claim,
        "release_document": release,
        "extract_again": extract,
        "document_history": history,
        "review_queue": review_queue,
    },
)

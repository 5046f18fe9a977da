"""How fields, documents and keys look in a terminal.

Text that comes from data becomes `rich.text.Text`, never a string with markup. Rich is imported when there is
a table to show: programs that ask for JSON do not wait for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from alma.access.scopes import Role, of_role
from alma.cli.output import visible

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from alma.cli.output import Printable

    Cell: TypeAlias = str | Text

_COLOURS = {"accepted": "green", "edited": "green", "rejected": "red", "escalated": "yellow"}
_DOCUMENT_COLOURS = {"ready": "green", "failed": "red", "processing": "cyan"}
_MODEL_COLOURS = {"ready": "green", "failed": "red", "rejected": "yellow"}

_Look: TypeAlias = dict[str, Any]
_RIGHT: _Look = {"justify": "right"}
_FOLD: _Look = {"overflow": "fold"}
_WHOLE: _Look = {"no_wrap": True}
_PLAIN: _Look = {}


def _table(columns: Mapping[str, _Look], rows: Iterable[Sequence[Cell]], title: str | None = None) -> Table:
    from rich.table import Table

    table = Table(title=None if title is None else _text(title, "bold"), title_justify="left")
    for name, look in columns.items():
        table.add_column(name, **look)
    for row in rows:
        if row:
            table.add_row(*(_text(cell) if isinstance(cell, str) else cell for cell in row))
        else:
            table.add_section()
    return table


def _text(text: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(visible(text), style)


# --- documents ----------------------------------------------------------------


def dropped(answers: Iterable[dict[str, Any]]) -> Iterator[Printable]:
    """Return what became of files that were sent: numbers, fields where they were waited for, failures."""
    for answer in answers:
        line = f"{answer.get('documentId', '–')}  {answer['fileName']}"
        if "fields" in answer:
            yield fields_table(answer, answer["fileName"])
            yield from _missing(answer)
            if answer.get("instances"):
                yield f"The file holds further documents: {', '.join(map(str, answer['instances']))}"
        elif "error" in answer:
            yield _text(line + "  ") + _text(answer["error"], "red") + _text(f": {answer['detail']}")
        else:
            yield line


def corrected(answers: Iterable[dict[str, Any]]) -> Iterator[Printable]:
    """Return how often a list of corrections did what to each document."""
    for answer in answers:
        counts = ", ".join(f"{count} {action}" for action, count in list(answer.items())[2:])
        yield f"{answer['documentId']}  {answer['fileName']}  {counts}"


def listing(found: dict[str, Any]) -> Iterator[Printable]:
    """Return a list of documents, and whether there are more."""
    yield documents_table(found["documents"]) if found["documents"] else "There is no such document."
    if found["nextCursor"] is not None:
        yield f"the newest {len(found['documents'])}; there are more (--limit)"


def _reading_status(document: dict[str, Any]) -> str:
    """Return how far a document is, and why it failed or that it will be read again."""
    why: str = document["error"] or (
        "re-extraction " + document["reExtraction"]
        if "reExtraction" in document
        else "its file has not arrived"
        if "uploadUntil" in document
        else ""
    )
    return f"{document['status']}: {why}" if why else str(document["status"])


def _left_to_review(counts: dict[str, int] | None) -> str:
    """Return how many fields are escalated and how many more nobody has looked at, as 2+17."""
    return "" if counts is None else f"{counts['escalated']}+{counts['unreviewed']}"


def documents_table(documents: Iterable[dict[str, Any]]) -> Table:
    """Return a list of documents."""
    columns = {
        "id": _RIGHT,
        "file": _FOLD,
        "type": _FOLD,
        "status": _PLAIN,
        "pages": _RIGHT,
        "to review": _RIGHT,
        "created": _FOLD,
    }
    return _table(
        columns,
        (
            (
                str(each["documentId"]),
                each["fileName"],
                each["docType"] or "",
                _text(
                    _reading_status(each) + _claim(each),
                    _DOCUMENT_COLOURS.get(each["status"], ""),
                ),
                "" if each["pages"] is None else str(each["pages"]),
                _left_to_review(each.get("review")),
                each["createdAt"],
            )
            for each in documents
        ),
    )


def _claim(document: dict[str, Any]) -> str:
    """Return who works on a document of a list or of the queue, if anybody does."""
    holder = document.get("claimedByName") or document.get("claimedBy")
    return "" if holder is None else f", claimed by {holder}"


def fields(document: dict[str, Any], document_id: int, title: str | None = None) -> Iterator[Printable]:
    """Return a document's fields, or that it has none yet."""
    if "fields" in document:
        yield fields_table(document, title)
        yield from _missing(document)
        if "reExtractionDetail" in document:
            yield document["reExtractionDetail"]
    elif "uploadUntil" in document:
        until = document["uploadUntil"]
        yield f"the file of document {document_id} has not arrived yet; it can be sent until {until}"
    else:
        yield f"document {document_id} is still being read; ask again in a moment"


def without_tracks(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document that came with its tracks as it is without them: what was not found is named only."""
    if "fields" not in document:
        return document
    left_out = ("tracks", "reasons")
    found = [each for each in document["fields"] if each.get("tracks", True) or each["value"] is not None]
    missing = [each for each in document["fields"] if each not in found]
    return document | {
        "fields": [{name: each[name] for name in each if name not in left_out} for each in found],
        "missing": [each["id"] for each in missing if each["status"] in ("escalated", "unreviewed")],
    }


def _missing(document: dict[str, Any]) -> Iterator[Printable]:
    """Return which required fields were not found, if any."""
    if document.get("missing"):
        yield _text(f"not found, though the type requires it: {', '.join(document['missing'])}", "yellow")


def fields_table(document: dict[str, Any], title: str | None = None) -> Table:
    """Return a document's fields: value, confidence, status, page; and the tracks below, where given."""
    doc_type = document["docType"] or "no known type"
    columns = {"field": _WHOLE, "value": _FOLD, "confidence": _RIGHT, "status": _PLAIN, "page": _RIGHT}
    return _table(
        columns,
        _field_rows(document["fields"]),
        title=f"{document['documentId']} · {title + ' · ' if title else ''}{doc_type}",
    )


def _field_rows(shown: Iterable[dict[str, Any]]) -> Iterator[Sequence[Cell]]:
    for field in shown:
        yield _label(field), *_reading_cells(field, _status(field))
        for reading in field.get("tracks", []):
            yield _track(reading), *_reading_cells(reading, _comment(reading))


def _label(field: dict[str, Any]) -> str:
    key: str = field["key"]
    group, _, column = key.partition(".")
    return f"{group}[{field['row']}].{column}" if "row" in field else str(field.get("id", key))


def _status(field: dict[str, Any]) -> Text:
    """Return a field's status, and why a person should look where that is known."""
    status, reasons = field["status"], ", ".join(field.get("reasons", []))
    return _text(f"{status}{': ' if reasons else ''}{reasons}", _COLOURS.get(status, ""))


def _track(reading: dict[str, Any]) -> Text:
    return _text("  ") + _text(reading["track"], "dim")


def _comment(reading: dict[str, Any]) -> Text:
    """Return why an agent proposes a reading; nothing for what was read."""
    return _text(reading.get("comment", ""), "dim")


def _reading_cells(reading: dict[str, Any], status: Text) -> Sequence[Cell]:
    """Return value, confidence, status and page of a field or of one track's reading."""
    confidence, evidence = reading["confidence"], reading["evidence"]
    return (
        reading["value"] or "",
        "" if confidence is None else f"{confidence:.3f}",
        status,
        "" if evidence is None else str(evidence["page"]),
    )


def page_text(page: dict[str, Any]) -> Iterator[Printable]:
    """Return the lines of a page, as each track reads them."""
    tracks = page["tracks"]
    for track in tracks:
        if len(tracks) > 1:
            yield _text(f"{track['track']}:", "bold")
        lines: dict[int, list[str]] = {}
        for text, *_, line, _confidence in track["words"]:
            lines.setdefault(line, []).append(text)
        yield "\n".join(" ".join(words) for words in lines.values())


def history_table(entries: Iterable[dict[str, Any]]) -> Table:
    """Return what happened to a document, oldest first."""
    names = ("when", "who", "what", "field", "before", "after", "comment")
    return _table(
        {"": _RIGHT} | dict.fromkeys(names, _FOLD),
        (
            (
                str(entry["sequence"]),
                entry["at"],
                entry.get("byName") or entry["by"],
                entry["action"],
                entry["field"] or "",
                *_before_and_after(entry["before"] or {}, entry["after"] or {}),
                entry["comment"] or "",
            )
            for entry in entries
        ),
    )


def _before_and_after(before: dict[str, Any], after: dict[str, Any]) -> tuple[str, str]:
    """Return a field's value before and since, with their places where it moved; or what is proposed."""
    was, now = str(before.get("value") or ""), str(after.get("value") or "")
    if (proposal := after.get("proposal")) is not None:
        return was, f"proposed: {proposal[1]}"
    if before.get("value") is not None and after and before.get("evidence") != after.get("evidence"):
        return f"{was} ({_place(before.get('evidence'))})", f"{now} ({_place(after.get('evidence'))})"
    return was, now


def _place(evidence: dict[str, Any] | None) -> str:
    """Return a place as `alma edit` takes it."""
    if evidence is None:
        return "no place"
    box = ",".join(f"{evidence['bbox'][side]:g}" for side in "xywh")
    return f"page {evidence['page']}, {box}"


# --- review -------------------------------------------------------------------


def queue(items: Sequence[dict[str, Any]]) -> Iterator[Printable]:
    """Return the fields that wait for a person, or that there is none."""
    yield queue_table(items) if items else "No such field waits."


def queue_table(items: Iterable[dict[str, Any]]) -> Table:
    """Return the fields that wait for a person, with what agents propose below."""
    columns = {"field": _WHOLE, "value": _FOLD, "sure": _RIGHT, "why": _FOLD, "page": _RIGHT}
    return _table(columns, _queue_rows(items))


def _queue_rows(items: Iterable[dict[str, Any]]) -> Iterator[Sequence[Cell]]:
    document = None
    for item in items:
        field = item["field"]
        if item["documentId"] != document:
            document = item["documentId"]
            yield ()
            yield _text(str(document), "bold"), _text(item["fileName"] + _claim(item), "dim")
        name = _text(field["id"]) + _text(f"  version {field['version']}", "dim")
        yield name, *_reading_cells(field, _status(field))
        for reading in field["tracks"]:
            if "comment" in reading:
                yield _track(reading), *_reading_cells(reading, _comment(reading))


# --- document types, models ---------------------------------------------------


def schemas_table(schemas: Iterable[dict[str, Any]]) -> Table:
    """Return a list of document types."""
    return _table(
        dict.fromkeys(("type", "origin", "description", "fields"), _FOLD),
        (
            (each["docType"], each["origin"], each["description"], ", ".join(each["fields"]))
            for each in schemas
        ),
    )


def datasets(found: Sequence[dict[str, Any]]) -> Iterator[Printable]:
    """Return a list of data sets, or how there will be one."""
    yield datasets_table(found) if found else "There are no data sets yet; a verified field makes one."


def datasets_table(datasets: Iterable[dict[str, Any]]) -> Table:
    """Return a list of data sets."""
    return _table(
        {"type": _PLAIN, "documents": _RIGHT, "examples": _RIGHT},
        ((each["docType"], str(each["documents"]), str(each["examples"])) for each in datasets),
    )


def models(found: Sequence[dict[str, Any]]) -> Iterator[Printable]:
    """Return a list of models, or how there will be one."""
    yield models_table(found) if found else "There are no models yet; `alma model train` makes one."


def models_table(models: Iterable[dict[str, Any]]) -> Table:
    """Return a list of models."""
    return _table(
        {"id": _WHOLE} | dict.fromkeys(("name", "type", "base", "status", "examples", "created"), _FOLD),
        (
            (
                each["id"],
                each["name"],
                each.get("docType", ""),
                each["baseModel"],
                _text(each["status"], _MODEL_COLOURS.get(each["status"], "cyan")),
                str(each["trainedExamples"]),
                each["createdAt"],
            )
            for each in models
        ),
    )


def model(found: dict[str, Any]) -> Iterator[Printable]:
    """Return a model that was made: its card where there is one, its status and why it is so."""
    if (found.get("card") or {}).get("after"):
        yield card_table(found["card"])
    yield f"{found['id']} is {found['status']}"
    if found.get("detail"):
        yield found["detail"]


def trained(card: dict[str, Any], out: Path, base: str) -> Iterator[Printable]:
    """Return what came of training on this machine."""
    yield card_table(card)
    yield f"{out} and {out.with_suffix('.json')} are written"
    if not card["better"]:
        yield _text(f"It reads no better than {base}", "yellow") + _text(": verify more documents first.")


def card_table(card: dict[str, Any]) -> Table:
    """Return what a model's card says: F1 before and after, field by field."""
    from rich.table import Table

    before, after = card["before"], card["after"]
    title = f"{card['name']}: {card['data']['documents']} documents, {card['data']['examples']} examples"
    table = Table(title=_text(title, "italic"), box=None)
    for name in ("field", card["base_model"], card["name"], "values"):
        table.add_column(_text(name))
    for key, own in after["fields"].items():
        old = before["fields"].get(key, {}).get("f1")
        table.add_row(_text(key), _f1(old), _f1(own["f1"]), str(own["n"]))
    table.add_row(_text("all", "bold"), _f1(before["micro_f1"]), _f1(after["micro_f1"]), "")
    return table


def _f1(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


# --- access and usage ---------------------------------------------------------


def created(organisation: str) -> Text:
    """Return that an organisation was created, and where its files go."""
    return (
        _text("organisation ")
        + _text(organisation, "bold")
        + _text(f" created; its drop folder is inbox/{organisation}/")
    )


def keys(found: Sequence[dict[str, Any]]) -> Iterator[Printable]:
    """Return a list of keys, or how there will be one."""
    yield keys_table(found) if found else "There are no keys yet; `alma key create` makes one."


def keys_table(keys: Iterable[dict[str, Any]]) -> Table:
    """Return a list of keys."""
    names = ("name", "owner", "scopes", "token", "created", "last used", "ends")
    return _table(
        {"id": _WHOLE} | dict.fromkeys(names, _FOLD),
        (
            (
                key["id"],
                key["name"],
                key["owner"] or "",
                _rights(key),
                key["hint"],
                key["createdAt"],
                key["lastUsedAt"] or "never",
                f"revoked {key['revokedAt']}" if key["revokedAt"] else key["expiresAt"] or "",
            )
            for key in keys
        ),
    )


def _rights(key: dict[str, Any]) -> str:
    """Return a key's role where that says it all, else its scopes."""
    whole = {scope.value for scope in of_role(Role(key["role"]))} == set(key["scopes"])
    return str(key["role"]) if whole else " ".join(key["scopes"])


def usage_table(usage: dict[str, Any]) -> Table:
    """Return what the keys of an organisation used in a month."""
    quota = usage["quota"]
    limit = "" if quota["limit"] is None else f" of {quota['limit']}"
    counts = {
        "requests": "requests",
        "pages": "pages",
        "fields": "fields",
        "modelRuns": "model runs",
        "bytes": "bytes",
    }
    return _table(
        {"key": _FOLD} | dict.fromkeys(counts.values(), _RIGHT),
        [
            *((_key_name(key), *(str(key[name]) for name in counts)) for key in usage["keys"]),
            (),
            ("all", *(str(usage["total"][name]) for name in counts)),
        ],
        title=f"{usage['month']} · {quota['used']}{limit} pages counted",
    )


def _key_name(key: dict[str, Any]) -> str:
    return "inbox" if key["keyId"] is None else f"{key['name'] or ''} ({key['keyId']})"

"""How fields, documents and keys look in a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.markup import escape
from rich.table import Table

from alma.access.scopes import Role, of_role

_COLOURS = {"accepted": "green", "edited": "green", "rejected": "red", "escalated": "yellow"}
_DOCUMENT_COLOURS = {"ready": "green", "failed": "red", "processing": "cyan"}

_MODEL_COLOURS = {"ready": "green", "failed": "red", "rejected": "yellow"}


def fields_table(document: dict[str, Any], title: str | None = None) -> Table:
    """Return a document's fields: value, confidence, status, page; and the tracks below, where given."""
    kind = document["docType"] or "no known type"
    heading = f"{document['documentId']} · {title + ' · ' if title else ''}{kind}"
    table = Table(title=escape(heading), title_justify="left", title_style="bold")
    table.add_column("field", no_wrap=True)
    table.add_column("value", overflow="fold")
    table.add_column("confidence", justify="right")
    table.add_column("status")
    table.add_column("page", justify="right")
    for field in document["fields"]:
        table.add_row(escape(_label(field)), *_reading_cells(field, _status(field)))
        for reading in field.get("tracks", []):
            said = _reading_cells(reading, _comment(reading))
            table.add_row(f"  [dim]{escape(reading['track'])}[/]", *said)
    return table


def _status(field: dict[str, Any]) -> str:
    """Return a field's status, and why a person should look where that is known."""
    status, reasons = field["status"], ", ".join(field.get("reasons", []))
    return f"[{_COLOURS.get(status, 'default')}]{status}{': ' if reasons else ''}{escape(reasons)}[/]"


def _reading_cells(reading: dict[str, Any], status: str) -> tuple[str, str, str, str]:
    """Return value, confidence, status and page of a field or of one track's reading."""
    confidence, evidence = reading["confidence"], reading["evidence"]
    return (
        escape(reading["value"] or ""),
        "" if confidence is None else f"{confidence:.3f}",
        status,
        "" if evidence is None else str(evidence["page"]),
    )


def _label(field: dict[str, Any]) -> str:
    key: str = field["key"]
    group, _, column = key.partition(".")
    return f"{group}[{field['row']}].{column}" if "row" in field else key


def documents_table(documents: Iterable[dict[str, Any]]) -> Table:
    """Return a list of documents."""
    table = Table()
    table.add_column("id", justify="right")
    table.add_column("file", overflow="fold")
    table.add_column("type")
    table.add_column("status")
    table.add_column("pages", justify="right")
    table.add_column("created")
    for document in documents:
        status = document["status"]
        reason = f": {document['error']}" if document["error"] else ""
        table.add_row(
            str(document["documentId"]),
            escape(document["fileName"]),
            document["docType"] or "",
            f"[{_DOCUMENT_COLOURS[status]}]{status}{escape(reason)}[/]",
            "" if document["pages"] is None else str(document["pages"]),
            document["createdAt"],
        )
    return table


def queue_table(items: Iterable[dict[str, Any]]) -> Table:
    """Return the fields that wait for a person, with what agents propose below."""
    table = Table()
    table.add_column("field", no_wrap=True)
    table.add_column("value", overflow="fold")
    table.add_column("sure", justify="right")
    table.add_column("why", overflow="fold")
    table.add_column("page", justify="right")
    document = None
    for item in items:
        field = item["field"]
        if item["documentId"] != document:
            document = item["documentId"]
            table.add_section()
            table.add_row(f"[bold]{document}[/]", f"[dim]{escape(item['fileName'])}[/]")
        name = f"{escape(field['id'])}  [dim]version {field['version']}[/]"
        table.add_row(name, *_reading_cells(field, _status(field)))
        for reading in field["tracks"]:
            if "comment" in reading:
                track = f"  [dim]{escape(reading['track'])}[/]"
                table.add_row(track, *_reading_cells(reading, _comment(reading)))
    return table


def _comment(reading: dict[str, Any]) -> str:
    """Return why an agent proposes a reading; nothing for what was read."""
    return f"[dim]{escape(reading['comment'])}[/]" if "comment" in reading else ""


def history_table(entries: Iterable[dict[str, Any]]) -> Table:
    """Return what happened to a document, oldest first."""
    table = Table()
    table.add_column("", justify="right")
    for name in ("when", "who", "what", "field", "before", "after", "comment"):
        table.add_column(name, overflow="fold")
    for entry in entries:
        table.add_row(
            str(entry["sequence"]),
            entry["at"],
            entry["by"],
            entry["action"],
            escape(entry["field"] or ""),
            escape(str((entry["before"] or {}).get("value") or "")),
            escape(_became(entry["after"] or {})),
            escape(entry["comment"] or ""),
        )
    return table


def _became(after: dict[str, Any]) -> str:
    """Return the value a field has since, or what is proposed for it."""
    proposal = after.get("proposal")
    return str(after.get("value") or "") if proposal is None else f"proposed: {proposal[1]}"


def schemas_table(schemas: Iterable[dict[str, Any]]) -> Table:
    """Return a list of document types."""
    table = Table()
    for name in ("type", "origin", "description", "fields"):
        table.add_column(name, overflow="fold")
    for schema in schemas:
        table.add_row(
            schema["docType"],
            schema["origin"],
            escape(schema["description"]),
            escape(", ".join(schema["fields"])),
        )
    return table


def datasets_table(datasets: Iterable[dict[str, Any]]) -> Table:
    """Return a list of data sets."""
    table = Table()
    table.add_column("type")
    table.add_column("documents", justify="right")
    table.add_column("examples", justify="right")
    for dataset in datasets:
        table.add_row(dataset["docType"], str(dataset["documents"]), str(dataset["examples"]))
    return table


def models_table(models: Iterable[dict[str, Any]]) -> Table:
    """Return a list of models."""
    table = Table()
    for name in ("id", "name", "type", "base", "status", "examples", "created"):
        table.add_column(name, overflow="fold")
    for model in models:
        status = model["status"]
        table.add_row(
            model["id"],
            escape(model["name"]),
            model.get("docType", ""),
            model["baseModel"],
            f"[{_MODEL_COLOURS.get(status, 'cyan')}]{status}[/]",
            str(model["trainedExamples"]),
            model["createdAt"],
        )
    return table


def keys_table(keys: Iterable[dict[str, Any]]) -> Table:
    """Return a list of keys."""
    table = Table()
    for name in ("id", "name", "owner", "scopes", "token", "created", "last used", "ends"):
        table.add_column(name, overflow="fold")
    for key in keys:
        table.add_row(
            key["id"],
            escape(key["name"]),
            escape(key["owner"] or ""),
            _rights(key),
            key["hint"],
            key["createdAt"],
            key["lastUsedAt"] or "never",
            f"revoked {key['revokedAt']}" if key["revokedAt"] else key["expiresAt"] or "",
        )
    return table


def _rights(key: dict[str, Any]) -> str:
    """Return a key's role where that says it all, else its scopes."""
    whole = {scope.value for scope in of_role(Role(key["role"]))} == set(key["scopes"])
    return str(key["role"]) if whole else " ".join(key["scopes"])


def usage_table(usage: dict[str, Any]) -> Table:
    """Return what the keys of an organisation used in a month."""
    quota = usage["quota"]
    limit = "" if quota["limit"] is None else f" of {quota['limit']}"
    table = Table(
        title=f"{usage['month']} · {quota['used']}{limit} pages counted",
        title_justify="left",
        title_style="bold",
    )
    columns = ("requests", "pages", "fields", "modelRuns", "bytes")
    table.add_column("key", overflow="fold")
    for name in ("requests", "pages", "fields", "model runs", "bytes"):
        table.add_column(name, justify="right")
    for key in usage["keys"]:
        table.add_row(_key_name(key), *(str(key[name]) for name in columns))
    table.add_section()
    table.add_row("all", *(str(usage["total"][name]) for name in columns))
    return table


def _key_name(key: dict[str, Any]) -> str:
    if key["keyId"] is None:
        return "inbox"
    return f"{escape(key['name'] or '')} ({key['keyId']})"

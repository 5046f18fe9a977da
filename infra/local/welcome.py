"""What the bare address of the API answers a person on this machine: where things are."""

from __future__ import annotations

import base64
import hashlib
from html import escape

from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from infra.local.httpd import Request, Response

#: Paths that a stack has no route for and a person tries first.
PATHS = {"", "/", "/api", "/api/"}
_STYLE = "body{font:1rem/1.5 sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem}dt{font-weight:bold}"
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept",
}
_TITLE = "alma: documents in, fields with evidence out."
_KEY = "All but the description needs a key: Authorization: Bearer alma_... `make run` prints one."


def welcome(request: Request, address: str) -> Response | None:
    """Return the answer to GET and HEAD of the bare address: a page for browsers, text for all others.

    Parameters
    ----------
    request : Request
        As it came.
    address : str
        Of the API on this machine; never the Host header, which the client chooses.
    """
    if request.method not in ("GET", "HEAD") or request.target.partition("?")[0] not in PATHS:
        return None
    accepted = parse_accept_header(request.header("accept"), MIMEAccept)
    if accepted.best_match(["text/plain", "text/html"]) == "text/html":
        return Response(_page(address), 200, {**_HEADERS, "Content-Type": "text/html; charset=utf-8"})
    return Response(_text(address), 200, {**_HEADERS, "Content-Type": "text/plain; charset=utf-8"})


def _places(address: str) -> list[tuple[str, str, bool]]:
    """Return what there is, where it is, and whether that opens in a browser."""
    return [
        ("The API", f"{address}/api/v1/", False),
        ("Its description (OpenAPI)", f"{address}/api/v1/openapi.json", True),
        ("Agents (Model Context Protocol)", f"{address}/api/mcp", False),
        ("Your documents, in a terminal", ".venv/bin/alma list", False),
        ("How to go on", "README.md, in the folder where `make run` was started", False),
    ]


def _text(address: str) -> str:
    places = "".join(f"{what + ':':<34}{where}\n" for what, where, _ in _places(address))
    return f"{_TITLE}\n\n{places}\n{_KEY}\n"


def _page(address: str) -> str:
    places = "".join(
        f"<dt>{escape(what)}</dt><dd>{_shown(where, link)}</dd>" for what, where, link in _places(address)
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>alma</title>'
        f"<style>{_STYLE}</style></head><body><h1>alma</h1><p>{escape(_TITLE)}</p><dl>{places}</dl>"
        f"<p>{escape(_KEY)}</p></body></html>\n"
    )


def _shown(where: str, link: bool) -> str:
    text = f"<code>{escape(where)}</code>"
    return f'<a href="{escape(where)}">{text}</a>' if link else text

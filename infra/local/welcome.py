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
_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem}"
    "h2{font-size:1.2rem;margin:2rem 0 .5rem}dd{margin:0 0 .75rem}code{overflow-wrap:anywhere}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept",
}
_TITLE = "Documents in, fields with evidence out."
_KEY = (
    "All of it but description and health needs the key that make run printed (it is also in "
    ".alma/local.json), as Authorization: Bearer alma_…"
)


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


def _places(address: str) -> dict[str, list[tuple[str, str, bool]]]:
    """Return what there is, where it is, and whether that opens in a browser, under headings."""
    return {
        "Next, in a terminal, in the folder where make run was started": [
            ("The documents that were read", ".venv/bin/alma list", False),
            ("The fields of one of them", ".venv/bin/alma get 1", False),
            ("Read a file of your own", ".venv/bin/alma drop FILE --wait", False),
            ("What waits for a person to decide", ".venv/bin/alma review", False),
            ("All else, from the first step to a model of your own", "README.md", False),
        ],
        "Addresses": [
            ("The API", f"{address}/api/v1/", False),
            ("Its description (OpenAPI)", f"{address}/api/v1/openapi.json", True),
            ("Whether it answers", f"{address}/api/v1/health", True),
            ("Agents (Model Context Protocol)", f"{address}/api/mcp", False),
        ],
    }


def _text(address: str) -> str:
    blocks = [
        f"{heading}:\n\n" + "".join(f"  {what + ':':<55}{where}\n" for what, where, _ in places)
        for heading, places in _places(address).items()
    ]
    return "\n".join([f"alma. {_TITLE}\n", *blocks, f"{_KEY}\n"])


def _page(address: str) -> str:
    blocks = "".join(
        f"<h2>{escape(heading)}</h2><dl>"
        + "".join(f"<dt>{escape(what)}</dt><dd>{_shown(where, link)}</dd>" for what, where, link in places)
        + "</dl>"
        for heading, places in _places(address).items()
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>alma</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><h1>alma</h1><p>{escape(_TITLE)}</p>{blocks}"
        f"<p>{escape(_KEY)}</p></body></html>\n"
    )


def _shown(where: str, link: bool) -> str:
    text = f"<code>{escape(where)}</code>"
    return f'<a href="{escape(where)}">{text}</a>' if link else text

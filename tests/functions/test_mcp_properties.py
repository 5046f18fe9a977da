"""Whatever is sent to the MCP endpoint: an answer that is JSON-RPC, never a crash, never another's data."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alma.access.keys import Role
from alma.datamodel.fields import Field, Reading
from alma.datamodel.geometry import Box, Region
from alma.mcp.envelope import CLIENT_CAPABILITIES, PROTOCOL_VERSION
from alma.mcp.tool import Tool
from alma.mcp.tools import TOOLS
from alma.mcp.versions import Version
from tests.cloud import Tenant, seed_fields

pytestmark = pytest.mark.usefixtures("aws")

#: What only the owner may see.
SECRETS = ("Greaves", "vault-of-greaves")
bounded = settings(
    max_examples=200,
    deadline=None,
    database=None,
    derandomize=True,
    # One stack for all examples: nothing that is sent here writes.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def mostly(good: st.SearchStrategy[Any], other: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return a strategy that gives something good nine times out of ten."""
    return st.sampled_from([good] * 9 + [other]).flatmap(lambda chosen: chosen)


methods = st.sampled_from(
    ["initialize", "ping", "server/discover", "tools/list", "tools/call", "resources/read", "nothing"]
)
names = st.sampled_from([tool.name for tool in TOOLS])
meta = st.fixed_dictionaries(
    {},
    optional={
        PROTOCOL_VERSION: mostly(st.sampled_from([*map(str, Version), "2099-01-01"]), scalars),
        CLIENT_CAPABILITIES: mostly(st.just({}), values),
    },
)
BOX = st.fixed_dictionaries({name: st.floats(-0.1, 1.1) for name in "xywh"})
#: What arguments of each name may be, to fit or nearly so.
FITTING: dict[str, st.SearchStrategy[Any]] = {
    "documentId": st.integers(0, 4),
    "page": st.integers(0, 3),
    "text": st.sampled_from(["Greaves", "Mahon", "12.5"]) | st.text(max_size=5),
    "cursor": st.none() | st.sampled_from(["MQ", "NA", "2", ""]),
    "limit": st.integers(0, 60),
    "docType": st.sampled_from(
        [None, "deed_of_conveyance", "vault-of-greaves#deed_of_conveyance", "#", "../vault-of-greaves"]
    ),
    "name": st.sampled_from([None, "Greaves", "deed 1", "-"]) | st.text(max_size=9),
    "from": st.sampled_from([None, "2026-05-14", "2026-05-14T09:21:00Z", "yesterday"]),
    "to": st.sampled_from([None, "2030-01-01", "2026-13-01", ""]),
    "review": st.sampled_from([None, "waiting", "escalated", "unreviewed", "missing", "done", "open"]),
    "confidenceBelow": st.none() | st.floats(-0.5, 1.5),
    "status": st.sampled_from([None, "ready", "failed", "escalated", "unreviewed"]),
    "format": st.sampled_from(["json", "csv", "xlsx", "../x"]),
    "track": st.sampled_from([None, "text", "vision"]),
    "words": st.booleans(),
    "tracks": st.booleans(),
    "field": st.sampled_from([None, "grantor_name", "parcel_acreage", "x[1]", "a.b", ""])
    | st.text(max_size=9),
    "key": st.sampled_from([None, "grantee_name", "parcels.acres"]) | st.text(max_size=9),
    "version": st.none() | st.integers(0, 3),
    "row": st.none() | st.integers(-1, 2),
    "value": st.none() | st.sampled_from(["12.5", "Greaves"]) | st.text(max_size=9),
    "encoding": st.sampled_from(["base64", "utf-8", "utf-16"]),
    "bbox": st.none() | BOX,
    "evidence": st.none() | st.fixed_dictionaries({"page": st.integers(0, 3), "bbox": BOX}),
    "comment": st.sampled_from(["seen on the page", " "]) | st.text(max_size=9),
    "maxConfidence": st.none() | st.integers(0, 2) | st.floats(-1, 2),
    "modelId": st.sampled_from(["mdl_x", "mdl_greaves", "../x"]) | st.text(max_size=9),
    "organisation": st.just("vault-of-greaves"),
}


def arguments_of(tool: type[Tool]) -> st.SearchStrategy[dict[str, Any]]:
    """Return arguments of a tool: that fit or nearly so, or of other tools, or of another kind."""
    fields = {field.alias or name: field for name, field in tool.model_fields.items()}
    needed = {name for name, field in fields.items() if field.is_required()}
    fitting = st.fixed_dictionaries(
        {name: FITTING[name] for name in needed},
        optional={name: FITTING[name] for name in fields if name not in needed},
    )
    other = st.fixed_dictionaries({}, optional={name: FITTING[name] | values for name in FITTING})
    return mostly(fitting, other)


calls = st.sampled_from(TOOLS).flatmap(lambda tool: st.tuples(st.just(tool.name), arguments_of(tool)))
#: Headers as HTTP has them: visible ASCII.
header = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20)
headers = st.fixed_dictionaries(
    {"Content-Type": mostly(st.just("application/json"), header)},
    optional={
        "Accept": mostly(st.just("application/json, text/event-stream"), header),
        "MCP-Protocol-Version": mostly(st.sampled_from([*map(str, Version)]), header),
        "Mcp-Method": methods | header,
        "Mcp-Name": names | header,
        "Mcp-Session-Id": header,
        "Origin": mostly(st.just("http://localhost:3000"), st.sampled_from(["null", "http://[::1"]) | header),
        "Host": header,
        "X-Organisation": st.just("vault-of-greaves"),
    },
)
messages = st.fixed_dictionaries(
    {"jsonrpc": mostly(st.just("2.0"), scalars), "method": mostly(methods, st.text(max_size=20))},
    optional={
        "id": mostly(st.integers() | st.text(max_size=10), values),
        "params": mostly(
            st.fixed_dictionaries(
                {},
                optional={
                    "_meta": mostly(meta, values),
                    "name": mostly(names, values),
                    "arguments": mostly(st.fixed_dictionaries({}, optional=FITTING), values),
                    "protocolVersion": mostly(st.sampled_from([*map(str, Version)]), values),
                    "cursor": values,
                    "uri": values,
                },
            ),
            values,
        ),
    },
)


@pytest.fixture
def stranger() -> Tenant:
    """An organisation with one document, beside one that has documents of the same numbers."""
    owner, stranger = Tenant.create("vault-of-greaves"), Tenant.create("stranger")
    for _ in range(3):
        owner.seed_document(seed_fields())
    reading = Reading("text", "Mahon", "Mahon", 0.5, (Region(1, Box(0.1, 0.1, 0.1, 0.1)),))
    stranger.seed_document([Field("grantor_name", 0, (reading,))])
    return stranger


def check(tenant: Tenant, body: str, sent: dict[str, str]) -> Any:
    """Send a body and check the answer; return it as JSON, None if it is empty."""
    answer = tenant.call("mcp", "POST", "/mcp", raw=body, headers=sent, role=Role.ADMIN)
    text = base64.b64decode(answer.body).decode() if answer.encoded else answer.body
    assert answer.status < 500
    if answer.status == 202:
        assert text == ""
        return None
    told = json.loads(text)
    assert told["jsonrpc"] == "2.0"
    assert ("result" in told) != ("error" in told)
    if "error" in told:
        assert isinstance(told["error"]["code"], int)
        assert isinstance(told["error"]["message"], str)
    else:
        assert isinstance(told["result"], dict)
    return told


def holds_a_secret(told: Any, sent: str) -> bool:
    """Tell whether an answer says what only the owner may see and was not in the question itself."""
    text = json.dumps(told, ensure_ascii=False)
    return any(secret in text and secret not in sent for secret in SECRETS)


@bounded
@given(body=st.text() | values.map(json.dumps), sent=headers)
def test_any_text_gets_an_answer(stranger: Tenant, body: str, sent: dict[str, str]) -> None:
    assert not holds_a_secret(check(stranger, body, sent), body)


@bounded
@given(message=messages, sent=headers)
def test_any_message_gets_an_answer_that_is_nobody_elses_data(
    stranger: Tenant, message: dict[str, Any], sent: dict[str, str]
) -> None:
    body = json.dumps(message)
    told = check(stranger, body, sent)
    assert not holds_a_secret(told, body)
    if told is not None and "result" in told:
        assert told["id"] == message["id"]


@bounded
@given(call=calls, stateless=st.booleans())
def test_any_call_of_a_tool_gets_an_answer_that_is_nobody_elses_data(
    stranger: Tenant, call: tuple[str, dict[str, Any]], stateless: bool
) -> None:
    name, arguments = call
    params: dict[str, Any] = {"name": name, "arguments": arguments}
    sent = {"Content-Type": "application/json"}
    if stateless:
        version = Version.V2026_07_28.value
        params["_meta"] = {PROTOCOL_VERSION: version, CLIENT_CAPABILITIES: {}}
        sent |= {"MCP-Protocol-Version": version, "Mcp-Method": "tools/call", "Mcp-Name": name}
    body = json.dumps({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params})

    told = check(stranger, body, sent)

    assert told["id"] == 7
    result = told["result"]
    assert not holds_a_secret(result, body)
    assert result.get("resultType") == ("complete" if stateless else None)
    if "isError" not in result:
        assert json.loads(result["content"][0]["text"]) == result["structuredContent"]

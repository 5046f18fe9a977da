"""Document types over HTTP."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from alma.access.keys import Role
from alma.cli import main
from alma.cli.client import Client
from alma.datamodel.schemas import SchemaDefinition
from alma.document_types import catalogue
from alma.errors import BadRequestError
from alma.extraction.values.patterns import Matcher, compiled
from tests.cloud import Answer, Tenant

pytestmark = pytest.mark.usefixtures("aws")

NOTE: dict[str, Any] = {
    "description": "What came with a delivery.",
    "keywords": ["delivery note"],
    "fields": [
        {"key": "number", "type": "identifier", "aliases": ["note no"], "required": True},
        {"key": "sender", "type": "name", "patterns": ["from (?P<value>{NAME})"], "rejects": ["^The"]},
    ],
    "groups": [
        {
            "key": "goods",
            "description": "One kind of goods.",
            "fields": [{"key": "item"}, {"key": "quantity", "type": "number", "aliases": ["pieces"]}],
        }
    ],
    "review_below": 0.8,
}


def put(tenant: Tenant, doc_type: str, definition: object, role: Role = Role.ADMIN) -> Answer:
    return tenant.call(
        "schemas", "PUT", "/v1/schemas/{docType}", path={"docType": doc_type}, body=definition, role=role
    )


def get(tenant: Tenant, doc_type: str) -> Answer:
    return tenant.call(
        "schemas", "GET", "/v1/schemas/{docType}", path={"docType": doc_type}, role=Role.READER
    )


def delete(tenant: Tenant, doc_type: str) -> Answer:
    return tenant.call("schemas", "DELETE", "/v1/schemas/{docType}", path={"docType": doc_type})


def refusal(definition: object, doc_type: str = "note") -> str:
    """Return the sentence with which a definition is refused."""
    answer = put(Tenant.create("greaves"), doc_type, definition)
    assert (answer.status, answer.json["error"]) == (400, "bad_request")
    detail: str = answer.json["detail"]
    return detail


def test_a_type_comes_back_as_it_was_sent() -> None:
    tenant = Tenant.create("greaves")

    made = put(tenant, "delivery_note", NOTE)

    assert made.status == 201
    assert {**made.json, "updatedAt": None} == {
        "docType": "delivery_note",
        "origin": "own",
        "updatedAt": None,
        "definition": NOTE,
    }
    assert get(tenant, "delivery_note").json == made.json


def test_replacing_a_type_is_200_and_holds_at_once() -> None:
    tenant = Tenant.create("greaves")
    put(tenant, "delivery_note", NOTE)

    assert put(tenant, "delivery_note", {"fields": [{"key": "other"}]}).status == 200
    assert get(tenant, "delivery_note").json["definition"] == {"fields": [{"key": "other"}]}


def test_the_list_has_shipped_and_own_types_with_their_origin() -> None:
    tenant = Tenant.create("greaves")
    put(tenant, "delivery_note", NOTE)
    put(tenant, "receipt", NOTE)

    listed = tenant.call("schemas", "GET", "/v1/schemas", role=Role.READER).json["schemas"]

    assert {each["docType"]: each["origin"] for each in listed} == {
        "ad_buy_form": "shipped",
        "contract": "shipped",
        "deed_of_conveyance": "shipped",
        "delivery_note": "own",
        "invoice": "shipped",
        "receipt": "own",
        "registration_form": "shipped",
        "tax_form": "shipped",
    }
    [note] = [each for each in listed if each["docType"] == "delivery_note"]
    assert note["fields"] == ["number", "sender", "goods.item", "goods.quantity"]


def test_removing_ones_own_type_brings_the_shipped_one_back() -> None:
    tenant = Tenant.create("greaves")
    shipped = get(tenant, "invoice").json
    put(tenant, "invoice", NOTE)
    assert get(tenant, "invoice").json["origin"] == "own"

    assert delete(tenant, "invoice").status == 204
    assert get(tenant, "invoice").json == shipped
    assert shipped["origin"] == "shipped"


@pytest.mark.parametrize("doc_type", ["invoice", "novel", "Not-A-Type"])
def test_what_is_not_ones_own_cannot_be_removed(doc_type: str) -> None:
    answer = delete(Tenant.create("greaves"), doc_type)

    assert (answer.status, answer.json["error"]) == (404, "not_found")


def test_a_shipped_definition_can_be_put_back_as_it_is() -> None:
    tenant = Tenant.create("greaves")
    for name in catalogue.schemas_of("greaves"):
        assert put(tenant, name, get(tenant, name).json["definition"]).status == 201


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.READER])
def test_only_an_admin_changes_types(role: Role) -> None:
    assert put(Tenant.create("greaves"), "note", NOTE, role).status == 403


@pytest.mark.parametrize(
    ("definition", "place"),
    [
        ({"fields": []}, "has 1 to 200 fields"),
        ({"fields": [{"key": "Number"}]}, "fields.0.key: "),
        ({"fields": [{"key": "a"}, {"key": "a"}]}, "the key 'a' is there twice"),
        ({"fields": [{"key": "a", "label": "b"}]}, "There is no key fields.0.label; fields.0 takes key, "),
        ({"fields": [{"key": "a", "type": "colour"}]}, "fields.0.type: "),
        ({"fields": [{"key": "a", "aliases": ["x" * 81]}]}, "fields.0.aliases.0: "),
        ({"fields": [{"key": f"a{n}"} for n in range(201)]}, "fields: "),
        ({"fields": [{"key": "a"}], "review_below": 1.5}, "review_below: "),
        ({"fields": [{"key": "a"}], "groups": [{"key": "g", "fields": []}]}, "groups.0.fields: "),
        ({"fields": [{"key": "a", "patterns": ["(?P<value>"]}]}, "fields.0.patterns: "),
        ({"fields": [{"key": "a", "patterns": ["x"]}]}, "has no group named value"),
        ({"fields": [{"key": "a", "patterns": ["(?P<value>{MONEY})"]}]}, "{MONEY}, which stands for nothing"),
        ({"doc_type": "note", "fields": [{"key": "a"}]}, "There is no key doc_type; the body takes "),
        ([], "should be an object"),
    ],
)
def test_a_definition_that_is_not_one_is_refused_with_the_place(definition: object, place: str) -> None:
    assert place in refusal(definition)


@pytest.mark.parametrize(
    "bomb",
    ["(?P<value>(?:(?:a{1000}){1000}){1000})", "(?P<value>(?:(?:a{500,}){500,}))", "(?P<value>a{99999})"],
)
def test_a_pattern_that_is_costly_to_compile_is_refused(bomb: str) -> None:
    assert "repeats too often" in refusal({"fields": [{"key": "a", "patterns": [bomb]}]})


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(?x)(?P<value>a{1 0 0 0 0 0 0 0 0})", "repeats too often"),
        ("(?x)(?P<value>a{1 0 0})", "has a brace that is no count"),
        ("(?P<value>{e})", "has a brace that is no count"),
        ("(?P<value>(?:total){e<=3})", "has a brace that is no count"),
        ("(?P<value>(?:total amount due){i<=5,d<=5,s<=5,e<=9})", "has a brace that is no count"),
        ("(?P<value>a){", "has a brace that is no count"),
        (r"(?P<value>\\{e})", "has a brace that is no count"),
        ("(?P<value>(?:a+)+$)", "takes more than 0.5 s to search a page"),
        (r"(?P<value>(?<=a+)b)", "is not a regular expression"),
        ("a(?#(?P<value>)", "has no group named value"),
        (f"(?P<value>(?:{'{PLACE}' * 8}){{13}})", "repeats too often"),
    ],
)
@pytest.mark.parametrize("name", ["patterns", "rejects"])
def test_a_pattern_that_would_fail_or_exhaust_later_is_refused(name: str, pattern: str, why: str) -> None:
    detail = refusal({"fields": [{"key": "a", name: [pattern]}]})

    assert why in detail
    assert repr(pattern) in detail


def test_patterns_that_need_a_brace_or_much_are_taken() -> None:
    patterns = [r"(?P<value>\{e\})", "[a-z]{2,5} (?P<value>{DATE})", r"(?ix) no \s* (?P<value> \d{3,} )"]

    assert (
        put(Tenant.create("greaves"), "note", {"fields": [{"key": "a", "patterns": patterns}]}).status == 201
    )


def test_a_pattern_that_was_kept_before_it_could_be_tried_costs_its_field_alone() -> None:
    assert Matcher().find("(?P<value>{e})", "text") == []
    assert [match["value"] for match in Matcher().find("(?P<value>t)", "text", most=9)] == ["t", "t"]


PIECES = [
    "(?P<value>", "(?:", "(?=", "(?<!", "(?>", ")", "[", "]", "[^", "|", "*", "+", "?", "*+", "{2}", "{,3}",
    "{2,}", "{e}", "{e<=2}", "{i,d<3}", "{1 0}", "{ 2 }", "{", "}", "\\{", "\\", "\\d", "\\b", "\\w+", "\\1",
    "(?x)", "(?i)", "(?s-i:", "^", "$", ".", ".*", "a", "b", " ", "#", "\n", "{DATE}", "{PLACE}", "{NAME}",
    "a{99}", "(a*)*", "(?P=value)", "é", "\0",
]  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=12).map("".join))
def test_what_is_accepted_compiles_and_searches_within_its_limits(text: str) -> None:
    pattern = f"(?P<value>{text})"
    try:
        definition = SchemaDefinition.model_validate({"fields": [{"key": "a", "patterns": [pattern]}]})
        catalogue._try_patterns(definition)
    except (ValidationError, BadRequestError):
        return

    begun = time.monotonic()
    compiled(pattern)
    for page in ("a" * 20_000 + "b", "On 14 May 2018 in New York, {e} a\n" * 300):
        Matcher().find(pattern, page, most=1000)
    assert time.monotonic() - begun < 5


def test_a_type_over_64_kb_is_refused() -> None:
    fields = [{"key": f"a{n}", "description": "x" * 400} for n in range(200)]
    assert refusal({"fields": fields}) == "A document type has at most 64 KB; this one has more."


@pytest.mark.parametrize("name", ["Delivery-Note", "1st", "x" * 65, "note "])
def test_a_name_that_is_not_one_is_refused(name: str) -> None:
    assert refusal(NOTE, name).startswith("A docType is 1 to 64 lower case letters")


def test_an_organisation_has_at_most_a_hundred_types(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "MAX_TYPES", 2)
    tenant = Tenant.create("greaves")
    put(tenant, "one", NOTE)
    put(tenant, "two", NOTE)

    refused = put(tenant, "three", NOTE)

    assert (refused.status, refused.json["error"]) == (409, "too_many_schemas")
    assert put(tenant, "two", NOTE).status == 200


def test_a_type_that_this_version_cannot_use_does_not_stop_the_others() -> None:
    from alma.storage.items.document_types import SchemaItem

    tenant = Tenant.create("greaves")
    put(tenant, "note", NOTE)
    SchemaItem(
        "greaves", "schema#old", doc_type="old", definition='{"was": "fine once"}', updated_at="x"
    ).save()

    assert "note" in catalogue.schemas_of("greaves")
    assert "old" not in catalogue.schemas_of("greaves")


def test_the_command_sends_lists_prints_and_removes_a_type(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tenant = Tenant.create("greaves")
    monkeypatch.setenv("ALMA_API_URL", "http://alma.test")
    monkeypatch.setenv("ALMA_API_KEY", "alma_x")

    def call(_: Client, method: str, path: str, body: object = None) -> Any:
        name = path.removeprefix("/schemas").strip("/")
        resource = "/v1/schemas/{docType}" if name else "/v1/schemas"
        answer = tenant.call("schemas", method, resource, path={"docType": name}, body=body)
        assert answer.status < 300
        return answer.json if answer.body else {}

    monkeypatch.setattr(Client, "call", call)
    file = tmp_path / "note.json"
    file.write_text(json.dumps(NOTE))

    assert main(["schema", "put", "delivery_note", str(file)]) == 0
    capsys.readouterr()
    assert main(["schema", "get", "delivery_note"]) == 0
    assert json.loads(capsys.readouterr().out) == NOTE
    assert main(["schema", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["schemas"]
    assert "delivery_note" in [each["docType"] for each in listed]
    assert main(["schema", "delete", "delivery_note"]) == 0
    assert get(tenant, "delivery_note").status == 404
    file.write_text("{")
    assert main(["schema", "put", "delivery_note", str(file)]) == 1
    assert "is not JSON" in capsys.readouterr().err

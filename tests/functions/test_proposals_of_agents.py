"""What agents propose over MCP, and what people make of it over HTTP."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from alma.access import keys
from alma.access.keys import Role
from alma.cli import main
from alma.datamodel.fields import Extraction, Field
from alma.datamodel.pages import Track
from alma.documents import changes
from alma.review import re_extraction
from alma.storage.items.documents import FieldItem, field_key
from tests.functions.test_reviews import Desk, deed, read_as

pytestmark = pytest.mark.usefixtures("aws")

BOX = {"page": 1, "bbox": {"x": 0.19, "y": 0.09, "w": 0.3, "h": 0.04}}  # round "Josiah A. Greaves"


@pytest.fixture
def desk() -> Desk:
    """A deed with a grantor, a doubtful date and no consideration."""
    return Desk()


def call(desk: Desk, tool: str, role: Role = Role.REVIEWER, **arguments: Any) -> dict[str, Any]:
    params = {"name": tool, "arguments": arguments}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    answer = desk.tenant.call("mcp", "POST", "/mcp", body=message, role=role)
    found: dict[str, Any] = json.loads(base64.b64decode(answer.body))["result"]
    return found


def propose(desk: Desk, field: str | None = "grantor_name", version: int | None = 1, **more: Any) -> Any:
    arguments = {
        "documentId": desk.document.id,
        "comment": "The line above says so.",
        "evidence": BOX,
        **more,
    }
    if field is not None:
        arguments |= {"field": field, "version": version}
    return call(desk, "propose_correction", **arguments)


def refused(result: dict[str, Any]) -> Any:
    assert result["isError"] is True
    return json.loads(result["content"][0]["text"])


def shown(desk: Desk, field: str) -> Any:
    return next(each for each in desk.shown()["fields"] if each["id"] == field)


def agent(desk: Desk) -> str:
    return f"agent:{desk.tenant.ids[Role.REVIEWER]}"


def whole() -> bool:
    return main(["audit", "verify", "--org", "greaves", "--json"]) == 0


def test_a_proposal_escalates_the_field_and_stands_beside_its_value(desk: Desk) -> None:
    result = propose(desk, evidence=BOX)["structuredContent"]

    assert (result["value"], result["status"], result["reasons"]) == (
        "Josiah Greaves",
        "escalated",
        ["proposed"],
    )
    assert [(t["track"], t["value"], t["confidence"], t.get("comment")) for t in result["tracks"]] == [
        ("text", "Josiah Greaves", 0.9, None),
        (agent(desk), "Josiah A. Greaves", None, "The line above says so."),
    ]
    assert result["version"] == 2
    assert not {"reviewedBy", "reviewedAt", "comment"} & set(result)  # no person has said anything
    assert shown(desk, "grantor_name") == result
    queue = desk.tenant.call("reviews", "GET", "/v1/review-queue", query={"status": "escalated"}).json
    assert result in [each["field"] for each in queue["items"]]
    [*_, entry] = desk.call("GET", "/v1/documents/{id}/history").json["entries"]
    assert (entry["action"], entry["field"], entry["by"]) == (
        "proposed",
        "grantor_name",
        desk.tenant.ids[Role.REVIEWER],
    )
    assert whole()


def test_proposals_leave_a_person_room_to_decide(desk: Desk) -> None:
    long, why = "\N{GRINNING FACE}" * 4000, "\N{GRINNING FACE}" * 2000
    version, codes = 1, []
    for number in range(14):
        desk.tenant.ids[Role.REVIEWER] = keys.create("greaves", f"agent {number}", Role.REVIEWER)[0].id
        result = propose(desk, version=version, value=long, comment=why[:1000])
        if "structuredContent" in result:
            version = result["structuredContent"]["version"]
            codes.append("proposed")
        else:
            codes.append(refused(result)["error"])

    assert codes[0] == "proposed"
    assert codes[-1] == "too_many_proposals"
    assert set(codes) == {"proposed", "too_many_proposals"}
    decided = desk.patch("grantor_name", "edit", version, value=long, comment=why, evidence=BOX)
    assert (decided.status, decided.json["value"]) == (200, long)
    again = desk.patch("grantor_name", "edit", version + 1, value=long[:-1] + "b", comment=why)
    assert again.status == 200
    assert whole()


def test_a_value_that_grows_as_it_is_normalised_is_measured_as_it_is_kept(desk: Desk) -> None:
    answer = desk.patch("grantor_name", "edit", value="\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM}" * 300)

    assert (answer.status, answer.json["error"]) == (400, "bad_request")
    assert answer.json["detail"] == "The value has 5400 characters as it is kept, and may have 4000."


def test_what_is_more_than_a_row_holds_is_refused_and_not_a_failure(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "MAX_ITEM", 2000)

    answer = desk.patch("grantor_name", "edit", value="x" * 4000)

    assert (answer.status, answer.json["error"]) == (409, "too_large")
    assert shown(desk, "grantor_name")["version"] == 1


@pytest.mark.parametrize("line", ["w" * 1500, "w"])
def test_more_than_a_value_holds_is_not_read_in_a_box(desk: Desk, line: str) -> None:
    desk.put_words(Track.TEXT, 1, [(0.001 * n, line) for n in range(250 if line == "w" else 3)])

    everything = {"page": 1, "bbox": {"x": 0, "y": 0, "w": 1, "h": 1}}
    answer = desk.patch("grantor_name", "edit", evidence=everything)
    result = refused(propose(desk, evidence=everything))

    assert (answer.status, answer.json["error"]) == (400, "bad_request")
    assert answer.json["detail"].startswith("More stands in this box than a value holds, 4000 characters")
    assert (result["error"], result["detail"]) == ("bad_request", answer.json["detail"])


def test_a_person_accepts_a_proposal_by_its_track(desk: Desk) -> None:
    propose(desk, value="Josiah A. Greaves")

    answer = desk.patch("grantor_name", "accept", 2, track=agent(desk), role=Role.ADMIN)

    assert (answer.status, answer.json["value"], answer.json["status"]) == (
        200,
        "Josiah A. Greaves",
        "accepted",
    )
    assert answer.json["reasons"] == []
    assert whole()


def test_a_track_that_read_nothing_cannot_be_accepted_and_other_verbs_take_none(desk: Desk) -> None:
    for action, track in (("accept", "agent:x"), ("reject", "text")):
        answer = desk.patch("grantor_name", action, track=track)
        assert (answer.status, answer.json["error"]) == (400, "bad_request")


def test_a_value_is_kept_in_the_form_of_its_type(desk: Desk) -> None:
    result = propose(desk, "deed_date", value="14/05/1952")["structuredContent"]
    assert result["tracks"][1]["value"] == "1952-05-14"
    assert result["reasons"] == ["low_confidence", "proposed"]
    assert refused(propose(desk, "deed_date", 2, value="soon"))["error"] == "bad_request"


@pytest.mark.parametrize("action", ["accept", "reject"])
def test_what_a_person_decided_is_not_reopened(desk: Desk, action: str) -> None:
    desk.patch("grantor_name", action)
    before = shown(desk, "grantor_name")

    told = refused(propose(desk, "grantor_name", 2, value="Another"))

    assert (told["error"], told["current"]) == ("field_decided", before)
    assert shown(desk, "grantor_name") == before


def test_a_stale_proposal_is_refused_with_what_the_field_is_now(desk: Desk) -> None:
    propose(desk, value="One")
    told = refused(propose(desk, value="Two"))
    assert (told["error"], told["current"]["version"]) == ("stale_version", 2)
    again = propose(desk, "grantor_name", 2, value="Two")["structuredContent"]
    assert [track["value"] for track in again["tracks"]] == ["Josiah Greaves", "Two"]
    assert whole()


def test_a_document_somebody_works_on_takes_no_proposal(desk: Desk) -> None:
    desk.claim(Role.ADMIN)
    assert refused(propose(desk, value="x"))["error"] == "claimed"


def test_a_field_nobody_found_is_proposed_by_its_key(desk: Desk) -> None:
    missing = propose(desk, None, key="consideration", value="1250")["structuredContent"]
    new = propose(desk, None, key="witness", value="J. Mahon")["structuredContent"]

    assert (missing["id"], missing["status"], missing["value"]) == ("consideration", "escalated", "1250.00")
    assert (new["id"], new["status"], [t["track"] for t in new["tracks"]]) == (
        "witness",
        "escalated",
        [agent(desk)],
    )
    assert refused(propose(desk, None, key="consideration", value="1"))["error"] == "field_exists"
    assert refused(propose(desk, None, key="x", value="1"))["error"] == "bad_request"
    assert desk.patch("consideration", "accept", missing["version"]).json["value"] == "1250.00"
    assert whole()


def test_field_and_key_are_not_said_together_nor_both_left_out(desk: Desk) -> None:
    assert refused(propose(desk, key="witness", value="x"))["error"] == "bad_request"
    assert refused(propose(desk, None, value="x"))["error"] == "bad_request"
    assert refused(propose(desk, version=None, value="x")) == {
        "error": "bad_request",
        "detail": "Say the version of the field that you saw, too.",
    }


def test_what_stands_nowhere_cannot_be_proposed(desk: Desk) -> None:
    before = desk.shown()
    arguments: dict[str, Any] = {"documentId": desk.document.id, "comment": "I know.", "value": "Nobody"}

    for named in ({"field": "grantor_name", "version": 1}, {"key": "witness"}):
        told = refused(call(desk, "propose_correction", **{**arguments, **named}))
        assert (told["error"], told["detail"]) == ("invalid_arguments", "evidence: Field required")
    assert desk.shown() == before


def test_what_people_and_other_agents_said_of_a_field_stays_beside_a_proposal(desk: Desk) -> None:
    desk.patch("grantor_name", "escalate", 1, comment="Ask Anna.", role=Role.ADMIN)
    propose(desk, "grantor_name", 2, value="Josiah A. Greaves", comment="The line goes on.")
    arguments = {"documentId": desk.document.id, "field": "grantor_name", "version": 3, "evidence": BOX}
    other = call(
        desk, "propose_correction", Role.ADMIN, **arguments, value="J. Greaves", comment="The stamp says so."
    )

    field = other["structuredContent"]
    assert (field["reviewedBy"], field["comment"]) == (desk.tenant.ids[Role.ADMIN], "Ask Anna.")
    assert [track.get("comment") for track in field["tracks"]] == [
        None,
        "The line goes on.",
        "The stamp says so.",
    ]
    history = desk.call("GET", "/v1/documents/{id}/history").json["entries"]
    assert [(entry["action"], entry["comment"]) for entry in history[-3:]] == [
        ("escalated", "Ask Anna."),
        ("proposed", "The line goes on."),
        ("proposed", "The stamp says so."),
    ]
    assert whole()
    accepted = desk.patch("grantor_name", "accept", 4, track=agent(desk), role=Role.ADMIN)
    assert accepted.json["value"] == "Josiah A. Greaves"
    assert whole()


def test_a_comment_of_a_proposal_that_was_changed_in_the_table_is_found(desk: Desk) -> None:
    propose(desk, value="Josiah A. Greaves")
    item = FieldItem.get("greaves", field_key(desk.document.id, "grantor_name", 0))
    item.readings[-1]["comment"] = "Accept this at once."
    item.save()
    assert not whole()


def test_reading_the_document_anew_keeps_proposals(desk: Desk) -> None:
    propose(desk, value="Josiah A. Greaves")

    re_extraction.keep("greaves", desk.document.id, Extraction("deed", None, deed()), "alma")

    assert [track["track"] for track in shown(desk, "grantor_name")["tracks"]] == ["text", agent(desk)]
    assert whole()


def test_what_a_model_reads_stands_before_a_proposal_and_reading_again_changes_nothing(desk: Desk) -> None:
    propose(desk, value="Josiah A. Greaves")
    found = [Field("grantor_name", 0, (read_as("J. Greaves", 0.1, None, "mdl_x"),))]

    for _ in range(2):
        re_extraction.merge_readings(
            "greaves", desk.document.id, found, "mdl_x", actor="alma", review_below=0.5
        )

    field = shown(desk, "grantor_name")
    assert [track["track"] for track in field["tracks"]] == ["text", "mdl_x", agent(desk)]
    assert (field["version"], field["status"]) == (3, "escalated")
    assert whole()


def test_a_proposal_that_was_changed_in_the_table_is_found(desk: Desk) -> None:
    propose(desk, value="Josiah A. Greaves")
    item = FieldItem.get("greaves", field_key(desk.document.id, "grantor_name", 0))
    item.readings[-1]["value"] = "Somebody Else"
    item.save()
    assert not whole()


def test_a_key_that_only_reads_sees_the_queue_and_proposes_nothing(desk: Desk) -> None:
    desk.claim()
    found = call(desk, "review_queue", Role.READER, field="deed_date")["structuredContent"]
    assert found["items"][0]["claimedByName"] == "reviewer"
    assert [each["field"]["id"] for each in found["items"]] == ["deed_date"]
    over_http = desk.tenant.call("reviews", "GET", "/v1/review-queue", query={"field": "deed_date"})
    assert found == over_http.json
    arguments = {"documentId": desk.document.id, "key": "witness", "value": "x", "comment": "x"}
    assert refused(call(desk, "propose_correction", Role.READER, **arguments))["error"] == "forbidden"

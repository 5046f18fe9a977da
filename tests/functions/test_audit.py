"""`alma audit verify` finds what somebody with the table in hand has changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from alma.cli import main
from alma.datamodel.fields import Extraction, Field, Status
from alma.documents import audit, deletion, intake, progress
from alma.review import re_extraction
from alma.settings import settings
from alma.storage.items.documents import (
    AuditItem,
    DocumentItem,
    FieldItem,
    audit_key,
    document_key,
    field_key,
)
from alma.storage.table import Item
from tests.cloud import Tenant, client
from tests.functions.test_reviews import Desk, again, read_as

pytestmark = pytest.mark.usefixtures("aws")

CUT_OFF = "a reading that was cut off looks like this, too: have the document read again, and it goes"

Verify = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def verify(capsys: pytest.CaptureFixture[str]) -> Verify:
    """Run the command; return its exit status and what it says."""

    def run(*options: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        status = main(["audit", "verify", "--json", *options])
        return status, json.loads(capsys.readouterr().out)

    return run


@pytest.fixture
def desk() -> Desk:
    """A document with a trail of four entries: extracted, accepted, edited, rejected."""
    desk = Desk()
    assert desk.patch("grantor_name", "accept", comment="clear").status == 200
    assert desk.patch("deed_date", "edit", value="1952-05-15").status == 200
    assert desk.patch("consideration", "reject").status == 200
    return desk


def entry(desk: Desk, sequence: int) -> AuditItem:
    return AuditItem.get("greaves", audit_key(desk.document.id, sequence))


def row(desk: Desk) -> DocumentItem:
    return DocumentItem.get("greaves", document_key(desk.document.id))


def field(desk: Desk, key: str) -> FieldItem:
    return FieldItem.get("greaves", field_key(desk.document.id, key, 0))


def said(answer: tuple[int, dict[str, Any]]) -> list[tuple[int | None, str]]:
    """Return what is wrong, by entry."""
    status, report = answer
    assert status == (1 if report["problems"] else 0)
    return [(problem["entry"], problem["what"]) for problem in report["problems"]]


def test_what_nobody_touched_is_whole(desk: Desk, verify: Verify) -> None:
    desk.add("witness", value="Ann")
    desk.patch("grantor_name", "escalate", version=2)
    Tenant.create("empty")

    assert verify() == (0, {"documents": 1, "entries": 6, "problems": []})
    assert verify("--org", "greaves")[0] == 0


def test_a_changed_row_of_the_trail_is_found(desk: Desk, verify: Verify) -> None:
    entry(desk, 3).update(actions=[AuditItem.actor.set("key_other")])

    assert said(verify()) == [(3, "it was changed, or stands where it was not written")]


@pytest.mark.parametrize("attribute", ["at", "action", "subject", "previous", "digest", "content_digest"])
def test_every_attribute_of_an_entry_is_covered(desk: Desk, verify: Verify, attribute: str) -> None:
    value = "accepted" if attribute == "action" else "x"
    entry(desk, 3).update(actions=[getattr(AuditItem, attribute).set(value)])

    assert (3, "it was changed, or stands where it was not written") in said(verify())


def test_changed_content_is_found(desk: Desk, verify: Verify) -> None:
    changed = entry(desk, 3)
    changed.update(actions=[AuditItem.content.set(str(changed.content).replace("05-15", "05-16"))])

    assert said(verify()) == [(3, "its content was changed")]


def test_removed_content_is_found(desk: Desk, verify: Verify) -> None:
    entry(desk, 2).update(actions=[AuditItem.content.remove()])

    assert said(verify()) == [(2, "its content was removed, and the document was not deleted")]


def test_a_missing_row_is_found(desk: Desk, verify: Verify) -> None:
    entry(desk, 2).delete()

    assert said(verify()) == [(3, "entry 2 is missing before it")]


def test_swapped_rows_are_found(desk: Desk, verify: Verify) -> None:
    second, third = entry(desk, 2), entry(desk, 3)
    second.sk, third.sk = third.sk, second.sk
    second.save()
    third.save()

    found = said(verify())

    assert {sequence for sequence, _ in found} >= {2, 3}
    assert found[0] == (2, "it was changed, or stands where it was not written")


def test_an_end_that_was_cut_off_is_found(desk: Desk, verify: Verify) -> None:
    entry(desk, 4).delete()

    assert said(verify()) == [(None, "its trail ends at entry 3, and 4 were written: the end was cut off")]


def test_an_inserted_row_is_found_though_its_digest_is_right(desk: Desk, verify: Verify) -> None:
    forged = audit.next_item(row(desk), "key_other", audit.Event(audit.Action.ACCEPTED, "consideration"))
    forged.save()

    assert said(verify()) == [(5, "it was put there later: 4 were written")]


def test_a_row_that_is_no_entry_is_found(desk: Desk, verify: Verify) -> None:
    stray = entry(desk, 4)
    stray.sk += "b"
    stray.save()

    assert said(verify()) == [(None, f"{stray.sk} is no row of it")]


def test_an_entry_that_was_written_anew_breaks_the_chain_behind_it(desk: Desk, verify: Verify) -> None:
    forged = entry(desk, 2)
    forged.actor = "key_other"
    forged.digest = audit.digest_of(forged)
    forged.save()

    assert said(verify()) == [
        (3, "it does not follow the entry before it: one of the two was put there later")
    ]


def test_a_last_entry_that_was_written_anew_is_not_the_one_the_document_names(
    desk: Desk, verify: Verify
) -> None:
    forged = entry(desk, 4)
    forged.actor = "key_other"
    forged.digest = audit.digest_of(forged)
    forged.save()

    assert said(verify()) == [(4, "it is not the entry that the document's row names as the last")]


def test_a_trail_that_was_removed_with_its_count_is_found(desk: Desk, verify: Verify) -> None:
    for sequence in range(1, 5):
        entry(desk, sequence).delete()
    row(desk).update(actions=[DocumentItem.audit_count.set(0), DocumentItem.audit_head.remove()])

    assert said(verify()) == [(None, "it has no trail")]


@pytest.mark.parametrize(
    ("key", "change", "problem"),
    [
        ("grantor_name", {"status": "rejected"}, (2, "field grantor_name is not what it made of it")),
        ("grantor_name", {"reviewed_by": "key_x"}, (2, "field grantor_name is not what it made of it")),
        ("grantor_name", {"comment": "other"}, (2, "field grantor_name is not what it made of it")),
        ("consideration", {"status": "unreviewed"}, (4, "field consideration is not what it made of it")),
    ],
)
def test_a_field_that_was_changed_behind_the_trails_back_is_found(
    desk: Desk, verify: Verify, key: str, change: dict[str, str], problem: tuple[int, str]
) -> None:
    field(desk, key).update(actions=[getattr(FieldItem, name).set(to) for name, to in change.items()])

    assert problem in said(verify())


@pytest.mark.parametrize("part", ["value", "place"])
def test_a_reviewed_value_or_place_that_was_changed_is_found(desk: Desk, verify: Verify, part: str) -> None:
    changed = field(desk, "deed_date")
    reviewed = dict(changed.reviewed)
    if part == "value":
        reviewed["value"] = "1999-01-01"
    else:
        reviewed["regions"] = [{"page": 2, "bbox": {"x": 0, "y": 0, "w": 1, "h": 1}}]
    changed.update(actions=[FieldItem.reviewed.set(reviewed)])

    assert said(verify()) == [(3, "field deed_date is not what it made of it")]


def test_a_decision_that_no_entry_tells_of_is_found(verify: Verify) -> None:
    desk = Desk()
    forged = field(desk, "deed_date")
    forged.update(actions=[FieldItem.status.set("rejected"), FieldItem.reviewed_by.set("key_x")])

    assert said(verify()) == [(None, "field deed_date is rejected, and no entry says who decided that")]


def test_a_reading_that_was_changed_is_found(desk: Desk, verify: Verify) -> None:
    changed = field(desk, "grantor_name")
    changed.update(actions=[FieldItem.readings.set([{**changed.readings[0], "value": "x"}])])

    assert said(verify()) == [(1, f"what was read then is not what the fields hold; {CUT_OFF}")]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            {"status": "unreviewed"},
            (None, "field deed_date is not in the place of the review queue that it should have"),
        ),
        ({"reasons": ["tracks_disagree"]}, (1, f"what was read then is not what the fields hold; {CUT_OFF}")),
        ({"version": 9}, (1, f"what was read then is not what the fields hold; {CUT_OFF}")),
        ({"comment": "x"}, (None, "field deed_date has a comment or a date, and no entry says whose")),
        (
            {"review_key": "stranger"},
            (None, "field deed_date is not in the place of the review queue that it should have"),
        ),
        (
            {"review_rank": "1#0.990000#000000000001#deed_date#00000"},
            (None, "field deed_date is not in the place of the review queue that it should have"),
        ),
        (
            {"doc_type": "invoice"},
            (None, "field deed_date is not in the place of the review queue that it should have"),
        ),
    ],
)
def test_an_undecided_field_that_was_changed_is_found(
    verify: Verify, change: dict[str, Any], problem: tuple[int | None, str]
) -> None:
    desk = Desk()
    desk.patch("grantor_name", "accept")
    field(desk, "deed_date").update(actions=[getattr(FieldItem, name).set(to) for name, to in change.items()])

    assert said(verify()) == [problem]


def test_an_undecided_field_that_is_gone_is_found(verify: Verify) -> None:
    desk = Desk()
    desk.add("witness", value="Ann")
    field(desk, "consideration").delete()

    assert said(verify()) == [(1, f"it left 3 fields, and 2 of them are there; {CUT_OFF}")]


def test_a_version_that_was_set_back_is_found(desk: Desk, verify: Verify) -> None:
    field(desk, "grantor_name").update(actions=[FieldItem.version.set(1)])

    assert said(verify()) == [(2, f"field grantor_name was written since, and no entry says so; {CUT_OFF}")]


def test_a_field_that_hides_behind_another_is_found(desk: Desk, verify: Verify) -> None:
    forged = field(desk, "grantor_name")
    forged.sk = document_key(desk.document.id) + "#field#a"
    forged.save()

    assert said(verify()) == [(None, "document#000000000001#field#a is no row of it")]


@pytest.mark.parametrize(
    ("actions", "problems"),
    [
        (
            [DocumentItem.doc_type.set("invoice"), DocumentItem.type_key.set("greaves#invoice")],
            [(1, "the document is of type deed since, and its row says invoice")],
        ),
        (
            [DocumentItem.status.set("failed"), DocumentItem.status_key.set("greaves#failed")],
            [(1, "the document is ready since, and its row says failed")],
        ),
        (
            [DocumentItem.status.remove()],
            [
                (1, "the document is ready since, and its row says nothing"),
                (None, "it is not listed by its number, status and type"),
            ],
        ),
        (
            [DocumentItem.type_key.set("greaves#invoice")],
            [(None, "it is not listed by its number, status and type")],
        ),
    ],
)
def test_a_document_whose_row_is_not_what_its_trail_made_of_it_is_found(
    desk: Desk, verify: Verify, actions: list[Any], problems: list[tuple[int | None, str]]
) -> None:
    row(desk).update(actions=actions)

    assert said(verify()) == problems


def test_what_is_read_and_decided_in_turn_stays_whole(
    desk: Desk, verify: Verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.add("witness", value="Ann")
    found = [
        Field("grantor_name", 0, (read_as("J. Greaves"),)),
        Field(
            "deed_date", 0, (read_as("1952-05-16", 0.2, 0.3),), Status.ESCALATED, reasons=("low_confidence",)
        ),
        Field("witness", 0, (read_as("Bo", 0.5),)),
    ]
    again(desk, monkeypatch, found)
    desk.patch("witness[1]", "accept", version=desk.fields()["witness[1]"]["version"])
    desk.patch("deed_date", "escalate", version=desk.fields()["deed_date"]["version"], comment="smudged")
    desk.patch("witness[1]", "reject", version=desk.fields()["witness[1]"]["version"])
    assert said(verify()) == []

    sure = [Field("witness", 1, (read_as("Bo", 0.5, 0.99, "mdl_a"),))]
    re_extraction.merge_readings("greaves", desk.document.id, sure, "mdl_a", actor="key_x", review_below=0.5)
    desk.patch("grantor_name", "reject", version=desk.fields()["grantor_name"]["version"])
    again(desk, monkeypatch, found[:1], "contract")
    failed = intake.announce("greaves", "broken.pdf")
    progress.fail(failed, "damaged_file", "x")

    assert said(verify()) == []


def test_a_reading_that_was_cut_off_heals_when_the_document_is_read_again(
    verify: Verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object, **__: object) -> None:
        raise RuntimeError

    def rows(prefix: str) -> list[Field]:
        return [Field("parcels.name", n, (read_as(f"{prefix}{n}", n / 400, None),)) for n in range(150)]

    desk = Desk(rows("a"))
    desk.patch("parcels[2].name", "accept")
    with monkeypatch.context() as patched:
        patched.setattr("pynamodb.transactions.TransactWrite.update", crash)
        with pytest.raises(RuntimeError):
            re_extraction.keep("greaves", desk.document.id, Extraction("deed", None, rows("b")), "key_x")
    assert said(verify()) == [
        (2, f"field parcels[2].name was written since, and no entry says so; {CUT_OFF}")
    ]

    again(desk, monkeypatch, rows("b"))

    assert said(verify()) == []


@pytest.mark.parametrize(
    "action",
    [FieldItem.status.set("bogus"), FieldItem.readings.set([{"track": "x"}]), FieldItem.occurrence.remove()],
)
def test_a_field_that_cannot_be_read_does_not_keep_the_others_from_being_checked(
    desk: Desk, verify: Verify, action: Any
) -> None:
    field(desk, "deed_date").update(actions=[action])
    other = intake.announce("greaves", "other.pdf")
    progress.fail(other, "damaged_file", "x")
    DocumentItem.get("greaves", document_key(other.id)).update(actions=[DocumentItem.verified.set(7)])

    assert said(verify()) == [
        (None, "its row document#000000000001#field#deed_date#00000 cannot be read"),
        (None, "0 of its fields are verified, and its row says 7"),
    ]


def test_a_row_of_no_known_kind_is_found(desk: Desk, verify: Verify) -> None:
    client("dynamodb").update_item(
        TableName=settings().table,
        Key={"pk": {"S": "greaves"}, "sk": {"S": document_key(desk.document.id)}},
        UpdateExpression="SET kind = :kind",
        ExpressionAttributeValues={":kind": {"S": "x"}},
    )

    assert said(verify()) == [(None, "its row document#000000000001 cannot be read")]


def test_a_row_of_no_document_is_found_by_its_key(
    desk: Desk, verify: Verify, capsys: pytest.CaptureFixture[str]
) -> None:
    stray = entry(desk, 4)
    stray.sk = "audit#zz"
    stray.save()

    assert said(verify()) == [(None, "audit#zz is no row of a document")]
    assert main(["audit", "verify"]) == 1
    assert capsys.readouterr().out.splitlines()[0] == "greaves: audit#zz is no row of a document"


def test_a_decided_field_that_is_gone_is_found(desk: Desk, verify: Verify) -> None:
    field(desk, "consideration").delete()

    assert said(verify()) == [(4, "field consideration, which it decides, is gone")]


def test_a_wrong_count_of_verified_fields_is_found(desk: Desk, verify: Verify) -> None:
    row(desk).update(actions=[DocumentItem.verified.set(7)])

    assert said(verify()) == [(None, "2 of its fields are verified, and its row says 7")]


def test_a_deleted_document_keeps_a_whole_chain_without_content(desk: Desk, verify: Verify) -> None:
    deletion.delete("greaves", desk.document.id, actor="key_x")

    assert verify() == (0, {"documents": 1, "entries": 5, "problems": []})
    assert [entry(desk, n).content for n in range(1, 6)] == [None] * 5


def test_a_document_that_is_gone_without_an_end_of_its_trail_is_found(desk: Desk, verify: Verify) -> None:
    row(desk).delete()

    assert said(verify()) == [(None, "its row is gone, and no entry says that it was deleted")]


def test_a_deletion_that_is_cut_off_can_be_done_again(
    desk: Desk, verify: Verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(audit, "erase", crash)
        with pytest.raises(RuntimeError):
            deletion.delete("greaves", desk.document.id)

    assert said(verify()) == [(None, "its deletion was not finished; remove it again")]

    deletion.delete("greaves", desk.document.id)

    assert verify()[0] == 0


def rewrite(desk: Desk) -> None:
    """Forge an entry and everything after it, the document's row included."""
    previous = entry(desk, 1).digest
    for sequence in range(2, 6):
        forged = entry(desk, sequence)
        forged.at, forged.previous = "2020-01-01T00:00:00Z", previous
        forged.digest = previous = audit.digest_of(forged)
        forged.save()
        if forged.subject is not None:
            field(desk, forged.subject).update(actions=[FieldItem.reviewed_at.set(forged.at)])
    row(desk).update(actions=[DocumentItem.audit_head.set(previous)])


def test_a_chain_that_was_written_anew_as_a_whole_is_found_by_heads_saved_earlier(
    desk: Desk, verify: Verify, tmp_path: Path
) -> None:
    heads = tmp_path / "heads.json"
    assert verify("--save", str(heads))[0] == 0
    assert json.loads(heads.read_text()) == {"greaves": {"1": [4, entry(desk, 4).digest]}}
    desk.patch("grantor_name", "reject", version=2)
    assert verify("--against", str(heads))[0] == 0
    rewrite(desk)

    assert verify()[0] == 0
    assert said(verify("--against", str(heads))) == [
        (4, "it is not the entry of the saved heads: the trail was written anew since")
    ]


def test_a_trail_that_is_gone_altogether_is_found_by_heads_saved_earlier(
    desk: Desk, verify: Verify, tmp_path: Path
) -> None:
    heads = tmp_path / "heads.json"
    verify("--save", str(heads))
    with Item.batch_write() as batch:
        for item in Item.query("greaves"):
            batch.delete(item)

    assert verify()[0] == 0
    assert said(verify("--against", str(heads))) == [
        (None, "its trail was here when heads were saved, and is gone")
    ]


def test_heads_are_not_saved_over_good_ones_while_there_are_problems(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heads = tmp_path / "heads.json"
    main(["audit", "verify", "--save", str(heads)])
    good = heads.read_text()
    desk.patch("grantor_name", "reject", version=2)
    rewrite(desk)
    capsys.readouterr()

    assert main(["audit", "verify", "--against", str(heads), "--save", str(heads), "--force"]) == 1

    assert heads.read_text() == good
    assert capsys.readouterr().err == f"alma: nothing is saved to {heads}: there are problems\n"
    assert main(["audit", "verify", "--against", str(heads)]) == 1


def test_heads_are_saved_over_earlier_ones_if_that_is_said(
    desk: Desk, verify: Verify, tmp_path: Path
) -> None:
    heads = tmp_path / "heads.json"
    assert verify("--save", str(heads))[0] == 0
    before = heads.read_text()
    desk.patch("grantor_name", "reject", version=2)

    status, told = verify("--save", str(heads))
    assert (status, told["error"]) == (1, "file_exists")
    assert heads.read_text() == before

    assert verify("--save", str(heads), "--force")[0] == 0
    assert json.loads(heads.read_text()) == {"greaves": {"1": [5, entry(desk, 5).digest]}}


def test_heads_that_are_none_are_refused(verify: Verify, tmp_path: Path) -> None:
    heads = tmp_path / "heads.json"
    heads.write_text('{"greaves": [1]}')

    status, report = verify("--against", str(heads))

    assert (status, report["error"]) == (1, "bad_request")


def test_for_people_a_problem_is_a_line(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    entry(desk, 2).delete()

    assert main(["audit", "verify"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "greaves, document 1, entry 3: entry 2 is missing before it",
        "3 entries of 1 documents checked, 1 problems",
    ]

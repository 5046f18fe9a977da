"""Reading again never takes back what a person said."""

from dataclasses import replace

from alma.datamodel.fields import Field, Reading, Status
from alma.datamodel.geometry import Box, Region
from alma.datamodel.schemas import DocumentSchema, FieldSchema
from alma.review import merging

SCHEMA = DocumentSchema(
    doc_type="note",
    fields=(FieldSchema(key="number", required=True), FieldSchema(key="party", repeated=True)),
)


def reading(value: str, y: float = 0.1, track: str = "text", confidence: float | None = 0.9) -> Reading:
    return Reading(track, value, value, confidence, (Region(1, Box(0.1, y, 0.2, 0.02)),))


def field(key: str, occurrence: int, *readings: Reading, status: Status = Status.UNREVIEWED) -> Field:
    decided = status.decided or None
    verified = readings[0] if status.verified and readings else None
    return Field(
        key, occurrence, readings, status, reviewed=verified, reviewed_by=decided and "key_a", version=3
    )


def shown(fields: list[Field]) -> list[tuple[str, str, str | None]]:
    return [(f.id, f.status.value, None if f.missing else f.best.value) for f in fields]


def again(existing: list[Field], found: list[Field]) -> list[tuple[str, str, str | None]]:
    merged = merging.merge_re_extraction(existing, found, SCHEMA)
    assert merging.merge_re_extraction(merged, found, SCHEMA) == merged  # twice changes nothing
    return shown(merged)


def test_a_decided_field_keeps_the_decision_and_gets_the_new_readings() -> None:
    [merged] = merging.merge_re_extraction(
        [field("number", 0, reading("7"), status=Status.EDITED)], [field("number", 0, reading("1"))], SCHEMA
    )

    assert (merged.status, merged.best.value, merged.reviewed_by, merged.version) == (
        "edited",
        "7",
        "key_a",
        3,
    )
    assert [r.value for r in merged.readings] == ["1"]


def test_an_undecided_field_is_replaced_and_goes_when_it_is_not_found_any_more() -> None:
    existing = [field("number", 0, reading("7")), field("party", 0, reading("Ann"))]

    assert again(existing, [field("number", 0, reading("8"))]) == [("number", "unreviewed", "8")]


def test_a_decided_field_that_is_not_found_any_more_stays_with_its_old_readings() -> None:
    existing = [field("number", 0, reading("7"), status=Status.ACCEPTED)]
    missing = Field("number", 0, (), Status.ESCALATED, reasons=("required_missing",))

    assert again(existing, [missing]) == [("number", "accepted", "7")]
    assert merging.merge_re_extraction(existing, [missing], SCHEMA)[0].readings == existing[0].readings


def test_what_a_person_asked_to_be_looked_at_stays_escalated() -> None:
    asked = replace(field("number", 0, reading("7"), status=Status.ESCALATED), reviewed_by="key_a")

    assert again([asked], [field("number", 0, reading("7"))]) == [("number", "escalated", "7")]


def test_a_rejected_missing_field_stays_rejected() -> None:
    rejected = field("number", 0, status=Status.REJECTED)
    missing = Field("number", 0, (), Status.ESCALATED, reasons=("required_missing",))

    assert again([rejected], [missing]) == [("number", "rejected", None)]


def test_a_decided_occurrence_keeps_its_number_and_others_take_what_is_free() -> None:
    existing = [
        field("party", 0, reading("Ann", 0.1)),
        field("party", 1, reading("Bo", 0.2), status=Status.ACCEPTED),
    ]
    found = [
        field("party", 0, reading("Bo", 0.2)),
        field("party", 1, reading("Cy", 0.3)),
        field("party", 2, reading("Di", 0.4)),
    ]

    assert again(existing, found) == [
        ("party[1]", "accepted", "Bo"),
        ("party", "unreviewed", "Cy"),
        ("party[2]", "unreviewed", "Di"),
    ]


def test_a_corrected_value_is_found_again_by_its_place() -> None:
    wrong = reading("Amn", 0.1)
    existing = [replace(field("party", 0, wrong, status=Status.EDITED), reviewed=reading("Ann", 0.1))]

    assert again(existing, [field("party", 0, reading("Zed", 0.5)), field("party", 1, wrong)]) == [
        ("party[1]", "unreviewed", "Zed"),
        ("party", "edited", "Ann"),
    ]


def test_rows_of_a_group_are_found_again_by_their_place_though_values_repeat() -> None:
    def row(number: int, item: str, amount: str, y: float) -> list[Field]:
        return [
            field("goods.item", number, reading(item, y)),
            field("goods.amount", number, reading(amount, y)),
        ]

    existing = [*row(0, "Tea", "2", 0.1), *row(1, "Rum", "2", 0.2)]
    existing[3] = replace(existing[3], status=Status.EDITED, reviewed=reading("3", 0.2), reviewed_by="key_a")
    found = [*row(0, "Ale", "2", 0.05), *row(1, "Tea", "2", 0.1), *row(2, "Rum", "2", 0.2)]

    assert again(existing, found) == [
        ("goods[0].item", "unreviewed", "Ale"),
        ("goods[0].amount", "unreviewed", "2"),
        ("goods[2].item", "unreviewed", "Tea"),
        ("goods[2].amount", "unreviewed", "2"),
        ("goods[1].item", "unreviewed", "Rum"),
        ("goods[1].amount", "edited", "3"),
    ]


def test_a_field_added_by_hand_stays_beside_those_of_its_name() -> None:
    added = Field("party", 1, (), Status.EDITED, reading("Bo", 0.7), reviewed_by="key_a")
    found = [field("party", 0, reading("Ann")), field("number", 0, reading("7", 0.5))]

    assert again([field("party", 0, reading("Ann")), added], found) == [
        ("party", "unreviewed", "Ann"),
        ("party[1]", "edited", "Bo"),
        ("number", "unreviewed", "7"),
    ]


def further(existing: list[Field], found: list[Field]) -> list[Field]:
    merged = merging.merge_track(existing, found, "mdl_a", SCHEMA, 0.5)
    assert merging.merge_track(merged, found, "mdl_a", SCHEMA, 0.5) == merged
    return merged


def doubtful(*readings: Reading, reasons: tuple[str, ...]) -> Field:
    return Field("number", 0, readings, Status.ESCALATED, reasons=reasons)


def test_a_confident_model_settles_doubts_of_the_other_tracks() -> None:
    old = doubtful(
        reading("7", confidence=0.2),
        reading("1", track="vision", confidence=0.1),
        reasons=("low_confidence", "tracks_disagree"),
    )

    [merged] = further([old], [field("number", 0, reading("7", track="mdl_a", confidence=0.8))])

    assert (merged.status, merged.reasons) == ("unreviewed", ())
    assert [r.track for r in merged.readings] == ["mdl_a", "text", "vision"]


def test_a_model_that_knows_settles_an_unknown_confidence_and_one_that_does_not_know_leaves_it() -> None:
    old = doubtful(reading("7", confidence=None), reasons=("confidence_unknown",))

    [knowing] = further([old], [field("number", 0, reading("7", track="mdl_a", confidence=0.8))])
    [unsure] = further([old], [field("number", 0, reading("7", track="mdl_a", confidence=0.3))])
    [unknowing] = further([old], [field("number", 0, reading("7", track="mdl_a", confidence=None))])

    assert (knowing.status, knowing.reasons) == ("unreviewed", ())
    assert (unsure.status, unsure.reasons) == ("escalated", ("low_confidence",))
    assert (unknowing.status, unknowing.reasons) == ("escalated", ("confidence_unknown",))


def test_a_broken_rule_is_not_settled_by_a_model() -> None:
    old = doubtful(reading("7", confidence=0.2), reasons=("low_confidence", "rule_violated"))

    [merged] = further([old], [field("number", 0, reading("7", track="mdl_a", confidence=0.8))])

    assert (merged.status, merged.reasons) == ("escalated", ("rule_violated",))


def test_an_unsure_model_leaves_a_field_escalated() -> None:
    missing = doubtful(reasons=("required_missing",))

    [merged] = further([missing], [field("number", 0, reading("7", track="mdl_a", confidence=0.3))])

    assert (merged.status, merged.reasons, merged.best.value) == ("escalated", ("low_confidence",), "7")


def test_a_model_adds_a_reading_to_a_decided_field_and_decides_nothing() -> None:
    old = field("number", 0, reading("7"), status=Status.REJECTED)

    [merged] = further([old], [field("number", 0, reading("8", track="mdl_a", confidence=1.0))])

    assert (merged.status, [r.value for r in merged.readings]) == ("rejected", ["8", "7"])


def test_what_only_the_model_had_read_goes_when_it_does_not_read_it_any_more() -> None:
    old = [field("party", 0, reading("Ann")), field("party", 1, reading("Bo", 0.5, "mdl_a"))]
    required = [field("number", 0, reading("7", 0.8, "mdl_a"))]

    assert shown(further([*old, *required], [])) == [
        ("party", "unreviewed", "Ann"),
        ("number", "escalated", None),
    ]


def test_a_model_that_was_wrong_before_takes_its_settlement_back() -> None:
    old = doubtful(reading("7", confidence=0.2), reasons=("low_confidence",))
    settled = further([old], [field("number", 0, reading("7", track="mdl_a", confidence=0.8))])

    [merged] = further(settled, [field("number", 0, reading("9", track="mdl_a", confidence=0.1))])

    assert (merged.status, merged.reasons, merged.best.value) == ("escalated", ("low_confidence",), "7")


def test_a_model_finds_further_occurrences() -> None:
    old = [field("party", 0, reading("Ann")), field("number", 0, reading("7", 0.8))]
    found = [
        field("party", 0, reading("Cy", 0.4, "mdl_a")),
        field("party", 1, reading("ANN", 0.1, "mdl_a")),
    ]

    assert shown(further(old, found)) == [
        ("party", "unreviewed", "Ann"),
        ("party[1]", "unreviewed", "Cy"),
        ("number", "unreviewed", "7"),
    ]

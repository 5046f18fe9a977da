"""What is set aside, and deeds that are composed."""

from __future__ import annotations

from typing import Any

from alma.datamodel.schemas import shipped_schemas
from alma.extraction.resolve import layouts_by_track
from alma.extraction.scoring.track_candidates import candidates_by_track
from alma.learning.evaluation import canonical
from scripts.labelled import metrics
from scripts.labelled.labels import held_out
from scripts.made_deeds import documents


def rows(doc_type: str, groups: int, licence: str = "open") -> list[dict[str, Any]]:
    return [
        {
            "id": f"{doc_type}-{g}-{n}",
            "doc_type": doc_type,
            "licence_class": licence,
            "group": f"{doc_type} {g}",
        }
        for g in range(groups)
        for n in range(2)
    ]


def test_a_tenth_of_the_groups_of_each_type_and_licence_is_set_aside_whole() -> None:
    labelled = [*rows("deed", 25), *rows("deed_of_county", 12, "public-record"), *rows("will", 3)]
    aside = held_out(labelled)
    groups = {row["group"] for row in labelled if row["id"] in aside}
    assert sorted(group.partition(" ")[0] for group in groups) == ["deed"] * 3 + ["deed_of_county"] * 2
    assert all((row["id"] in aside) == (row["group"] in groups) for row in labelled)
    assert held_out(labelled[::-1]) == aside


def test_composed_deeds_offer_the_parties_they_are_labelled_with() -> None:
    schema = shipped_schemas()["deed_of_conveyance"]
    wanted, offered = 0, 0
    for row, pages in documents(6, seed=3):
        found = candidates_by_track(layouts_by_track(pages), schema)["text"].by_field
        for label in row["fields"]:
            if label["key"] in ("grantor_name", "grantee_name"):
                wanted += 1
                offered += metrics.expected("deed_of_conveyance", label, None) in {
                    canonical(c.value) for c in found[label["key"]]
                }
    assert wanted >= 12
    assert offered >= 0.9 * wanted


def test_the_same_seed_composes_the_same_deeds() -> None:
    assert documents(3, seed=5) == documents(3, seed=5)

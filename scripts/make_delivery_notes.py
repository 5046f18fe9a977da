"""Make the delivery notes of samples/delivery-notes, their labels and their type: what the README's circle
from corrections to a model of one's own is walked with. `python -m scripts.make_delivery_notes`

Three invented senders print the same facts in different ways: the recipient stands in an address window
without a label, the day of delivery on the driver's line or in a box, between other names and dates. Labels
alone do not tell which is which; a few corrected notes do.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

from scripts.samples import A4, SAMPLES, Sample, footer, labels_of, with_provenance
from scripts.sheets import SANS, SANS_BOLD, SERIF, SERIF_BOLD, TYPED, TYPED_BOLD, Sheet, pdf

FOLDER = SAMPLES / "delivery-notes"
OURS = "made for alma by scripts/make_delivery_notes.py"
COUNT = 15
#: The first of them are corrected when the circle is walked, the rest left for the model.
CORRECTED = 12
DOC_TYPE = "delivery_note"

#: The type as somebody writes it who has seen three notes.
SCHEMA = {
    "description": "What a carrier leaves with the goods: who got how many parcels, and when.",
    "keywords": ["delivery note", "parcels"],
    "fields": [
        {"key": "note_number", "type": "identifier", "aliases": ["note no"], "required": True},
        {"key": "recipient", "type": "name", "aliases": ["deliver to"], "required": True},
        {"key": "delivered_on", "type": "date", "aliases": ["delivered"], "required": True},
        {"key": "parcels", "type": "number", "aliases": ["parcels"]},
    ],
}

_FIRST = ("Alder", "Beacon", "Corran", "Dunlin", "Elm Park", "Fenwick", "Gorse", "Heron", "Inver", "Juniper",
          "Kestrel", "Lowther", "Merlin", "Northey", "Orchard", "Pendle")  # fmt: skip
_KIND = ("Joinery Ltd", "Books", "Dental Practice", "Garden Centre", "Cycles Ltd", "Bakery", "Glassworks",
         "Veterinary Clinic", "Instruments Ltd", "Primary School")  # fmt: skip
_STREETS = ("Mill Lane", "Station Road", "Harbour Street", "Chapel Hill", "Brewery Yard", "Castle Row")
_TOWNS = ("Falmouth TR11 3XA", "Kendal LA9 4QD", "Oban PA34 4LW", "Whitby YO21 1DN", "Ludlow SY8 1AA")
_GOODS = ("Oak panels", "Printed matter", "Spare parts", "Seed trays", "Laboratory glass", "Paper, A4")


class Facts:
    """What one note says, drawn from its number."""

    def __init__(self, number: int) -> None:
        draw = random.Random(number)
        self.recipient = f"{draw.choice(_FIRST)} {draw.choice(_KIND)}"
        self.shipper = f"{draw.choice(_FIRST)} {draw.choice(_KIND)}"
        self.street = f"{draw.randint(1, 98)} {draw.choice(_STREETS)}"
        self.town = draw.choice(_TOWNS)
        self.ordered = date(2026, 1, 5) + timedelta(days=draw.randint(0, 120))
        self.delivered = self.ordered + timedelta(days=draw.randint(2, 9))
        self.parcels = draw.randint(1, 24)
        self.goods = draw.sample(_GOODS, 3)
        self.number = 20_000 + 37 * number
        self.driver = draw.choice(("M. Ashe", "R. Okafor", "L. Brandt", "S. Moreau"))


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def _goods(s: Sheet, facts: Facts, y: float, font: str) -> None:
    for i, goods in enumerate(facts.goods):
        s.text(60, y + 16 * i, goods, font=font, size=10)
        s.text(530, y + 16 * i, f"{1 + i * 3} kg", font=font, size=10, align="right")


def _meridian(s: Sheet, f: Facts) -> None:
    """The recipient in an address window, the day of delivery on the driver's line."""
    s.text(60, 70, "Meridian Freight", font=SANS_BOLD, size=20)
    s.text(535, 70, "DELIVERY NOTE", font=SANS, size=13, align="right")
    for i, line in enumerate((f.recipient, f.street, f.town)):
        s.text(60, 150 + 14 * i, line, font=SANS, size=11, label=None if i else "recipient")
    s.text(360, 150, "Note no.", font=SANS, size=9, grey=0.4)
    s.text(535, 150, f"MF-{f.number}", font=SANS, size=10, align="right", label="note_number")
    s.text(360, 166, "Ordered", font=SANS, size=9, grey=0.4)
    s.text(535, 166, _day(f.ordered), font=SANS, size=10, align="right")
    s.text(360, 182, "On behalf of", font=SANS, size=9, grey=0.4)
    s.text(535, 182, f.shipper, font=SANS, size=10, align="right")
    _goods(s, f, 260, SANS)
    s.text(60, 340, "Colli", font=SANS, size=10)
    s.text(530, 340, str(f.parcels), font=SANS_BOLD, size=10, align="right", label="parcels")
    s.text(60, 420, f"Driver {f.driver}", font=SANS, size=10)
    s.text(
        250,
        420,
        _day(f.delivered),
        font=SANS,
        size=10,
        label="delivered_on",
        normalized=f.delivered.isoformat(),
    )


def _northgate(s: Sheet, f: Facts) -> None:
    """Everything has a label, and not always the one somebody thought of."""
    s.text(297, 60, "NORTHGATE PARCELS", font=SERIF_BOLD, size=18, align="centre")
    s.text(297, 80, "Delivery note", font=SERIF, size=12, align="centre")
    rows: tuple[tuple[str, str, str | None, str | None], ...] = (
        ("Sender", f.shipper, None, None),
        ("Consignee", f.recipient, "recipient", None),
        ("Address", f"{f.street}, {f.town}", None, None),
        ("Waybill", f"NG/{f.number}", "note_number", None),
        ("Date of order", f"{f.ordered:%d/%m/%Y}", None, None),
        ("Handed over", f"{f.delivered:%d/%m/%Y}", "delivered_on", f.delivered.isoformat()),
        ("Pieces", str(f.parcels), "parcels", None),
    )
    for i, (name, value, key, normalized) in enumerate(rows):
        s.text(80, 130 + 20 * i, name, font=SERIF, size=11, grey=0.3)
        s.text(220, 130 + 20 * i, value, font=SERIF, size=11, label=key, normalized=normalized)
    _goods(s, f, 320, SERIF)


def _quay(s: Sheet, f: Facts) -> None:
    """Typed, with the labels that the type names."""
    s.text(60, 70, "QUAY & SONS CARRIERS", font=TYPED_BOLD, size=13)
    s.text(60, 100, "DELIVERY NOTE", font=TYPED, size=11)
    s.text(60, 140, "NOTE NO", font=TYPED, size=10)
    s.text(180, 140, f"Q{f.number}", font=TYPED, size=10, label="note_number")
    s.text(60, 158, "ORDERED", font=TYPED, size=10)
    s.text(180, 158, f"{f.ordered:%d.%m.%Y}", font=TYPED, size=10)
    s.text(60, 176, "DELIVER TO", font=TYPED, size=10)
    s.text(180, 176, f.recipient, font=TYPED, size=10, label="recipient")
    s.text(180, 190, f"{f.street}, {f.town}", font=TYPED, size=10)
    s.text(60, 216, "DELIVERED", font=TYPED, size=10)
    s.text(180, 216, f"{f.delivered:%d.%m.%Y}", font=TYPED, size=10, label="delivered_on",
           normalized=f.delivered.isoformat())  # fmt: skip
    s.text(60, 234, "PARCELS", font=TYPED, size=10)
    s.text(180, 234, str(f.parcels), font=TYPED, size=10, label="parcels")
    _goods(s, f, 300, TYPED)


_SENDERS: tuple[Callable[[Sheet, Facts], None], ...] = (_meridian, _northgate, _quay)


def note(number: int) -> Sample:
    """Return a delivery note, 1 to `COUNT`; the same bytes every time."""
    sheet, facts = Sheet(*A4), Facts(number)
    _SENDERS[number % len(_SENDERS)](sheet, facts)
    footer(sheet)
    name = f"note-{number:02d}.pdf"
    return Sample(name, DOC_TYPE, pdf([sheet], name), [sheet.labels])


def main() -> None:
    """Write the notes, what stands on them, and their type."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=FOLDER)
    into: Path = parser.parse_args().into
    into.mkdir(parents=True, exist_ok=True)
    (into / "schema.json").write_text(json.dumps(SCHEMA, indent=2) + "\n", encoding="utf-8")
    samples = [note(number) for number in range(1, COUNT + 1)]
    for sample in samples:
        (into / sample.name).write_bytes(sample.body)
    labels = [labels_of(sample, OURS) for sample in samples]
    known = [{"file": row["file"], "fields": row["fields"]} for row in labels[:CORRECTED]]
    rows = [with_provenance(row, sample.body) for row, sample in zip(labels, samples, strict=True)]
    for name, lines in (("corrections.jsonl", known), ("labels.jsonl", rows)):
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (into / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

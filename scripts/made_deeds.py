"""Deeds composed at random from customary formulas: what the scorer learns the language of conveyances from.

Real wordings are few, and a model that saw twenty of them has learnt these twenty. Here an opening, ways to name
and describe the parties, operative words, a description of the land, recitals of earlier deeds, an attestation and an
acknowledgement are drawn independently, with people and places who do not exist. The words are laid out as a
page, without a file: nothing is recognised. They teach and are never judged.

In a text `[[key|value]]` is a labelled value; the same value again is another place of it.
"""

# Sentences are easier to read on one line, lists of words as text.
# ruff: noqa: E501, SIM905

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from alma.datamodel.geometry import Box, Word, enclosing
from alma.datamodel.pages import PageText, Track

WIDTH, HEIGHT = 612.0, 792.0
GROUP = "composed"

_FIRST = """Oskar Mabel Ingrid Tobias Winifred Anselm Petra Gideon Lavinia Rufus Matilda Silas Bettina Horace Odessa
Leopold Minnie Alvin Gerda Percival Estelle Otis Ramona Wendell Hattie Julius Corinne Emil Della Quentin Ivy Moses
Beulah Conrad Fern Jasper Olive Virgil Pearl Amos""".split()
_LAST = """Thorsby Wexcombe Ballinger Oduya Kestrel Marlowe Fitzhugh Lindgren Pomeroy Sandoz Tremaine Uxbridge Vanterpool
Whitford Yeardley Ashdown Brannock Castellan Dunleavy Escott Farraday Gilfoyle Haverland Iverson Jessop Kilbride
Langtry Mossman Norcross Oakhurst Penrose Quigley Rasmussen Stanhope Tolliver Underwood Verlander Winslow MacAllen
O'Dowd DeVries Hart-Nielsen""".split()
_PLACE_HEADS = "Alder Bram Corn Dun Elk Fern Grand Holl Ink Jun Kel Lark Mar Nor Oxen Pel Quar Red Sil Thax Wal Yar".split()
_PLACE_TAILS = "ton ville burg wick mere field dale port ford bury stead combe hollow gate".split()
_STATES = """Ohio, Maine, Oregon, Texas, Georgia, Kansas, Iowa, Nebraska, New Jersey, South Dakota, Wisconsin, Colorado,
Pennsylvania, Tennessee, Alabama, Arizona, Utah, Idaho, Connecticut, Maryland, Vermont, Delaware, Montana, Nevada""".split(
    ", "
)
_MONTHS = """January February March April May June July August September October November December""".split()
_ONES = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
eighteen nineteen""".split()
_TENS = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_ORDINALS = """first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth
fifteenth sixteenth seventeenth eighteenth nineteenth twentieth""".split()
_OFFICES = """LAND REGISTRY, Registry of Deeds, RECORDER'S OFFICE, OFFICE OF THE REGISTRAR, DEEDS REGISTRY, Land Records""".split(
    ", "
)
_MARK = re.compile(r"\[\[(\w+)\|(.*?)(?:\|(.*?))?\]\]", re.DOTALL)


def documents(count: int, seed: int) -> list[tuple[dict[str, Any], list[PageText]]]:
    """Return composed deeds: rows as in `labels.jsonl`, and their pages. The same seed gives the same ones."""
    made = []
    for n in range(count):
        deed = _Deed(random.Random(f"{seed} {n}"))
        sheet = _Sheet(deed.chance)
        for text, style in deed.parts():
            sheet.add(text, style)
        row = {
            "id": f"composed-deed-{n}",
            "doc_type": "deed_of_conveyance",
            "group": GROUP,
            "complete": True,
            "licence_class": "open",
            "fields": sheet.labels(),
        }
        made.append((row, sheet.pages()))
    return made


def spelt(number: int) -> str:
    """Return a whole number below a million in words."""
    if number < 20:
        return _ONES[number]
    if number < 100:
        return _TENS[number // 10] + (f"-{_ONES[number % 10]}" if number % 10 else "")
    if number < 1000:
        rest = f" {spelt(number % 100)}" if number % 100 else ""
        return f"{_ONES[number // 100]} hundred{rest}"
    rest = f" {spelt(number % 1000)}" if number % 1000 else ""
    return f"{spelt(number // 1000)} thousand{rest}"


@dataclass
class _Sheet:
    """Words laid out on pages, and the places of the labelled values."""

    chance: random.Random
    lines: list[tuple[int, list[Word]]] = field(default_factory=list)
    found: dict[tuple[str, str], list[tuple[int, Box]]] = field(default_factory=dict)
    spellings: dict[tuple[str, str], tuple[str, str | None]] = field(default_factory=dict)
    number: int = 1
    y: float = 50.0

    def __post_init__(self) -> None:
        self.size = self.chance.choice([9.5, 10.5, 11.5, 12.5])
        self.wide = self.chance.choice([0.46, 0.5, 0.6])
        self.left = self.chance.choice([50.0, 72.0, 90.0])
        self.leading = self.chance.choice([1.15, 1.3, 1.6, 2.0])

    def add(self, text: str, style: str) -> None:
        """Add a paragraph: `centre`d, as `lines`, `large` ones, in the `right` half, as `rows` of a label, a bar
        and a value, or running: `prose`, or `land`, a value too."""
        size = self.size
        if style == "large":
            self.size *= self.chance.choice([1.2, 1.5])
        apart = self.left + self.chance.choice([0.3, 0.45]) * (WIDTH - 2 * self.left)
        for block in text.split("\n") if style not in ("prose", "land") else [text]:
            begun = len(self.lines)
            if style == "rows":
                label, value = block.split(" | ")
                top = self.y
                self._block(label, "lines")
                self.y = top if self.number == self.lines[-1][0] and len(self.lines) == begun + 1 else self.y
                self._block(value, "lines", apart)
            else:
                self._block(block, "prose" if style == "land" else style)
            if style == "land":
                self._whole(block, begun)
        self.size = size
        self.y += self.size * self.chance.choice([0.4, 0.9])

    def _block(self, text: str, style: str, left: float | None = None) -> None:
        words: list[tuple[str, int | None]] = []
        spans: list[tuple[str, str, str | None]] = []
        at = 0
        for match in _MARK.finditer(text):
            _append(words, text[at : match.start()], None)
            spans.append((match[1], match[2], match[3]))
            _append(words, match[2], len(spans) - 1)
            at = match.end()
        _append(words, text[at:], None)
        left = left or self.left + (WIDTH / 2 - self.left if style == "right" else 0)
        right = WIDTH - self.left
        boxes: dict[int, list[tuple[int, Box]]] = {}
        line: list[tuple[str, int | None, float]] = []
        x = left + (24 if style == "prose" and self.chance.random() < 0.4 else 0)
        if style == "centre":
            x = max(left, (WIDTH - self._width(" ".join(w for w, _ in words))) / 2)
        for word, span in words:
            if line and x + self._width(word) > right:
                self._line(line, boxes)
                line, x = [], left
            line.append((word, span, x))
            x += self._width(word + " ")
        if line:
            self._line(line, boxes)
        for n, places in boxes.items():
            key, value, normalized = spans[n]
            by_page: dict[int, list[Box]] = {}
            for page, box in places:
                by_page.setdefault(page, []).append(box)
            known = (key, re.sub(r"\W", "", value).casefold())
            self.spellings.setdefault(known, (" ".join(value.split()), normalized))
            self.found.setdefault(known, []).extend((p, enclosing(b)) for p, b in by_page.items())

    def _whole(self, text: str, begun: int) -> None:
        """Label the lines of a paragraph as the description of the land."""
        value = " ".join(_MARK.sub(r"\2", text).split())
        known = ("legal_description", re.sub(r"\W", "", value).casefold())
        self.spellings.setdefault(known, (value, None))
        for page in sorted({page for page, _ in self.lines[begun:]}):
            boxes = [word.box for number, line in self.lines[begun:] if number == page for word in line]
            self.found.setdefault(known, []).append((page, enclosing(boxes)))

    def _width(self, text: str) -> float:
        return len(text) * self.size * self.wide

    def _line(
        self, line: Sequence[tuple[str, int | None, float]], boxes: dict[int, list[tuple[int, Box]]]
    ) -> None:
        if self.y + self.size > HEIGHT - 50:
            self.number, self.y = self.number + 1, 50.0
        made = []
        for word, span, x in line:
            box = Box(x / WIDTH, self.y / HEIGHT, self._width(word) / WIDTH, self.size / HEIGHT)
            made.append(Word(word, box, len(self.lines), None))
            if span is not None:
                boxes.setdefault(span, []).append((self.number, box))
        self.lines.append((self.number, made))
        self.y += self.size * self.leading

    def pages(self) -> list[PageText]:
        """Return the pages."""
        return [
            PageText(
                n, WIDTH, HEIGHT, Track.TEXT, tuple(w for page, line in self.lines if page == n for w in line)
            )
            for n in range(1, self.number + 1)
        ]

    def labels(self) -> list[dict[str, Any]]:
        """Return the labelled values, each with the places where it stands."""
        rows = []
        for known, places in self.found.items():
            value, normalized = self.spellings[known]
            first, *others = [{"page": page, "bbox": box.to_dict()} for page, box in places]
            rows.append({"key": known[0], "value": value, **first, "also_at": others})
            if normalized:
                rows[-1]["normalized"] = normalized
        return rows


def _append(words: list[tuple[str, int | None]], text: str, span: int | None) -> None:
    """Add the words of a text; a mark that follows a value without a space belongs to its last word."""
    glued = bool(words) and bool(text) and not text[0].isspace() and words[-1][0][-1:] not in (" ",)
    for n, word in enumerate(text.split()):
        if n == 0 and glued and (span is None or words[-1][0] in ("(", "“", '"')):
            before, owner = words.pop()
            words.append((before + word, owner if span is None else span))
        else:
            words.append((word, span))
    if text[-1:].isspace() and words:
        last, owner = words.pop()
        words.append((last, owner))


class _Deed:
    """One deed: its facts, and the ways they are told."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        pick = chance.choice
        self.capitals = chance.random() < 0.6
        self.state = pick(_STATES)
        self.county = self._place()
        self.town = self._place()
        self.year = chance.randint(1905, 2022)
        self.day, self.month = chance.randint(1, 28), chance.randint(1, 12)
        self.giver, self.taker = pick(
            [
                ("Grantor", "Grantee"), ("Grantor", "Grantee"), ("Vendor", "Purchaser"), ("Seller", "Buyer"),
                ("Transferor", "Transferee"), ("Assignor", "Assignee"), ("Mortgagor", "Mortgagee"), ("Vendor", "Vendee"),
                ("party of the first part", "party of the second part"), ("first party", "second party"),
                ("Donor", "Donee"), ("Lessor", "Lessee"),
            ]
        )  # fmt: skip
        self.givers = self._parties()
        self.takers = self._parties()
        self.notary, self.witnesses = self._person(), [self._person() for _ in range(chance.randint(0, 2))]

    # --- facts ---------------------------------------------------------------------------------------

    def _place(self) -> str:
        name = self.chance.choice(_PLACE_HEADS) + self.chance.choice(_PLACE_TAILS)
        return (
            f"{self.chance.choice(['New', 'Saint', 'Upper', 'East'])} {name}"
            if self.chance.random() < 0.12
            else name
        )

    def _person(self, last: str | None = None) -> str:
        c = self.chance
        middle = c.choice(["", "", f" {c.choice('ABCDEFGHJKLMNPRSTW')}.", f" {c.choice(_FIRST)}"])
        suffix = c.choice([", Jr.", ", III", " Sr.", " II", ", JR."]) if c.random() < 0.07 else ""
        return f"{c.choice(_FIRST)}{middle} {last or c.choice(_LAST)}{suffix}"

    def _company(self) -> str:
        c = self.chance
        return c.choice(
            [
                f"{self._place()} {c.choice(['Savings Bank', 'Land Company', 'Coal & Coke Company', 'Building Society'])}",
                f"{c.choice(_LAST)} {c.choice(['Brothers', 'Holdings', 'Properties', '& Sons'])}, {c.choice(['Inc.', 'LLC', 'Ltd.'])}",
                f"First National Bank of {self._place()}", f"{c.choice(_LAST)} and {c.choice(_LAST)}, LLC",
                f"{c.choice(_LAST)} Family Trust", f"The {self._place()} Timber Corporation",
            ]
        )  # fmt: skip

    def _parties(self) -> list[str]:
        c = self.chance
        if c.random() < 0.17:
            return [self._company()]
        last = c.choice(_LAST)
        count = c.choices([1, 2, 3, 4], [45, 40, 10, 5])[0]
        return [self._person(last if c.random() < 0.7 else None) for _ in range(count)]

    def _name(self, name: str) -> str:
        return name.upper() if self.capitals else name

    def _marked(self, key: str, names: Sequence[str], *, capitals: bool | None = None) -> str:
        up = self.capitals if capitals is None else capitals
        each = [f"[[{key}|{name.upper() if up else name}]]" for name in names]
        if len(each) == 1:
            return each[0]
        joined = self.chance.choice([" and ", " and ", " AND ", " & "])
        return ", ".join(each[:-1]) + joined + each[-1]

    def _date(
        self, key: str | None, *, year: int | None = None, month: int | None = None, day: int | None = None
    ) -> str:
        c, year, month, day = self.chance, year or self.year, month or self.month, day or self.day
        nth = f"{day}{'th' if 10 < day < 20 else {1: 'st', 2: 'nd', 3: 'rd'}.get(day % 10, 'th')}"
        words = _ORDINALS[day - 1] if day <= 20 else f"twenty-{_ORDINALS[day - 21]}"
        name = _MONTHS[month - 1]
        in_words = (
            f"{spelt(year // 100)} hundred and {spelt(year % 100)}" if year < 2000 and year % 100
            else "nineteen hundred" if year == 1900 else f"two thousand and {spelt(year - 2000)}" if year > 2000 else str(year)
        )  # fmt: skip
        text = c.choice(
            [
                f"{nth} day of {name}, {year}", f"{nth} day of {name} {year}", f"{words} day of {name}, {year}",
                f"{name} {day}, {year}", f"{day} {name} {year}", f"{words} day of {name}, {in_words}",
                f"{nth} day of {name} in the year {year}",
            ]
            if key != "recorded_date"
            else [f"{name} {day}, {year}", f"{month:02}/{day:02}/{year}", f"{name[:3].upper()} {day:02} {year}", f"{nth} day of {name}, {year}"]
        )  # fmt: skip
        return f"[[{key}|{text}|{year}-{month:02}-{day:02}]]" if key else text

    def _residence(self) -> str:
        c, town, state = self.chance, self._place(), self.chance.choice(_STATES)
        street = f"{c.randint(2, 990)} {c.choice(_LAST)} {c.choice(['Street', 'Road', 'Avenue', 'Lane'])}"
        return c.choice(
            [
                "", "", f" of {town}, {state}", f", of the County of {self._place()} and State of {state}", f" of {street}, {town}",
                f", residing at {street}, {town}, {state}", f", whose address is {street}, {town}, {state}",
                f", of {self._place()} County, {state}", f" whose post office address is {street}, {town}", f", a resident of {town}, {state}",
                f" of {town} in the parish of {self._place()}, {c.choice(['Farmer', 'Merchant', 'Spinster', 'Clerk'])}",
            ]
        )  # fmt: skip

    def _party(self, key: str, names: Sequence[str], role: str) -> str:
        c, many = self.chance, len(names) > 1
        company = not many and not any(n in names[0] for n in _FIRST)
        standing = c.choice(
            [f", a {c.choice(_STATES)} corporation", ", a corporation organized under the laws of said State", ", a body corporate", ""]
            if company
            else [", husband and wife", ", his wife", ", as joint tenants", ", brothers", ""]
            if many
            else [
                ", a single person", ", a widow", ", unmarried", ", a bachelor", ", spinster", "", "", f", as Trustee of the {self._place()} Trust",
                f", as Executor of the last will of {self._name(self._person())}, deceased", ", a married man dealing in his own property",
                f", acting herein by {self._person()}, attorney in fact",
            ]
        )  # fmt: skip
        s = "s" if many and "part" not in role else ""
        called = c.choice(
            [
                f", hereinafter called the {role}{s},", f" (hereinafter called “the {role}{s}”)", f", {role}{s},", f" (“{role}”)", f", as {role}{s},",
                f", the {role}{s}", f' (hereinafter referred to as "{role}{s}")', f", hereinafter {role}{s},", f" (the {role})",
            ]
            if "part" not in role
            else [f", {role},", f", the {role},", f", {role}", f", hereinafter {role},"]
        )  # fmt: skip
        if c.random() < 0.15 and "part" not in role:
            called = ""
        return self._marked(key, names) + standing + self._residence() + called

    def _price(self) -> str:
        c = self.chance
        amount = c.choice([1, 5, 10, 100, c.randint(3, 99) * 100, c.randint(5, 900) * 500])
        figures = f"${amount:,}.00" if c.random() < 0.75 else f"${amount:,}"
        words = spelt(amount).title()
        marked = f"[[consideration|{figures}|{amount}.00]]"
        return c.choice(
            [
                f"the sum of {words} Dollars ({marked})", f"the sum of {marked}", f"{words} Dollars ({marked}) and other good and valuable consideration",
                f"{marked} and other valuable consideration", f"the price of {words} and no/100 dollars ({marked})", f"{marked} paid",
                f"[[consideration|{words}|{amount}.00]] Dollars", f"the sum of [[consideration|{words}|{amount}.00]] Dollars in hand paid", "love and affection",
                "a valuable consideration",
            ]
        )  # fmt: skip

    # --- land ----------------------------------------------------------------------------------------

    def _where(self) -> str:
        c = self.chance
        town, county, state = (
            f"[[property_town|{self.town}]]",
            f"[[county|{self.county}]]",
            f"[[state_or_parish|{self.state}]]",
        )
        kind = c.choice(["City", "Town", "Township", "Village", "Borough"])
        return c.choice(
            [
                f"the {kind} of {town}, County of {county} and State of {state}", f"{town}, {county} County, {state}", f"{town} Township, {county} County, {state}",
                f"the {kind} of {town}, {county} County, State of {state}", f"{county} County, {state}", f"{town}, in the County of {county}, {state}",
                f"the County of {county}, State of {state}, in the {kind} of {town}",
            ]
        )  # fmt: skip

    def _neighbour(self) -> str:
        return (
            self.chance.choice(
                ["land of ", "lands now or formerly of ", "the property of ", "a corner of ", "the line of "]
            )
            + self._person()
        )

    def _land(self) -> str:
        c = self.chance

        def course() -> str:
            return (
                f"thence {c.choice(['North', 'South'])} {c.randint(2, 88)} degrees {c.choice(['East', 'West'])} {c.randint(20, 990)}.{c.randint(0, 9)} feet to "
                f"{c.choice(['a stake', 'an iron pin', 'a stone', self._neighbour(), 'the road'])}"
            )

        acres = f"{c.randint(1, 240)}{c.choice(['', '.5', '.25', f'.{c.randint(10, 99)}'])}"
        size = c.choice(
            [
                "",
                f", containing [[parcel_acreage|{acres}|{acres}]] acres, more or less",
                f" containing about [[parcel_acreage|{acres}|{acres}]] acres",
            ]
        )
        lot, block = str(c.randint(1, 240)), c.choice([str(c.randint(1, 20)), c.choice("ABCDEFGHK")])
        tract = f"{self._place()} {c.choice(['Heights', 'Estates', 'Addition', 'Subdivision', 'Park', 'Gardens'])}"
        up = str.upper if c.random() < 0.2 else str
        book = c.choice(["Plat Book", "Map Book", "Volume", "Cabinet"])
        return c.choice(
            [
                f"{c.choice(['All that certain', 'A certain', 'The following'])} {c.choice(['tract', 'lot', 'piece', 'parcel'])} of land situate in {self._where()}, bounded "
                f"as follows: Beginning at a stone; {course()}; {course()}; {course()} and so to the place of beginning{size}.",
                f"{up('Lot')} [[lot|{lot}]], {up('Block')} [[block|{block}]], [[subdivision|{up(tract)}]], {self._where()}, according to the plat recorded in {book} {c.randint(1, 90)}, "
                f"page {c.randint(1, 400)}.",
                f"Being Lot No. [[lot|{lot}]] of the [[subdivision|{tract}]] in {self._where()}, as shown in {book} {c.randint(1, 90)}, page {c.randint(1, 400)}.",
                f"Lot [[lot|{lot}]] in Block [[block|{block}]] of [[subdivision|{tract}]], situated in {self._where()}.",
                f"The {c.choice(['North', 'South', 'East', 'West'])} half of Section {c.randint(1, 36)}, Township {c.randint(1, 90)}, Range {c.randint(1, 40)}, in {self._where()}{size}.",
                f"{c.choice(['All that', 'That'])} farm lying in {self._where()}, adjoining {self._neighbour()} on the east and {self._neighbour()} on the west{size}.",
            ]
        )  # fmt: skip

    def _former(self) -> str:
        c = self.chance
        who, when = (
            self._person(),
            self._date(None, year=self.year - c.randint(2, 40), month=c.randint(1, 12), day=c.randint(1, 28)),
        )
        where = f"{c.choice(['Book', 'Deed Book', 'Volume', 'Liber'])} {c.randint(20, 900)}, page {c.randint(1, 900)}"
        return c.choice(
            [
                f"Being the same premises conveyed to the {self.giver} by deed of {who} dated {when} and recorded in {where}.",
                f"For title see deed from {who} and {self._person()}, his wife, recorded in {where}.", f"Prior instrument: {where}.",
                f"It being part of the land which {who} by will proved on {when} devised to the {self.giver}.", "",
                f"This is the land that the {self.giver} acquired from {who} on {when}, of record in {where}, in the office of the Recorder of {self.county} County.",
            ]
        )  # fmt: skip

    # --- the instrument ------------------------------------------------------------------------------

    def parts(self) -> list[tuple[str, str]]:
        """Return the paragraphs, each with how it is set."""
        c = self.chance
        parts: list[tuple[str, str]] = []
        recorded = self._recorded()
        stamped = c.random() < 0.5
        if recorded and stamped:
            parts.append((recorded, c.choice(["lines", "right"])))
        back = self._return() if c.random() < 0.4 else ""
        if back and c.random() < 0.6:
            parts.append((back, "lines"))
            back = ""
        if c.random() < 0.4:
            number = f"{c.randint(1, 99)}-{c.randint(1000, 99999)}-{c.randint(100, 999)}"
            label = c.choice(
                [
                    "Parcel No.",
                    "Tax Parcel ID:",
                    "Permanent Parcel Number:",
                    "APN:",
                    "Parcel Identification No.",
                    "Tax Map No.",
                ]
            )
            parts.append((f"{label} [[parcel_id|{number}]]", "lines"))
        kind = c.choice(
            ["Warranty Deed", "Quitclaim Deed", "Deed", "Grant Deed", "Special Warranty Deed", "Deed of Gift", "Mineral Deed", "Trustee's Deed", "Indenture",
             "General Warranty Deed", "Deed of Sale", "Bargain and Sale Deed", "Executor's Deed", "Transfer of Land", "Conveyance", "Joint Tenancy Deed"]
        )  # fmt: skip
        kind = kind.upper() if c.random() < 0.7 else kind
        if c.random() < 0.25:
            head = c.choice(
                [
                    self.state.upper(),
                    f"STATE OF {self.state.upper()}",
                    f"COUNTY OF {self.county.upper()}",
                    self._place().upper(),
                ]
            )
            parts.append((head, "centre"))
        parts.append((f"[[deed_type|{kind}]]", "centre"))
        parts += self._body()
        parts += self._execution()
        if back:
            parts.append((back, "lines"))
        if recorded and not stamped:
            parts.append((recorded, "lines"))
        if c.random() < 0.4:
            parts.append(
                (
                    f"{c.choice(['Prepared by', 'This instrument was drafted by'])}: {self._person()}, Attorney at Law",
                    "lines",
                )
            )
        return parts

    def _recorded(self) -> str:
        c = self.chance
        if c.random() < 0.35:
            return ""
        month, year = (self.month + 1, self.year) if self.month < 12 else (1, self.year + 1)
        date = self._date("recorded_date", year=year, month=month, day=c.randint(1, 28))
        book, page = f"[[book|{c.randint(1, 2900)}]]", f"[[page_no|{c.randint(1, 990)}]]"
        number = f"[[instrument_number|{year}{c.randint(10000, 99999)}]]"
        clerk = (
            f"{self._person()}, {c.choice(['County Recorder', 'Register of Deeds', 'Clerk', 'Registrar'])}"
        )
        office = c.choice(_OFFICES)
        return c.choice(
            [
                f"{office}\n{c.choice(['Recorded', 'RECEIVED', 'Registered'])}\n{date}\nDeed No. {number}", f"{office}\nVolume {book} Page {page}\n{date}",
                f"Filed for record {date} at {c.randint(8, 12)}:{c.randint(10, 59)} A.M.\nBook {book} Page {page}\n{clerk}", f"Instrument No. {number}\nRecorded {date}\n{clerk}",
                f"DOC # {number}\n{date}\nVOL. {book} PG. {page}\n{self.county} County", f"Recorded {date} in Deed Book {book}, page {page}. {clerk}.",
                f"Received {date} and recorded in Volume {book}, page {page}.\n{clerk}", f"Reception No. {number}  {date}",
            ]
        )  # fmt: skip

    def _return(self) -> str:
        c = self.chance
        who = c.choice([self.takers[0], self._person(), f"{self._place()} Title Company"])
        address = f"{c.randint(2, 990)} {c.choice(_LAST)} Street"
        town = f"{self._place()}, {self.state} {c.randint(10000, 99999)}"
        label = c.choice(
            [
                "Return to:",
                "After recording return to:",
                "Mail to:",
                "When recorded mail to:",
                "Record and return to:",
            ]
        )
        if c.random() < 0.4:
            return f"{label} [[return_to|{who}, {address}, {town}]]"
        return (
            f"{label}\n[[return_to|{who}\n{address}\n{town}]]".replace("\n", " ")
            if c.random() < 0.3
            else f"{label} [[return_to|{who}, {address}, {town}]]"
        )

    def _body(self) -> list[tuple[str, str]]:
        c = self.chance
        g, t = (
            self._party("grantor_name", self.givers, self.giver),
            self._party("grantee_name", self.takers, self.taker),
        )
        names_g, names_t = (
            self._marked("grantor_name", self.givers),
            self._marked("grantee_name", self.takers),
        )
        date, price = self._date("instrument_date"), self._price()
        verbs = c.choice(
            ["grant, bargain, sell and convey", "convey and warrant", "remise, release and quitclaim", "hereby grant and convey", "quitclaim", "transfer", "give, grant and convey",
             "sell, assign and transfer", "alien, release and confirm", "demise"]
        )  # fmt: skip
        does = c.choice(["does", "do", "doth", "has granted and by these presents does", "does hereby"])
        to = c.choice(["unto", "to", "unto the said"])
        said_g, said_t = (
            c.choice([f"the said {self.giver}", f"the {self.giver}", f"said {self.giver}"]),
            c.choice([f"the said {self.taker}", f"the {self.taker}"]),
        )
        land, former = self._land(), self._former()
        lead = c.choice(
            [
                "the following described land:",
                "the premises described as follows, to wit:",
                "all the land described below.",
                "the following real estate:",
                "",
            ]
        )
        whole = f"{said_g} {does} {verbs} {to} {said_t}, {c.choice(['his heirs and assigns,', 'their heirs and assigns forever,', ''])} {lead}"
        direct = f"{verbs.replace('hereby ', '')}s".replace("conveys", "conveys")
        openings = [
            f"THIS INDENTURE, made this {date}, {c.choice(['between', 'by and between'])} {g} {c.choice(['and', 'AND', 'of the one part and'])} {t}, WITNESSETH: that in consideration of {price}, {whole}",
            f"KNOW ALL {c.choice(['MEN', 'PERSONS', 'TO WHOM THESE PRESENTS COME'])} BY THESE PRESENTS, That {g} for and in consideration of {price} {c.choice(['to me in hand paid by', 'paid by', 'received of'])} {t} "
            f"{does} {verbs} {to} {names_t}, {lead}",
            f"{g} for {c.choice(['and in consideration of', 'the consideration of'])} {price}, {c.choice([direct, verbs + '(s)', 'GRANTS', 'CONVEYS AND WARRANTS'])} to {t} {lead}",
            f"This deed, {c.choice(['dated', 'made on', 'executed this'])} {date}, is {c.choice(['made', 'given', 'entered into'])} by {g} {c.choice(['to', 'in favour of', 'and'])} {t}. In consideration of {price}, {whole}",
            f"{c.choice(['I', 'We'])}, {g}, in consideration of {price}, {c.choice(['grant', 'give and grant', 'hereby convey'])} to {t} {lead}",
            f"FOR VALUE RECEIVED, namely {price}, {g} {does} {verbs} to {t} {lead}",
            f"BE IT REMEMBERED that on the {date} {g} sold and by this act conveys to {t} for {price} {lead}",
            f"THIS TRANSFER is made the {date} BETWEEN (1) {g} and (2) {t}. NOW THIS DEED WITNESSETH that in pursuance of an agreement and for {price} {whole}",
            f"The {self.giver}, {names_g}{self._residence()}, for {price}, {does} {verbs} {to} the {self.taker}, {names_t}{self._residence()}, {lead}",
            f"On this {date} before me, {self.notary}, Notary, came {g}, who declared that for {price} he does sell and deliver to {t}, here present and accepting, {lead}",
            f"Whereas {g} has agreed with {t} for the sale of the land below at {price}, now by this deed made the {date} {whole}",
        ]  # fmt: skip
        if c.random() < 0.3:
            cells = self._cells(date, price) if c.random() < 0.5 else self._named_below(date, price)
            return [*cells, (land, "land"), (former, "prose")]
        opening = c.choice(openings)
        body = [(opening, "prose"), (land, "land"), (former, "prose")]
        if c.random() < 0.5:
            body.append(
                (
                    c.choice(
                        [
                            f"TO HAVE AND TO HOLD the same unto {said_t} forever.",
                            f"To hold to {said_t} in fee simple.",
                            f"Together with all buildings thereon and {said_g} warrants the title.",
                        ]
                    ),
                    "prose",
                )
            )
        if "instrument_date|" not in opening:
            self._dated = date
        return body

    def _cells(self, date: str, price: str) -> list[tuple[str, str]]:
        c = self.chance
        first, second = (self.giver, self.taker) if "part" not in self.giver else ("Grantor", "Grantee")
        s = c.choice(["", "(s)", "s"])
        colon = c.choice([":", ":", ""])
        up = str.upper if c.random() < 0.4 else str
        one = "; ".join if c.random() < 0.3 else "\n".join
        return [
            (f"{c.choice(['Date', 'Dated', 'Date of deed'])}: {date}", "lines"),
            (f"{up(first)}{s}{colon} {one(f'[[grantor_name|{self._name(n)}]]' for n in self.givers)}", "lines"),
            (f"{up(second)}{s}{colon} {one(f'[[grantee_name|{self._name(n)}]]' for n in self.takers)}", "lines"),
            (f"Consideration: {price}", "lines"),
            (f"The {first} conveys to the {second} the following land.", "prose"),
        ]  # fmt: skip

    def _signed_by_role(self) -> list[tuple[str, str]]:
        """Return an execution that names nobody, with or without a stamp beside it."""
        c = self.chance
        first, second = (self.giver, self.taker) if "part" not in self.giver else ("Grantor", "Grantee")
        dated = self._dated or "the day and year first written above"
        roles = [first.title(), second.title(), "Witness"][: c.randint(1, 3)]
        text = f"IN WITNESS WHEREOF the parties have {c.choice(['set their hands', 'signed this deed'])} {dated}."
        if c.random() < 0.5:
            return [
                (text, "prose"),
                ("\n".join(f"{role} {c.choice(['', '_' * 20])}" for role in roles), "lines"),
            ]
        stamp = [
            c.choice(_OFFICES),
            c.choice(["Recorded", "Received", "Filed"]),
            f"No. {c.randint(100, 9999)}",
        ]
        rows = [f"{role} | {each}" for role, each in zip(roles, stamp, strict=False)]
        return [(text, "prose"), ("\n".join(rows), "rows")]

    def _named_below(self, date: str, price: str) -> list[tuple[str, str]]:
        """Return a deed whose parties stand under their roles, and whose land is described in a schedule."""
        c = self.chance
        first, second = (self.giver, self.taker) if "part" not in self.giver else ("Grantor", "Grantee")
        s, colon = c.choice(["", "(s)", "s"]), c.choice([":", ":", ""])
        up = str.upper if c.random() < 0.4 else str
        look = c.choice(["lines", "large"])
        names = c.choice(["\n", "\n", "; "])
        acres = f"{c.randint(1, 240)}{c.choice(['', '.5', f'.{c.randint(10, 99)}'])}"
        rows = [
            f"{c.choice(['Parish', 'Town', 'Township', 'District'])} | [[property_town|{self.town}]]",
            f"County | [[county|{self.county}]]",
            f"{c.choice(['Acreage', 'Area (acres)', 'Acres'])} | [[parcel_acreage|{acres}|{acres}]]",
            f"Known as | {self._place()} {c.choice(['Field', 'Farm', 'Hill'])}, part of {self._place()}",
            f"Plan | {c.choice(['Survey plan', 'Plan no.', 'Sheet'])} {c.randint(10, 900)}/{c.randint(10, 99)}",
            f"Encumbrances | {c.choice(['None', 'As of record', 'A mortgage to ' + self._company()])}",
        ]
        c.shuffle(rows)
        parties = []
        for role, key, each in ((first, "grantor_name", self.givers), (second, "grantee_name", self.takers)):
            parties += [
                (f"{up(role + s)}{colon}", "lines"),
                (names.join(f"[[{key}|{self._name(n)}]]" for n in each), look),
                (self._residence().lstrip(", "), "lines"),
            ]
        return [
            (
                f"{c.choice(['THIS CONVEYANCE', 'This Deed', 'THIS TRANSFER'])} is made the {date} between the {first} and the {second} "
                f"{c.choice(['named below', 'whose names appear below'])}, in respect of the land described in the Schedule.",
                "prose",
            ),
            *((text, style) for text, style in parties if text),
            (
                f"In consideration of {price} paid by the {second}, the receipt of which the {first} acknowledges, the {first} conveys to the "
                f"{second} the land described in the Schedule, to hold in fee simple.",
                "prose",
            ),
            (c.choice(["THE SCHEDULE", "Schedule", "Description of the land"]), "centre"),
            ("\n".join(rows[: c.randint(3, 6)]), "rows"),
        ]

    _dated = ""

    def _execution(self) -> list[tuple[str, str]]:
        c = self.chance
        if c.random() < 0.25:
            return self._signed_by_role()
        capitals = self.capitals if c.random() < 0.5 else not self.capitals
        given = [f"[[grantor_name|{n.upper() if capitals else n}]]" for n in self.givers]
        parts = []
        dated = self._dated or "the day and year first above written"
        parts.append((c.choice([f"IN WITNESS WHEREOF, the {self.giver} has set hand and seal this {dated}.", f"Witness my hand and seal this {dated}.", f"Dated: {dated}", f"Executed as a deed on {dated}.",
                                f"In testimony whereof witness the signature of the {self.giver}, this {dated}."]), "prose"))  # fmt: skip
        if self.witnesses:
            parts.append(
                (
                    "\n".join(
                        [
                            c.choice(
                                [
                                    "Signed, sealed and delivered in the presence of:",
                                    "Witnesses:",
                                    "In presence of",
                                ]
                            ),
                            *self.witnesses,
                        ]
                    ),
                    "lines",
                )
            )
        line = c.choice(["____________________\n", ""])
        parts.append(
            (
                "\n".join(f"{line}{n}{c.choice(['', ' (SEAL)', ' (L.S.)'])}" for n in given),
                c.choice(["lines", "right"]),
            )
        )
        if c.random() < 0.75:
            when = self._date(None, day=min(self.day + c.randint(0, 1), 28))
            who = " and ".join(given)
            parts.append((c.choice([
                f"STATE OF {self.state.upper()}\nCOUNTY OF {self.county.upper()}", f"State of {self.state}, {self.county} County, ss.", f"{self.county}, ss."]), "lines"))  # fmt: skip
            parts.append((c.choice([
                f"On this {when} before me, {self.notary}, a Notary Public, personally appeared {who}, who acknowledged the foregoing to be a free act.",
                f"The foregoing instrument was acknowledged before me on {when} by {who}.",
                f"Personally came before me the above named {who} and acknowledged the same. {self.notary}, Justice of the Peace.",
                f"I, {self.notary}, a notary in and for said County, certify that {who} signed this deed in my presence on {when}."]), "prose"))  # fmt: skip
            parts.append(
                (
                    f"{self.notary}, Notary Public\nMy commission expires {self._date(None, year=self.year + 3)}",
                    "lines",
                )
            )
        return parts

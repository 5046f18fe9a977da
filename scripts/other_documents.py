"""Pages of documents that are of no shipped type: what the page model learns "none" from.

Made up from word lists, seeded, in five languages: letters, articles, recipes, slides, lists, timetables,
forms of other kinds and more. Each kind is a group of its own, so that a model is always judged on kinds
it was not fitted on.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from alma.datamodel.geometry import Box, Word
from alma.datamodel.pages import PageText, Track

_FUNCTION = {
    "en": "the a of and to in was is that with for on as by at from it he she they we had have not but which "
    "this an or be are were his her their our its who when there been has more than into only other some",
    "de": "der die das und in zu den mit von auf für ist im dem nicht ein eine als auch es an werden "
    "aus er hat "
    "dass sie nach bei um am sind noch wie einem über einen so zum war haben nur oder aber vor zur",
    "fr": "le la les de des et à un une du en que qui dans pour par sur avec est au plus ne pas il elle nous "
    "vous sont ce cette mais ou où été comme leur son sa ses tout même aussi être avait",
    "es": "el la los las de y a en un una que por con para se del al es su como más o pero sus le ha me "
    "si sin "
    "sobre este ya entre cuando todo esta ser son dos también fue había era muy años",
    "it": "il la di e che in un una per con non è si da come al dei nel alla sono più ma anche della "
    "delle gli "
    "le lo su questo ha era o dal tra se ci dopo prima molto tutto essere",
}
_TOPICS = {
    "en": [
        "river valley mountain stone forest path winter snow bridge village morning walked lake storm clouds "
        "summit shepherd fields distant quiet road hills rain autumn leaves birds sky evening travelled",
        "cells protein species experiment temperature measured samples results figure hypothesis observed "
        "laboratory analysis method significant data model energy particles surface growth studies theory",
        "match team season players coach goal league stadium victory second half scored referee fans "
        "training "
        "injury champion final tournament points defender played minutes record crowd",
        "mother letter dear friend house garden children hope weather yesterday visit health love write soon "
        "birthday brother school journey remember kind wishes family news uncle happy",
        "government minister election parliament policy voters economy reform growth crisis president party "
        "said announced measures public budget debate percent increase workers unions European council",
        "ship captain sea island sailors harbour wind crew voyage ocean anchor deck waves coast night stars "
        "compass storm cargo treasure map sail discovered king war soldiers castle queen century empire",
        "software users server network system memory file code function program data screen button click "
        "install version update error device settings interface design process thread compile library",
        "music orchestra concert piano composer melody painting museum artist colour exhibition gallery "
        "theatre "
        "novel author character chapter stage audience performance dance film director scene poem verse",
        "patient doctor treatment symptoms hospital blood clinical disease heart medicine dose therapy "
        "surgery "
        "nurse diagnosis infection vaccine recovery pain skin muscle sleep diet exercise health risk",
        "student teacher lesson question answer exam course university lecture essay learn chapter example "
        "exercise homework class grade read write discuss explain problem solution equation triangle number",
        "plant seed soil flower leaf root garden water species tree herbarium collection specimens genus "
        "botanist greenhouse fern orchid bloom fruit harvest prune compost sunlight bees",
        "church saint prayer bishop faith soul holy spirit sermon grace parish christ lord mercy heaven "
        "psalm "
        "monastery abbey worship congregation gospel baptism choir blessed eternal",
    ],
    "de": [
        "Haus Garten Kinder Schule Wetter Brief Freund Reise Stadt Wald Berg Winter Mutter Bruder Woche "
        "gestern "
        "schreiben fahren kommen sehen Abend Morgen Freude Familie Fluss Dorf",
        "Forschung Ergebnis Universität Versuch Energie Modell Daten Theorie Entwicklung Wirtschaft "
        "Regierung "
        "Politik Wissenschaft Methode Temperatur Messung Analyse Gesellschaft Geschichte Jahrhundert",
    ],
    "fr": [
        "maison jardin enfants école temps lettre ami voyage ville forêt montagne hiver mère frère "
        "semaine hier "
        "écrire partir venir voir soir matin joie famille rivière village testament femme guerre soldat "
        "coeur",
        "recherche résultat université expérience énergie modèle données théorie développement économie "
        "politique "
        "gouvernement science méthode température mesure analyse société histoire siècle",
    ],
    "es": [
        "casa jardín niños escuela tiempo carta amigo viaje ciudad bosque montaña invierno madre "
        "hermano semana "
        "ayer escribir salir venir ver tarde mañana alegría familia río pueblo historia siglo gobierno "
        "ciencia",
    ],
    "it": [
        "casa giardino bambini scuola tempo lettera amico viaggio città bosco montagna inverno madre "
        "fratello "
        "settimana ieri scrivere partire venire vedere sera mattina gioia famiglia fiume paese storia secolo",
    ],
}  # fmt: skip
_NAMES = [
    "Anna", "Peter", "Maria", "John", "Lucas", "Emma", "Sofia", "Karl", "Louise", "Henry", "Alice",
    "Paul", "Clara", "Hugo", "Marta", "Ivan", "Nora", "Felix",
]  # fmt: skip
_FAMILY = [
    "Miller", "Weber", "Rossi", "Martin", "Garcia", "Brown", "Novak", "Jensen", "Dubois", "Schmidt",
    "Clark", "Moreau", "Keller", "Hooker", "Dyer",
]  # fmt: skip
_TOWNS = [
    "Bristol", "Lyon", "Graz", "Porto", "Leeds", "Basel", "Ghent", "Turin", "Malmö", "Cork", "Bergen",
    "Kiel", "Nantes", "Parma", "Utrecht",
]  # fmt: skip
_MONTHS = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
]  # fmt: skip


class _Sheet:
    """A page under construction: rows of text at a chosen size, put on paper by `page`."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.rows: list[tuple[float, float, str]] = []  # left edge, relative size, text

    def add(self, text: str, left: float = 0.0, size: float = 1.0) -> None:
        self.rows.append((left, size, text))

    def space(self) -> None:
        self.rows.append((0.0, 1.0, ""))

    def pages(self) -> list[PageText]:
        """Return the rows as pages of US letter or A4, words of one size as wide as their letters."""
        height = self.chance.uniform(0.009, 0.016)
        step = height * self.chance.uniform(1.25, 1.9)
        ratio = self.chance.choice([0.773, 0.707, 0.707, 1.333 if len(self.rows) < 20 else 0.707])
        letter = height * 0.52 / ratio
        margin = self.chance.uniform(0.06, 0.14)
        track = self.chance.choice([Track.TEXT, Track.VISION])
        made: list[PageText] = []
        words: list[Word] = []
        y, line = margin * 0.8, 0
        for left, size, text in self.rows:
            if y + height * size > 0.95:
                made.append(PageText(len(made) + 1, 1000 * ratio, 1000, track, tuple(words)))
                words, y, line = [], margin * 0.8, 0
            x = margin + left
            for part in text.split(" "):
                width = len(part) * letter * size
                if part:
                    sure = None if track is Track.TEXT else round(self.chance.uniform(0.8, 1), 3)
                    words.append(Word(part, Box.from_corners(x, y, x + width, y + height * size), line, sure))
                x += width + letter * size * (0.8 if part else 2.0)
            y, line = y + step * size, line + 1
        made.append(PageText(len(made) + 1, 1000 * ratio, 1000, track, tuple(words)))
        return made


class _Writer:
    """Sentences of one language and topic."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.language = chance.choice(["en", "en", "en", "en", "de", "fr", "es", "it"])
        self.function = _FUNCTION[self.language].split()
        self.topic = " ".join(
            chance.sample(_TOPICS[self.language], min(2, len(_TOPICS[self.language])))
        ).split()

    def word(self) -> str:
        roll = self.chance.random()
        if roll < 0.08:  # a word nobody listed
            syllables = [
                "ba", "ko", "li", "ter", "van", "mis", "or", "du", "ne", "sal", "pri", "go", "ven",
                "al", "thu", "ing", "ed", "ness", "ra",
            ]  # fmt: skip
            return "".join(self.chance.choices(syllables, k=self.chance.randint(2, 4)))
        return self.chance.choice(self.function if roll < 0.5 else self.topic)

    def sentence(self, least: int = 5, most: int = 22) -> str:
        words = [self.word() for _ in range(self.chance.randint(least, most))]
        if self.chance.random() < 0.15:
            words[self.chance.randrange(len(words))] = str(self.chance.randint(2, 2020))
        text = " ".join(words)
        return text[:1].upper() + text[1:] + self.chance.choice([".", ".", ".", "?", "!", ";"])

    def lines(self, sentences: int, width: int) -> Iterator[str]:
        line = ""
        for word in " ".join(self.sentence() for _ in range(sentences)).split():
            if len(line) + len(word) > width:
                yield line
                line = ""
            line += (" " if line else "") + word
        yield line

    def title(self) -> str:
        return " ".join(self.word().title() for _ in range(self.chance.randint(2, 6)))

    def name(self) -> str:
        return f"{self.chance.choice(_NAMES)} {self.chance.choice(_FAMILY)}"

    def date(self) -> str:
        return (
            f"{self.chance.choice(_MONTHS)} {self.chance.randint(1, 28)}, {self.chance.randint(1880, 2025)}"
        )


def _letter(s: _Sheet, w: _Writer) -> None:
    for text in (w.name(), f"{w.chance.randint(1, 90)} {w.title()}", w.chance.choice(_TOWNS)):
        s.add(text)
    s.space()
    s.add(w.date())
    s.add(
        {"en": "Dear", "de": "Liebe", "fr": "Chère", "es": "Querida", "it": "Cara"}[w.language]
        + f" {w.name()},"
    )
    for _ in range(w.chance.randint(2, 9)):
        for line in w.lines(w.chance.randint(2, 5), 80):
            s.add(line)
        s.space()
    s.add(
        w.chance.choice(
            ["Yours sincerely,", "With kind regards,", "Best wishes,", "Herzlich,", "Cordialement,"]
        )
    )
    s.add(w.name())


def _article(s: _Sheet, w: _Writer) -> None:
    s.add(w.title(), size=w.chance.uniform(1.3, 2.5))
    s.add(f"By {w.name()}")
    for _ in range(w.chance.randint(3, 20)):
        if w.chance.random() < 0.2:
            s.add(w.title(), size=1.2)
        for line in w.lines(w.chance.randint(2, 7), w.chance.choice([60, 80, 95])):
            s.add(line)
        s.space()


def _prose(s: _Sheet, w: _Writer) -> None:
    for line in w.lines(w.chance.randint(8, 60), w.chance.choice([45, 70, 90])):
        s.add(line)


def _notes(s: _Sheet, w: _Writer) -> None:
    for line in w.lines(w.chance.randint(2, 8), w.chance.choice([20, 35])):
        s.add(line)


def _recipe(s: _Sheet, w: _Writer) -> None:
    s.add(w.title(), size=2)
    s.add(f"Serves {w.chance.randint(2, 8)}. Preparation {w.chance.randint(10, 60)} minutes")
    s.add("Ingredients")
    food = [
        "flour", "sugar", "butter", "eggs", "milk", "salt", "pepper", "onion", "garlic", "olive", "oil",
        "rice", "chicken", "basil", "tomato", "cream", "lemon",
    ]  # fmt: skip
    for item in w.chance.sample(food, 8):
        s.add(f"{w.chance.randint(1, 500)} {w.chance.choice(['g', 'ml', 'tbsp', 'cups', ''])} {item}")
    s.add("Method")
    for number in range(1, w.chance.randint(4, 9)):
        verb = w.chance.choice(["Mix", "Stir", "Bake", "Chop", "Add", "Simmer"])
        s.add(f"{number}. {verb} {w.sentence(4, 9)}")


def _slides(s: _Sheet, w: _Writer) -> None:
    s.add(w.title(), 0.1, 3)
    s.space()
    for _ in range(w.chance.randint(3, 8)):
        s.add(f"• {w.sentence(2, 6)}", 0.05, 1.8)


def _list(s: _Sheet, w: _Writer) -> None:
    s.add(
        w.chance.choice(["To do", "Shopping list", "Packing list", "Contents", "Index", "Members"]), size=1.5
    )
    for number in range(1, w.chance.randint(8, 45)):
        s.add(
            w.chance.choice([f"{number}. {w.title()}", f"- {w.title()}", f"{w.title()}  .....  {number * 3}"])
        )


def _form(title: str, labels: str) -> Callable[[_Sheet, _Writer], None]:
    def write(s: _Sheet, w: _Writer) -> None:
        s.add(title, w.chance.uniform(0, 0.2), 1.6)
        s.add(w.sentence())
        asked = labels.split("|")
        w.chance.shuffle(asked)
        for label in asked:
            value = w.chance.choice(
                [w.name(), w.date(), str(w.chance.randint(1, 99999)), "", "[ ] yes  [ ] no"]
            )
            s.add(f"{label}:  {value}")
            if w.chance.random() < 0.3:
                s.space()
        s.add(f"Signature  ____________    Date  {w.date()}")

    return write


def _table(title: str, heads: str) -> Callable[[_Sheet, _Writer], None]:
    def write(s: _Sheet, w: _Writer) -> None:
        s.add(title, size=1.7)
        s.add(f"{w.name()}  {w.date()}")
        for row in range(w.chance.randint(8, 50)):
            for at, head in enumerate(heads.split("|")):
                text = (
                    head
                    if row == 0
                    else w.chance.choice(
                        [
                            w.word(),
                            f"{w.chance.randint(0, 23)}:{w.chance.randint(10, 59)}",
                            str(w.chance.randint(0, 9999)),
                        ]
                    )
                )
                if at:
                    left, size, before = s.rows[-1]
                    s.rows[-1] = (left, size, f"{before}   {text}")
                else:
                    s.add(text)

    return write


def _code(s: _Sheet, w: _Writer) -> None:
    for _ in range(w.chance.randint(10, 50)):
        s.add(
            w.chance.choice(
                [
                    f"def {w.word()}_{w.word()}(self, {w.word()}):",
                    f"    return {w.word()}[{w.chance.randint(0, 9)}] + {w.word()}",
                    f"    if {w.word()} != {w.chance.randint(0, 99)}: # {w.sentence(2, 5)}",
                    f"import {w.word()}",
                ]
            )
        )


def _curriculum(s: _Sheet, w: _Writer) -> None:
    s.add(w.name(), size=2.2)
    s.add(
        f"{w.chance.choice(_TOWNS)}  {w.word()}@{w.word()}.org  +44 20 {w.chance.randint(1000000, 9999999)}"
    )
    for part in ("Experience", "Education", "Skills", "Languages", "References"):
        s.add(part.upper(), size=1.3)
        for _ in range(w.chance.randint(1, 4)):
            year = w.chance.randint(1990, 2020)
            s.add(f"{year} - {year + w.chance.randint(1, 6)}  {w.title()}, {w.chance.choice(_TOWNS)}")
            s.add(f"  {w.sentence()}")


def _minutes(s: _Sheet, w: _Writer) -> None:
    s.add(f"Minutes of the meeting of {w.date()}", size=1.4)
    s.add("Present: " + ", ".join(w.name() for _ in range(5)))
    for number in range(1, w.chance.randint(4, 12)):
        s.add(f"{number}. {w.title()}")
        for line in w.lines(w.chance.randint(1, 4), 85):
            s.add(line)


def _poem(s: _Sheet, w: _Writer) -> None:
    s.add(w.title(), 0.1, 1.4)
    for _ in range(w.chance.randint(2, 7)):
        for _ in range(4):
            s.add(w.sentence(4, 8), 0.1)
        s.space()


KINDS: dict[str, Callable[[_Sheet, _Writer], None]] = {
    "letter": _letter,
    "article": _article,
    "prose": _prose,
    "notes": _notes,
    "recipe": _recipe,
    "slides": _slides,
    "list": _list,
    "code": _code,
    "curriculum": _curriculum,
    "minutes": _minutes,
    "poem": _poem,
    "job_application": _form(
        "Application for Employment",
        "Position applied for|Full name|Address|Telephone|Email|Previous employer|Reason for leaving|"
        "Highest qualification|Available from|Driving licence|References",
    ),
    "medical": _form(
        "Patient Intake Form",
        "Patient name|Date of birth|Sex|Allergies|Current medication|Blood group|Emergency contact|"
        "Family doctor|Insurance|Previous operations|Weight|Height",
    ),
    "school": _form(
        "School Enrolment",
        "Pupil's name|Class|Date of birth|Parent or guardian|Home address|Language spoken at home|"
        "Religion|Bus line|Photo permission|Mother|Father",
    ),
    "visa": _form(
        "Application for a Visa",
        "Surname|First name|Nationality|Passport number|Place of birth|Date of entry|Purpose of travel|"
        "Number of entries|Occupation|Host|Means of support",
    ),
    "complaint": _form(
        "Incident Report",
        "Reported by|Location|Time of incident|Witnesses|Description|Injuries|"
        "Police informed|Damage|Action taken",
    ),
    "certificate": _form(
        "Certificate of Birth",
        "Name of child|Place of birth|Father|Mother|Registrar|District|Entry number|Witness",
    ),
    "library": _form("Library Card", "Reader|Shelf mark|Borrowed|Due back|Title|Author|Copies|Fine"),
    "timetable": _table("Timetable", "Station|Arrival|Departure|Platform|Line|Days"),
    "marks": _table("Report Card", "Subject|Grade|Teacher|Absences|Remarks"),
    "measurements": _table("Measurements", "Sample|Mass|Length|Temperature|pH|Error"),
    "menu": _table("Menu", "Starters|Mains|Desserts|Drinks"),
    "statement": _table("Account Statement", "Booked|Value date|Text|Debit|Credit|Balance"),
    "packing": _table("Packing List", "Box|Article|Pieces|Gross weight|Marks"),
    "results": _table("Race Results", "Rank|Name|Club|Time|Behind"),
    "inventory": _table("Inventory", "Shelf|Item|Count|Condition|Checked by"),
    "register": _table("Register of Baptisms", "No|Name|Born|Parents|Godparents|Minister"),
}  # fmt: skip


def documents(each: int, seed: int) -> Iterator[tuple[str, list[PageText]]]:
    """Yield (kind, pages) of `each` documents of every kind, the same for the same seed."""
    for kind, write in KINDS.items():
        for number in range(each):
            chance = random.Random(f"{seed} {kind} {number}")
            sheet = _Sheet(chance)
            write(sheet, _Writer(chance))
            yield kind, sheet.pages()[:8]

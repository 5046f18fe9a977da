"""Spans in sentences: names, sums and descriptions that go over line ends and end within a line.

A form gives a value a cell of its own; a deed or a contract names it in a sentence. Names are found by the
runs of capitalised words that the shape features of named-entity recognisers rest on (Bikel et al. 1999;
Ratinov & Roth 2009), cut where sentences cut them: at marks, at `and`, at words that are never part of a
name, at line ends that may end a line of a list, and rejoined where a legal form, a suffix or `of` does so.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

from alma.datamodel.schemas import FieldType
from alma.extraction.candidates.typed_spans import MOST, TypedSpan, distinct
from alma.extraction.page.layout import Layout
from alma.extraction.page.reading_order import ReadingOrder
from alma.extraction.values.locales import Locale
from alma.extraction.values.parsers import spans
from alma.extraction.values.text import squeeze

#: Words of a name; parts joined by `of` or commas.
NAME_WORDS, JOINED = 12, 4
#: Words and characters of a description; where it may begin and end within a column.
MOST_WORDS, MOST_CHARACTERS = 700, 4000
STARTS, STOPS = 8, 6
#: Words before and after a sum or a date that are read with it.
WINDOW = 24
#: Characters of a word near a line end beyond which it is no prose: reading it costs by its length.
LONGEST_WORD = 80

_OPENING = "([{<“\"'‘„«*_|"
_CLOSING = ",;:.)]}>”\"'’»*_|"
_INITIAL = re.compile(r"^(?:[A-Z]\.?){1,3}$")
_ABBREVIATED = frozenset(
    {
        "jr", "sr", "st", "ste", "mt", "ft", "co", "inc", "ltd", "corp", "dr", "mr", "mrs", "ms", "wm",
        "geo", "chas", "jas", "jos", "thos", "robt", "no", "nos", "bros", "n.a", "p.c", "l.p", "l.l.c",
        "l.l.p", "esq", "hon", "rev", "capt", "col", "assn", "ass'n", "dept", "twp", "bd",
    }
)  # fmt: skip
_SUFFIXES = frozenset({"jr", "sr", "ii", "iii", "iv", "v", "2nd", "3rd", "esq", "md", "phd", "dds"})
_FORMS = frozenset(
    {
        "inc", "incorporated", "llc", "llp", "lp", "ltd", "limited", "corp", "corporation", "co",
        "company", "plc", "na", "pc", "pllc", "sa", "ag", "gmbh", "bv", "nv", "trust", "association",
        "bank", "partnership", "fsb", "pa", "kg", "spa", "srl", "pty", "bhd", "lllp",
    }
)  # fmt: skip
_JOINS = frozenset(
    {
        "of", "for", "the", "de", "la", "le", "du", "del", "van", "von", "der", "den", "y", "at", "to",
    }
)  # fmt: skip
_AND = frozenset({"and", "&", "und", "et", "y"})
#: Words that head or close the name of a place: the name is wanted with and without them.
_PLACES = frozenset(
    {
        "county", "parish", "township", "town", "city", "village", "borough", "district", "state",
        "commonwealth", "hundred", "ward", "magisterial", "province", "territory", "island",
        "subdivision", "addition", "estates", "twp", "co", "municipality", "hamlet",
    }
)  # fmt: skip
#: Words that sentences begin or are made of, and roles: never part of a name, however they are written.
_NEVER = frozenset(
    """
    a an i we he she it they me us you who whom whose which that this these those such said same its his
    her their my our your is are was were be been being am has have had having hath do does did doth
    hereby herein hereto hereof hereunto hereinafter hereinbefore aforesaid whereas whereof wherein
    witnesseth now therefore between by from in into on upon with without under over as at or nor if but
    not all any each every both know men presents persons indenture made entered dated day year unto
    grant grants granted convey conveys conveyed bargain bargained sell sells sold remise release
    releases quitclaim quit claim claims warrant warrants assign assigns transfer transfers give gives
    given grantor grantors grantee grantees vendor vendors vendee vendees purchaser purchasers
    transferor transferors transferee transferees assignor assignors assignee assignees mortgagor
    mortgagors mortgagee mortgagees lessor lessee lessors lessees seller sellers buyer buyers trustor
    trustors beneficiary party parties witness witnesses signed sealed delivered executed acknowledged
    personally appeared came before husband wife widow widower unmarried married single woman man person
    heirs deceased executor executrix administrator administratrix trustee trustees guardian attorney
    notary residing resident residents formerly late consideration sum dollars pounds dollar receipt
    paid hand following described situate situated lying bounded containing acres acre more less
    beginning thence north south east west feet rods poles perches to-wit wit section lot lots block
    blocks range deed deeds mortgage recorded records record filed book volume page pages liber folio
    instrument document hereunder subject together where when date mr mrs ms messrs miss name names
    address seal l.s re ss january february march april may june july august september october november
    december
    """.split()  # noqa: SIM905
)


@dataclass(slots=True)
class _Token:
    """A word as part of a sentence."""

    core: str
    """Without the marks around it, in small letters."""
    capital: bool
    upper: bool
    opens: bool
    """A bracket or a quotation mark stands before it."""
    closes: str
    """The mark behind it that ends a phrase, or nothing."""


@lru_cache(maxsize=1 << 15)
def token_of(text: str) -> _Token:
    """Return a word as part of a sentence, remembered: documents repeat their words."""
    left = text.lstrip(_OPENING)
    core = left.rstrip(_CLOSING)
    tail = left[len(core) :]
    folded = core.casefold().replace("’", "'")
    if tail[:1] == "." and (_INITIAL.match(core) or folded in _ABBREVIATED):
        tail = tail[1:]
    closes = next((c for c in tail if c in ",;:.)”]"), "")
    if core[-2:] in ("'s", "’s"):
        folded = folded[:-2] + "s"
    letters = [c for c in core if c.isalpha()]
    capital = bool(letters) and letters[0].isupper() and not core[:1].isdigit()
    upper = len(letters) > 1 and all(c.isupper() for c in letters)
    return _Token(folded, capital, upper, len(left) < len(text), closes)


def part_of_name(token: _Token) -> bool:
    """Return whether a word can be part of a name."""
    plain = token.core.rstrip(".")
    return token.capital and plain not in _NEVER and plain not in _AND and plain not in _JOINS


def spelled(layout: Layout, order: ReadingOrder, start: int, stop: int) -> str:
    """Return the words at positions of a reading order as text, words parted at line ends joined."""
    parts: list[str] = []
    for at in range(start, stop):
        text = layout.words[order.order[at]].text
        if parts and parted(layout, order, at):
            parts[-1] = parts[-1][:-1] + text
        else:
            parts.append(text)
    return " ".join(parts)


def parted(layout: Layout, order: ReadingOrder, at: int) -> bool:
    """Return whether a position holds the second part of a word that a line end parts."""
    before, text = layout.words[order.order[at - 1]].text, layout.words[order.order[at]].text
    return (
        order.line_of[at] != order.line_of[at - 1]
        and order.column_of[at] == order.column_of[at - 1]
        and len(before) > 2
        and before.endswith("-")
        and before[-2].isalpha()
        and text[:1].islower()
    )


def prose_spans(layout: Layout, order: ReadingOrder, kind: FieldType, locale: Locale) -> list[TypedSpan]:
    """Return the spans of a page's sentences that may be values of a type, each once.

    Parameters
    ----------
    layout : Layout
        The page.
    order : ReadingOrder
        Its words in the order of reading.
    kind : FieldType
        Type of value.
    locale : Locale
        How ambiguous dates and amounts are read.
    """
    if kind in (FieldType.NAME, FieldType.TEXT):
        found = _names(layout, order)
    elif kind in (FieldType.DATE, FieldType.AMOUNT):
        found = _over_line_ends(layout, order, kind, locale)
    elif kind is FieldType.IDENTIFIER:
        found = _letters(layout, order)
    else:
        return []
    return distinct(found)


# --- names ----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Part:
    """A run of words of one name: positions, and what stands between it and the next."""

    start: int
    stop: int
    joined_by: str = ""
    """`of`, `,` or `and` where the next part follows so; nothing where the phrase ends."""


def _names(layout: Layout, order: ReadingOrder) -> Iterator[TypedSpan]:
    tokens = [token_of(layout.words[i].text) for i in order.order]
    for at in range(1, len(tokens)):
        if parted(layout, order, at) and part_of_name(tokens[at - 1]):
            tokens[at] = replace(tokens[at], capital=True)
    seen: set[tuple[int, int]] = set()
    for start, stop in order.columns:
        parts = list(_parts(tokens, start, stop))
        for n in range(len(parts)):
            for first, end in _ways(tokens, order, parts, n):
                if (first, end) in seen or not 0 < end - first <= NAME_WORDS:
                    continue
                seen.add((first, end))
                span = _name(layout, order, first, end)
                if span is not None:
                    yield span


def _parts(tokens: Sequence[_Token], start: int, stop: int) -> Iterator[_Part]:
    """Yield the runs of capitalised words in a column, and how each is joined to the next."""
    part: _Part | None = None
    at = start
    while at < stop:
        token = tokens[at]
        numbered = (
            part is not None and at == part.stop and tokens[at - 1].core.rstrip(".") in ("no", "number")
        )
        if part_of_name(token) or (numbered and token.core[:1].isdigit()):
            if part is None or token.opens:
                if part is not None:
                    yield part
                part = _Part(at, at)
            part.stop = at + 1
            if token.closes:
                part.joined_by = "," if token.closes == "," else ""
                yield part
                part = None
        elif part is not None:
            ahead = at + 1
            word = token.core
            if word in _JOINS and ahead < stop and tokens[ahead].core in _JOINS:
                ahead += 1  # `of the`, `van der`
            follows = ahead < stop and part_of_name(tokens[ahead]) and not token.closes and not token.opens
            if follows and word in _JOINS:
                part.joined_by = "of"
            elif follows and word in _AND:
                part.joined_by = "and"
            yield part
            part = None
        at += 1
    if part is not None:
        yield part


def _ways(
    tokens: Sequence[_Token], order: ReadingOrder, parts: Sequence[_Part], n: int
) -> Iterator[tuple[int, int]]:
    """Yield the spans of positions that begin in part `n` and may be a name."""
    part = parts[n]
    yield part.start, part.stop
    yield from _cut(tokens, order, part)
    # What follows a comma or a join: `, Jr.`, `, Inc.`, `of Ohio`, `& Sons, LLC`.
    stop, plain = part.stop, True
    for before, after in pairwise(parts[n : n + 1 + JOINED]):
        if not before.joined_by or after.start - stop > 2:
            break
        first = tokens[after.start].core.replace(".", "")
        if before.joined_by == "," and first in _SUFFIXES | _FORMS and plain:
            yield part.start, after.start + 1
            for end in range(after.start + 2, after.stop + 1):
                if tokens[end - 1].core.replace(".", "") in _FORMS | _SUFFIXES:
                    yield part.start, end
        elif before.joined_by == "of" and plain:
            yield part.start, after.stop
            yield from ((part.start, end) for _, end in _cut(tokens, order, after))
        elif any(tokens[i].core.replace(".", "") in _FORMS for i in range(after.start, after.stop)):
            yield part.start, after.stop
        else:
            plain = False
        stop = after.stop


def _cut(tokens: Sequence[_Token], order: ReadingOrder, part: _Part) -> Iterator[tuple[int, int]]:
    """Yield the pieces of a run that may be a name on their own."""
    start, stop = part.start, part.stop
    if stop - start < 2:
        return
    for at in range(start + 1, stop):
        if order.line_of[at] != order.line_of[at - 1] or (
            tokens[at].upper != tokens[at - 1].upper
            and len(tokens[at].core.rstrip(".")) > 1
            and len(tokens[at - 1].core.rstrip(".")) > 1
        ):
            yield start, at
            yield at, stop
    end = stop
    while end - 1 > start and tokens[end - 1].core.rstrip(".") in _PLACES:
        end -= 1
        yield start, end
    first = start
    while first + 1 < stop and tokens[first].core.rstrip(".") in _PLACES:
        first += 1
        yield first, stop
    if stop - start > 2:
        yield start + 1, stop


def _name(layout: Layout, order: ReadingOrder, start: int, stop: int) -> TypedSpan | None:
    content = squeeze(spelled(layout, order, start, stop))
    value = content.strip(_OPENING + " -–—#").rstrip(",;:)]}>”\"'’»*_| -–—")
    last = value.rsplit(" ", 1)[-1]
    if value.endswith(".") and not (_INITIAL.match(last) or last[:-1].casefold() in _ABBREVIATED):
        value = value.rstrip(".")
    if sum(c.isalpha() for c in value) < 2:
        return None
    return TypedSpan(tuple(order.order[start:stop]), value, content, 0.9)


_LETTERED = frozenset({"block", "lot", "square", "tract", "unit", "section", "parcel", "phase", "plat"})
_LETTER = re.compile(r"^[A-Z]{1,2}$|^[IVX]{1,5}$")


def _letters(layout: Layout, order: ReadingOrder) -> Iterator[TypedSpan]:
    """Yield letters that number something: `Block D`."""
    for at in range(1, len(order.order)):
        text = layout.words[order.order[at]].text
        value = text.strip(_OPENING + _CLOSING)
        if _LETTER.match(value) and token_of(layout.words[order.order[at - 1]].text).core in _LETTERED:
            yield TypedSpan((order.order[at],), value, text, 0.5)


def is_of_cells(span: TypedSpan, order: ReadingOrder, kind: FieldType) -> bool:
    """Return whether cells mean anything where a name or a text begins: not in prose, but for a title."""
    at = order.position[span.words[0]]
    if not order.prose[order.column_of[at]]:
        return True
    return kind is FieldType.TEXT and (at == 0 or order.line_of[at] != order.line_of[at - 1])


# --- sums and dates -------------------------------------------------------------------------------------

_SPELLED_SUM = re.compile(r"^(?:dollars?|pounds?|euros?)$")


def _over_line_ends(
    layout: Layout, order: ReadingOrder, kind: FieldType, locale: Locale
) -> Iterator[TypedSpan]:
    """Yield the values of a type that begin in one line of a column and end in another."""
    words = layout.words
    for start, stop in order.columns:
        for at in range(start + 1, stop):
            if order.line_of[at] == order.line_of[at - 1]:
                continue
            first, end = max(start, at - WINDOW), min(stop, at + WINDOW)
            if any(len(words[order.order[position]].text) > LONGEST_WORD for position in range(first, end)):
                continue
            starts, text = [], ""
            for position in range(first, end):
                starts.append(len(text))
                text += words[order.order[position]].text + " "
            for span in spans(text, kind, locale):
                begin, last = _touched(starts, span.start, span.end)
                if first + begin < at <= first + last:
                    yield TypedSpan(
                        tuple(order.order[first + begin : first + last + 1]),
                        span.value,
                        text[span.start : span.end].strip(),
                        span.quality,
                    )


def _touched(starts: Sequence[int], start: int, end: int) -> tuple[int, int]:
    """Return the first and the last of the words that `text[start:end]` touches."""
    return max(bisect_left(starts, start + 1) - 1, 0), bisect_left(starts, end) - 1


# --- descriptions ---------------------------------------------------------------------------------------

_BEGINS = frozenset(
    """
    all that a an the those lot lots part parcel tract being situate situated situated, beginning
    commencing land certain unit on one block premises property real section northeast northwest
    southeast southwest north south east west described
    """.split()  # noqa: SIM905
)
_ENDS_BEFORE = re.compile(
    r"^(?:being the same|and being the same|to have|to hold|together with|subject to|excepting|except"
    r"|for title|prior|permanent|parcel|tax|address|property address|dated|in witness|witness|for the"
    r"|the property herein"
    r"|this conveyance|reserving|commonly known|a\.?p\.?n|assessor|source of title|derivation|it being)\b",
    re.IGNORECASE,
)


def without_brackets(span: TypedSpan, layout: Layout, order: ReadingOrder) -> TypedSpan:
    """Return a sum of a sentence that stands in brackets, behind the same in words, as no negative one."""
    if not span.value.startswith("-") or not span.content.startswith("("):
        return span
    at = order.position[span.words[0]]
    before = token_of(layout.words[order.order[at - 1]].text).core if at else ""
    if not order.prose[order.column_of[at]] and not _SPELLED_SUM.match(before):
        return span
    return replace(span, value=span.value[1:])


def descriptions(layout: Layout, order: ReadingOrder) -> list[TypedSpan]:
    """Return the stretches of a page's paragraphs that may be a description: from a beginning to an end.

    One begins where a sentence, a line or what follows a colon begins with a word that descriptions begin
    with, and ends at the end of a sentence or of a paragraph.
    """
    found: list[TypedSpan] = []
    tokens = [token_of(layout.words[i].text) for i in order.order]
    for start, stop in order.columns:
        starts = [at for at in range(start, stop) if _may_begin(tokens, order, at, start)][: STARTS * 4]
        stops = [at for at in range(start + 1, stop + 1) if _may_end(layout, order, tokens, at, stop)]
        for first in starts:
            later = [at for at in stops if 3 < at - first <= MOST_WORDS]
            for end in [*later[:STOPS], *later[-1:]]:
                content = squeeze(spelled(layout, order, first, end))
                if len(content) <= MOST_CHARACTERS:
                    found.append(
                        TypedSpan(tuple(order.order[first:end]), content.strip(" :;,"), content, 0.9)
                    )
                if len(found) >= MOST:
                    return found
    return found


def _may_begin(tokens: Sequence[_Token], order: ReadingOrder, at: int, column: int) -> bool:
    if tokens[at].core not in _BEGINS:
        return False
    if at == column or order.line_of[at] != order.line_of[at - 1]:
        return True
    if tokens[at - 1].closes or tokens[at].upper:
        return True
    # "ALL that certain lot", "the land": with the first word, and without.
    return tokens[at - 1].core in ("the", "all") and _may_begin(tokens, order, at - 1, column)


def _may_end(layout: Layout, order: ReadingOrder, tokens: Sequence[_Token], at: int, column: int) -> bool:
    if at == column:
        return True
    if tokens[at - 1].closes not in (".", ",", ";", ")") and order.line_of[at] == order.line_of[at - 1]:
        return False
    ahead = " ".join(layout.words[i].text for i in order.order[at : min(at + 4, column)])
    sentence_ends = tokens[at - 1].closes == "." and ahead[:1].isupper()
    return sentence_ends or _ENDS_BEFORE.match(ahead) is not None

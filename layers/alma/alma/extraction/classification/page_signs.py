"""What a page says of the document it belongs to, in words: rules beside the page model.

A number of its own (`Invoice No: INV-20417`) tells documents of one form apart, which look alike to the page
model; a separator sheet ends a document; a numbered section, a table or a figure at the top goes on with one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from alma.extraction.page.labels import Label, LabelMatch, Lexicon
from alma.extraction.page.layout import Layout
from alma.extraction.values.text import fold

#: Labels of numbers that a document has for itself, by kind; those of orders, contracts and customers stand
#: on several documents.
_LABELS = {
    "invoice": (
        *("invoice no", "invoice number", "invoice id", "invoice ref", "tax invoice no", "inv no", "bill no"),
        *("bill number", "rechnung nr", "rechnungs nr", "rechnungsnummer", "belegnummer", "beleg nr"),
        *("numero de facture", "facture no", "no facture", "no de facture", "factuurnummer", "factuur nr"),
        *("numero fattura", "fattura no", "fattura n", "no fattura", "numero de factura", "factura no"),
        *("no factura", "no de factura", "numero da fatura", "fatura no", "no da fatura", "nota fiscal no"),
        *("fakturanummer", "faktura nr", "fakturanr", "numer faktury", "faktura vat nr", "cislo faktury"),
        *("faktura cislo", "laskun numero", "lasku nro", "szamla szama", "szamlaszam"),
    ),
    "credit note": ("credit note no", "credit memo no", "gutschrift nr", "gutschriftsnummer", "avoir no"),
    "delivery note": (
        "delivery note no",
        "packing slip no",
        "lieferschein nr",
        "bon de livraison no",
        "pakbon no",
    ),
    "receipt": ("receipt no", "receipt number", "quittung nr", "quittungsnummer"),
    "statement": ("statement no", "statement number"),
    "quotation": ("quote no", "quotation no", "angebot nr", "angebotsnummer", "devis no", "offerte no"),
    "waybill": ("waybill no", "bill of lading no", "consignment no"),
    "claim": ("claim no", "claim number"),
    "certificate": ("certificate no", "certificate number", "policy no", "policy number"),
    "document": ("document no", "document number"),
}
_SEPARATOR = re.compile(
    r"\bpatch(?: ?code)?[ -]?(?:t|[1-6]|ii|iii|iv|vi)\b|\bpatch ?code\b"
    r"|\bseparator(?: sheet| page)?\b|\b(?:document|batch|file) (?:separator|divider|break)\b"
    r"|\bdivider (?:sheet|page)\b"
    r"|\btrenn(?:blatt|seite)\b|\b(?:page|feuille|feuillet) (?:de separation|intercalaire|separatrice)\b"
    r"|\bscheidingsblad\b|\bhoja separadora\b|\b(?:pagina|foglio) (?:di separazione|separator[ea])\b"
    r"|\bfolha separadora\b|\bskilleark\b|\bskiljeblad\b|\bkartka rozdzielajaca\b"
)
_BLANK = re.compile(
    r"\b(?:intentionally|deliberately) (?:left )?blank\b|\bpage (?:is )?left blank\b"
    r"|\bblank page\b|\babsichtlich (?:leer|frei)\b|\bleerseite\b"
    r"|\bpage (?:laissee )?(?:volontairement )?(?:vierge|blanche)\b"
)
_SECTION = re.compile(r"^(?:section |kapitel |chapter )?(\d{1,2})(?:\.\d{1,2})*[.)] ?[^\W\d_]")
_EXHIBIT = re.compile(r"^(?:table|tabelle|tableau|tabla|figure|fig|abbildung|abb)\b\.? ?\d{1,3}\b")
_DATE = re.compile(
    r"\b\d{1,2}[./-]\d{1,2}[./-]\d{2,4}\b|\b\d{4}-\d{2}-\d{2}\b"
    r"|\b(?:jan|feb|mar|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz])\w*\.? \d{1,2},? \d{4}\b"
    r"|\b\d{1,2}\.? (?:de )?[^\W\d_]{3,10}\.? (?:de )?\d{4}\b"
)
_SALUTATION = re.compile(r"^(?:dear|sehr geehrte|madame|monsieur|geachte|estimad|egregi|gentile|to whom)\b")
_NUMBER = re.compile(r"[^\W_]*[-/.]?[^\W_]*\d[\w/.-]*")
#: A separator sheet, and a page that says that it is blank, have no more words.
_SHEET = 40
#: A number stands within so many line heights to the right of its label, or in one of so many rows below.
_REACH, _BELOW = 25.0, 3
#: Rows at the top of a page in which a document says what it is.
_HEAD = 14


@dataclass(frozen=True, slots=True)
class PageSigns:
    """What a page says of its document."""

    separator: bool
    """It is a sheet between documents, and belongs to none."""
    blank: bool
    """Nothing stands on it, or only that."""
    first_row: str
    """Folded; where there is a letterhead, its beginning."""
    numbers: Mapping[str, tuple[str, float]]
    """By kind, the number that the document has and how far down the page it stands; none of a kind of which
    there are several."""
    goes_on: bool
    """It begins with a later section, a table or a figure."""
    opens: bool
    """Its head has what a document begins with: a date, a salutation, a number."""

    @property
    def speaks(self) -> bool:
        """It is a page of a document, and something stands on it."""
        return not self.separator and not self.blank


#: Of a page of which only what the page model looks at is known.
NO_SIGNS = PageSigns(separator=False, blank=False, first_row="", numbers={}, goes_on=False, opens=False)


def page_signs(layout: Layout) -> PageSigns:
    """Return what a page says of its document. Linear in the number of its words."""
    rows = [fold(layout.text(*row)) for row in layout.rows[:_HEAD]]
    text = " ".join(rows) if len(layout.words) <= _SHEET else ""
    numbers = _numbers(layout)
    section = _SECTION.match(rows[0]) if rows else None
    return PageSigns(
        separator=bool(_SEPARATOR.search(text)),
        blank=not any(sum(c.isalnum() for c in word.text) >= 3 for word in layout.words)
        or bool(_BLANK.search(text)),
        first_row=rows[0] if rows else "",
        numbers=numbers,
        goes_on=bool(rows) and (bool(_EXHIBIT.match(rows[0])) or (section is not None and section[1] != "1")),
        opens=bool(numbers) or any(_DATE.search(row) or _SALUTATION.match(row) for row in rows),
    )


@lru_cache(maxsize=1)
def _lexicon() -> Lexicon:
    return Lexicon.of({each: [Label(kind, 0)] for kind, phrases in _LABELS.items() for each in phrases})


def _numbers(layout: Layout) -> dict[str, tuple[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for match in _lexicon().hits(layout):
        value = _value(layout, match)
        if value is not None:
            found.setdefault(match.labels[0].key, {}).setdefault(value, layout.words[match.start].box.y)
    return {kind: next(iter(each.items())) for kind, each in found.items() if len(each) == 1}


def _value(layout: Layout, label: LabelMatch) -> str | None:
    """Return the number beside a label or under it."""
    words, row = layout.words, layout.row_of[label.start]
    end = layout.rows[row][1]
    beside = next(
        (at for at in range(label.end, min(label.end + 2, end)) if words[at].text.strip("#:.")), end
    )
    if beside < end and layout.gap(label.end - 1, beside) <= _REACH:
        number = _as_number(words[beside].text)
        if number is not None:
            return number
    left, right = words[label.start].box.x, words[label.end - 1].box.right
    for first, last in layout.rows[row + 1 : row + 1 + _BELOW]:
        under = [word for word in words[first:last] if word.box.x < right and word.box.right > left]
        if under:
            return _as_number(under[0].text)
    return None


def _as_number(text: str) -> str | None:
    folded = fold(text).strip("#:;,.()")
    digits = sum(c.isdigit() for c in folded)
    return folded if digits >= 2 and len(folded) <= 30 and _NUMBER.fullmatch(folded) else None

"""What alma cannot read, said plainly: handwriting, letters of another script, a type or language unknown.

A document without a type or with few fields looks like one that has nothing to say. Scripts are told by
Unicode's names of their letters. A language is not named: where no type fits, only that is said.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import islice

from alma.datamodel.fields import ReadingWarning, WarningReason
from alma.datamodel.pages import PageText, Track
from alma.datamodel.schemas import DocumentSchema
from alma.extraction.classification.boundaries import best_track

#: Least confidence of a word that counts as read, and letters that make it one. Of what is seen on images at
#: least half must be such words: so it was on all of 574 printed documents (receipts the least, with .59),
#: and on 5 of 30 handwritten ones; images in Cyrillic, Hebrew, Arabic and Greek have next to none.
CLEAR, LETTERS, LEAST_CLEAR = 0.7, 2, 0.5
#: Words and lines on images, and letters, that tell anything.
LEAST_SEEN, LEAST_LETTERS = 4, 20
#: Letters whose script is looked at.
MOST_LETTERS = 20_000
#: Scripts that are written together, by the name for people.
_TOGETHER = {
    "CJK": "Chinese or Japanese",
    "HIRAGANA": "Chinese or Japanese",
    "KATAKANA": "Chinese or Japanese",
    "HANGUL": "Korean",
    "FULLWIDTH": "Latin",
    "MASCULINE": "Latin",
    "FEMININE": "Latin",
}

_OWN_TYPE = (
    "Describe a type of your own with labels as they stand in it (PUT /api/v1/schemas/NAME), and have it "
    'read as that: POST /api/v1/documents/ID/extract with {"docType": "NAME"}, or send it with --type NAME.'
)


@lru_cache(maxsize=8192)
def script_of(character: str) -> str | None:
    """Return the script of a letter as people name it, None for what is no letter.

    >>> script_of("a"), script_of("я"), script_of("ש"), script_of("あ"), script_of("1")
    ('Latin', 'Cyrillic', 'Hebrew', 'Chinese or Japanese', None)
    """
    if not character.isalpha():
        return None
    name = unicodedata.name(character, "").partition(" ")[0].partition("-")[0]
    return _TOGETHER.get(name, name.title()) or None


def warning_of(pages: Sequence[PageText], schema: DocumentSchema | None) -> ReadingWarning | None:
    """Return why a document has no type, or why fields of its type may be missing; None where all is well.

    Parameters
    ----------
    pages : sequence of PageText
        Its pages; one can be there once per track.
    schema : DocumentSchema or None
        Its type, where it has one.
    """
    read = best_track(pages)
    clear, seen = _clear(page for page in read if page.track is Track.VISION)
    if seen >= LEAST_SEEN and clear < LEAST_CLEAR * seen:
        return ReadingWarning(
            WarningReason.TEXT_NOT_READ,
            f"{seen - clear} of {seen} words and lines seen on its images could not be read surely: it is "
            "handwritten, a poor image, or in letters that the recogniser does not know (it reads Latin, "
            "Chinese and Japanese). Send a PDF that has its text, or a better image, or enter the fields by "
            "hand.",
        )
    scripts = _scripts(word.text for page in read for word in page.words)
    script = max(scripts, key=lambda each: scripts[each], default="Latin")
    foreign = script != "Latin" and scripts[script] >= LEAST_LETTERS
    if foreign and not _has_labels(schema, script):
        whose = "no document type's words" if schema is None else f"few labels of the type {schema.doc_type}"
        return ReadingWarning(
            WarningReason.SCRIPT_NOT_KNOWN,
            f"Its text is in {script} letters, and alma knows {whose} in it. {_OWN_TYPE}",
        )
    if schema is not None:
        return None
    if not any(page.words for page in read):
        return ReadingWarning(
            WarningReason.NO_TEXT,
            "No words were seen on its pages. If there are some, send a sharper image, or enter the fields "
            "by hand.",
        )
    return ReadingWarning(
        WarningReason.NO_TYPE_FITS,
        "Too few words of any document type were found in it: it is of another type, or in a language whose "
        f"labels the types do not have. {_OWN_TYPE}",
    )


def _clear(pages: Iterable[PageText]) -> tuple[int, int]:
    """Return how many words of images are read surely, and how many words and unread lines were seen."""
    clear = seen = 0
    for page in pages:
        sure = [
            word.confidence is None or word.confidence >= CLEAR
            for word in page.words
            if sum(map(str.isalpha, word.text)) >= LETTERS
        ]
        clear += sum(sure)
        seen += len(sure) + page.unreadable
    return clear, seen


def _scripts(texts: Iterable[str]) -> Counter[str]:
    """Count the letters of texts by script."""
    found = (script_of(character) for text in texts for character in text)
    return Counter(islice((script for script in found if script is not None), MOST_LETTERS))


def _has_labels(schema: DocumentSchema | None, script: str) -> bool:
    """Tell whether at least half of a type's fields that have labels have one in a script."""
    if schema is None:
        return False
    labelled = [(*field.aliases, *field.synonyms) for field in schema.fields if field.aliases]
    known = sum(any(_scripts([label])[script] for label in labels) for labels in labelled)
    return not labelled or 2 * known >= len(labelled)

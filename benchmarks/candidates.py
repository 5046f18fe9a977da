"""Candidate recall: the share of labelled values that are offered at all. What is not offered cannot be read.

`python -m benchmarks.candidates --data DIR [--words DIR]`

DIR holds `labels.jsonl` and the files it names; types are those of the labels. `rules` counts what a label, a
pattern or a place of the schema points at, `all` also every span that looks like the field's type.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track as progress
from rich.table import Table

from alma.datamodel.pages import PageText
from alma.datamodel.schemas import shipped_schemas
from alma.errors import AlmaError
from alma.extraction.resolve import layouts_by_track
from alma.extraction.scoring.track_candidates import candidates_by_track
from alma.extraction.values.names import value_of
from alma.learning.evaluation import canonical
from scripts.labelled import metrics
from scripts.labelled.labels import read_labels, words_of

#: Of a field: labelled values, those a rule points at, those that are candidates.
Counts = dict[tuple[str, str], list[int]]


def count(document: Mapping[str, Any], pages: list[PageText], counts: Counts) -> None:
    """Add a document's labelled values to the counts."""
    named = str(document["doc_type"])
    schema = shipped_schemas()[metrics.TYPE_NAMES.get(named, named)]
    voted: dict[str, set[str]] = defaultdict(set)
    every: dict[str, set[str]] = defaultdict(set)
    for found in candidates_by_track(layouts_by_track(pages), schema).values():
        for field in schema.fields:
            for candidate in found.by_field[field.key]:
                value = canonical(value_of(field, candidate.value))
                every[field.key].add(value)
                if candidate.votes:
                    voted[field.key].add(value)
    for label in document["fields"]:
        key = metrics.KEY_NAMES.get((named, label["key"]), label["key"])
        known = schema.field(key)
        if known is None or label.get("weak") or label.get("field_type") == "checkbox":
            continue
        value = metrics.expected(named, label, known.type)
        of_field = counts[schema.doc_type, key]
        of_field[0] += 1
        of_field[1] += value in voted[key]
        of_field[2] += value in every[key]


def main() -> int:
    """Count and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--words", type=Path, default=Path(tempfile.gettempdir()) / "alma-words")
    asked = parser.parse_args()
    counts: Counts = defaultdict(lambda: [0, 0, 0])
    for document in progress(read_labels(asked.data), "Reading"):
        if document["doc_type"] in metrics.NO_TYPE:
            continue
        try:
            count(document, words_of(document, asked.data, asked.words), counts)
        except AlmaError as error:
            print(f"{document['id']}: {error.detail}", file=sys.stderr)
    table = Table("type", "field", "n", "rules", "all", box=None)
    for doc_type in sorted({name for name, _ in counts}):
        own = {key: each for (name, key), each in counts.items() if name == doc_type}
        total = [sum(each[n] for each in own.values()) for n in range(3)]
        for key, (n, rules, every) in [*sorted(own.items()), ("[bold]all[/]", total)]:
            table.add_row(doc_type, key, str(n), f"{rules / n:.3f}", f"{every / n:.3f}")
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())

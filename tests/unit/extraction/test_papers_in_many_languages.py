"""Invoices and receipts in seventeen languages: the type, the sums, the days and every cell of the lines.

Each file in `languages` is a page as a typewriter would set it, and below `---` what stands on it.
"""

from pathlib import Path

import pytest

from alma.datamodel.schemas import shipped_schemas
from alma.extraction.resolve import extract
from tests.unit.written import page

PAPERS = sorted((Path(__file__).parent / "languages").glob("*.txt"))

Values = dict[str, str]


def written(paper: Path) -> tuple[str, Values, list[Values]]:
    """Return the page, the values of its fields, and those of its rows."""
    text, _, right = paper.read_text(encoding="utf-8").partition("\n---\n")
    lines = [line.split(" = ", 1) for line in right.splitlines()]
    rows = [dict(cell.split(": ", 1) for cell in said.split(" | ")) for key, said in lines if key == "row"]
    return text, dict(line for line in lines if line[0] != "row"), rows


def test_there_are_three_papers_of_each_language() -> None:
    languages = [paper.stem.partition("-")[0] for paper in PAPERS]
    assert {languages.count(language) for language in languages} == {3}
    assert len(set(languages)) == 17


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: paper.stem)
def test_a_paper_is_read_under_the_labels_of_its_language(paper: Path) -> None:
    text, right, rows = written(paper)
    found = extract([page(text)], shipped_schemas())
    single = {field.key: field.best.value for field in found.fields if not field.group and field.best}
    cells: dict[int, Values] = {}
    for field in found.fields:
        if field.group:
            cells.setdefault(field.occurrence, {})[field.key.partition(".")[2]] = field.best.value
    assert {"doc_type": found.doc_type, **single}.items() >= right.items()
    assert [cells[number] for number in sorted(cells)] == rows

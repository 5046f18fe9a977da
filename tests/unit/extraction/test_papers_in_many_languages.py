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


HEADERS = [
    ("ARTIKELBEZEICHNUNG", "MENGE", "E-PREIS", "GESAMTPREIS"),
    ("DÉSIGNATION", "QUANTITÉ", "PRIX UNITAIRE HT", "MONTANT HT"),
    ("DESCRIPCIÓN", "CANT.", "P. UNIT.", "TOTAL"),
    ("DESCRIZIONE DEI BENI", "Q.TÀ", "PREZZO UNIT.", "IMPORTO"),
    ("DISCRIMINAÇÃO", "QTDE", "VL. UNITÁRIO", "VALOR TOTAL"),
    ("OMSCHRIJVING", "AANTAL", "PRIJS", "TOTAAL EXCL."),
    ("VAREBESKRIVELSE", "ANTAL", "PRIS", "BELØB"),
    ("BESKRIVELSE", "ANTALL", "PRIS", "BELØP"),
    ("ARTIKELBENÄMNING", "LEV. ANTAL", "PRIS/ST", "BELOPP"),
    ("NAZWA TOWARU LUB USŁUGI", "ILOŚĆ", "CENA JEDN. NETTO", "WARTOŚĆ NETTO"),
    ("OZNAČENÍ DODÁVKY", "MNOŽSTVÍ", "J. CENA", "CELKEM"),
    ("NIMIKE", "KPL", "HINTA", "YHTEENSÄ"),
    ("DENUMIREA PRODUSELOR SAU A SERVICIILOR", "CANT.", "PREȚ UNITAR (fără TVA)", "VALOAREA"),
    ("TERMÉK MEGNEVEZÉSE", "MENNY.", "EGYSÉGÁR", "NETTÓ ÉRTÉK"),
    ("AÇIKLAMA", "MİKTAR", "BİRİM FİYATI", "TUTARI"),
    ("品番・品名", "数量", "単価", "金額(税抜)"),
    ("货物或应税劳务、服务名称", "数 量", "单 价", "金 额"),
    ("品名", "數量", "單價", "金額"),
]


@pytest.mark.parametrize("header", HEADERS, ids=lambda header: header[0])
def test_columns_are_known_by_other_labels_and_in_capitals(header: tuple[str, ...]) -> None:
    lines = [header, ("Alfa beta", "10", "12,50", "125,00"), ("Gamma delta", "4", "320,25", "1.281,00")]
    text = "\n".join(f"{a:<42}{b:>14}{c:>24}{d:>24}" for a, b, c, d in lines)
    found = extract([page(f"Ahlers GmbH\n\n{text}")], shipped_schemas(), "invoice")
    assert [(f.key.partition(".")[2], f.best.value) for f in found.fields if f.group] == [
        ("description", "Alfa beta"),
        ("quantity", "10"),
        ("unit_price", "12.50"),
        ("amount", "125.00"),
        ("description", "Gamma delta"),
        ("quantity", "4"),
        ("unit_price", "320.25"),
        ("amount", "1281.00"),
    ]

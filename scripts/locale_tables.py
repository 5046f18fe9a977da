"""Month names and currencies from the Unicode CLDR, as `layers/alma/alma/data/cldr.json` carries them.

`uv run --with babel==2.19.0 python -m scripts.locale_tables`

babel brings the CLDR; it is needed here only, because its import and its size have no place where pages are
read. The data are under the Unicode licence, which stands beside them (`cldr-LICENSE.txt`).
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path

from alma.extraction.values.text import fold

DATA = Path(__file__).parents[1] / "layers/alma/alma/data"
#: Languages whose months are written in words: those of Europe, and some that write the Latin alphabet or one
#: of their own elsewhere. Chinese, Japanese and Korean count their months.
LANGUAGES = """
en de de_AT fr nl es it pt ca gl eu pl cs sk sl hr bs sr sr_Latn mk bg ru uk be lt lv et fi sv da nb nn is fo
hu ro sq el tr mt ga cy gd lb fy rm id ms tl th af sw he ar hi
"""
#: What people write and the CLDR does not have, by month.
ALSO = (
    "janv ene gen janner jaenner jan",
    "fevr feber feb",
    "maerz mrz mrt marzec marta",
    "avr avril apr abr",
    "mei mag maj mai",
    "giu juin juni jun",
    "juil lug juli jul",
    "aout ago aug",
    "sept sep set sett",
    "okt ott oct",
    "nov",
    "dez dic dec",
)
#: Months that two languages give one name; the second is Croatian.
CLASHES = {"listopad": 11, "listopada": 11, "lis": 11, "lip": 7, "srp": 8}


def months() -> dict[str, int]:
    """Return the month of each name, folded."""
    from babel.dates import get_month_names

    found: dict[str, set[int]] = defaultdict(set)
    for language in LANGUAGES.split():
        for context in ("format", "stand-alone"):
            for width in ("wide", "abbreviated"):
                for number, name in get_month_names(width, context, language).items():
                    words = re.sub(r"^d(?:e\s|['’]\s?)", "", name.lower()).replace(".", "")
                    if re.fullmatch(r"[^\W\d_](?:[^\W\d_]|[^\w\s]){1,}", words):
                        found[fold(words)].add(number)
    for number, names in enumerate(ALSO, start=1):
        for name in names.split():
            found[name].add(number)
    known = {
        name: CLASHES.get(name, min(of)) for name, of in found.items() if len(of) == 1 or name in CLASHES
    }
    return dict(sorted(known.items()))


def currencies() -> dict[str, int]:
    """Return the decimals of each currency that some country uses today."""
    from babel.core import get_global
    from babel.numbers import get_currency_precision, get_territory_currencies

    codes = {code for land in get_global("territory_currencies") for code in get_territory_currencies(land)}
    return {code: get_currency_precision(code) for code in sorted(codes)}


def main() -> None:
    """Write the table and its licence."""
    import babel
    from babel.core import get_cldr_version

    table = {
        "source": f"Unicode CLDR {get_cldr_version()}, by scripts/locale_tables.py; see cldr-LICENSE.txt",
        "months": months(),
        "currencies": currencies(),
    }
    text = json.dumps(table, ensure_ascii=False, indent=0)
    (DATA / "cldr.json").write_text(text + "\n", encoding="utf-8")
    licence = Path(babel.__file__).parent / "locale-data/LICENSE.unicode"
    (DATA / "cldr-LICENSE.txt").write_bytes(licence.read_bytes())


if __name__ == "__main__":
    main()

"""Currencies: their codes, their signs and abbreviations, and how many decimals their amounts have."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources

from alma.extraction.values.text import fold


@lru_cache(maxsize=1)
def cldr() -> Mapping[str, Mapping[str, int]]:
    """Return the table that `scripts/locale_tables.py` writes: `months` and `currencies`."""
    table: Mapping[str, Mapping[str, int]] = json.loads(
        resources.files("alma.data").joinpath("cldr.json").read_text(encoding="utf-8")
    )
    return table


#: What people write for each currency, `_` for a space; `-` for what may be that of several lands.
_FORMS = """
- ¥ ﷼ $ 圓 kn Fr Fr. Frs Frs. kr kr. Kr Kr. KR Rs Rs. RS RS. Bs Bs. DH Dh dh FCFA F_CFA CFA
AED Dhs Dhs. د.إ
ARS AR$
AUD A$ AU$
AZN ₼
BAM KM
BBD Bds$
BDT ৳
BGN лв лв. lv lv.
BHD BD
BRL R$
BZD BZ$
CAD C$ CA$ CAD$ Can$
CHF SFr SFr. sFr.
CLP CLP$
CNY RMB CN¥ 元 圆
COP COL$
CRC ₡
CZK Kč Kc
DZD DA
EGP LE L.E. ج.م
EUR € euro euros Euro Euros EURO евро ευρώ
GBP £
GEL ₾
GHS ₵ GH₵
HKD HK$
HUF Ft
IDR Rp Rp.
ILS ₪ NIS ש"ח ש״ח
INR ₹
JMD J$
JOD JD
JPY JP¥ 円
KES KSh Ksh KSh.
KHR ៛
KRW ₩ 원
KWD KD KD. د.ك
KZT ₸
LAK ₭
MAD د.م.
MKD ден ден.
MNT ₮
MXN MX$
MYR RM
NGN ₦
NZD NZ$
PEN S/ S/.
PHP ₱
PLN zł zl
PYG ₲ ₲. Gs.
QAR QR
RON lei Lei
RSD din din. дин дин.
RUB ₽ р р. руб руб. рублей
SAR SR ر.س
SGD S$ SG$
THB ฿ บาท บ.
TND DT د.ت
TRY ₺ TL
TTD TT$
TWD NT$
TZS TSh
UAH ₴ грн грн.
UGX USh
USD US$ USD$ U.S.$
VND ₫ VNĐ đ đồng
XCD EC$
ZAR R
"""
#: Codes of money that was, on papers that are still about.
_OF_OLD = "BGN HRK LTL LVL EEK SKK SIT MTL CYP DEM FRF ITL ESP ATS NLG BEF PTE FIM IEP GRD"
_WRITTEN: dict[str, str] = {
    form.replace("_", " "): "" if code == "-" else code
    for code, *forms in (line.split() for line in _FORMS.split("\n") if line)
    for form in forms
} | {code: code for code in _OF_OLD.split()}
#: Codes that are English words in capitals as often as money.
_WORDS = frozenset({"ALL", "TOP", "CUP", "SOS", "GEL", "MOP"})
_RISKY = "BD Bs DA DH DT Dh JD KD KM KR LE QR R RS S/ SR TL kn lv"
#: Abbreviations that are as often the beginning of a code, where digits follow at once (`SR100`).
RISKY = frozenset(
    {
        "KM",
        "TL",
        "DT",
        "DA",
        "DH",
        "Dh",
        "KD",
        "BD",
        "JD",
        "LE",
        "SR",
        "QR",
        "KR",
        "RS",
        "Bs",
        "kn",
        "lv",
        "S/",
        "R",
    }
)
_WITHOUT_CENTS = "CLP COP GNF HUF IDR IRR ISK JPY KRW LAK PYG RWF UGX VND XAF XOF XPF"
#: Amounts of these are written without decimals, whatever the law says of their cents.
_WHOLE = frozenset(_WITHOUT_CENTS.split())


#: Small letters where recognisers read them so.
_SMALL = "usd eur gbp chf myr sgd cad aud inr hkd jpy nok sek dkk pln rm rs rs. Usd Eur Chf Rm"


def _expression() -> str:
    codes = set(cldr()["currencies"]) - _WORDS
    rests: dict[str, list[str]] = {}
    for written in sorted({*_WRITTEN, *codes, *_SMALL.split()}, key=lambda w: (-len(w), w)):
        rests.setdefault(written[0], []).append(re.escape(written[1:]).replace(r"\ ", r"\s?"))
    # By their first letter, so that few are tried.
    return "(?:" + "|".join(f"{re.escape(first)}(?:{'|'.join(each)})" for first, each in rests.items()) + ")"


#: Codes, signs and abbreviations of currencies, as an expression.
CURRENCY = _expression()


def code_of(written: str) -> str | None:
    """Return the ISO 4217 code of what stands for a currency, or None where it stands for several."""
    text = written.strip()
    code = _WRITTEN.get(text)
    if code is None and text.upper() in cldr()["currencies"]:
        code = text.upper()
    if code is None:
        code = next((c for w, c in _WRITTEN.items() if fold(w) == fold(text)), "")
    return code or None


def decimals_of(code: str) -> int:
    """Return how many decimals amounts of a currency are written with."""
    return 0 if code in _WHOLE else cldr()["currencies"].get(code, 2)

"""Words and formulas by which a sentence of a legal instrument says what it is about to name.

`ROLES` are words for who somebody is, `FORMULAS` for which part of the instrument a sentence belongs to; both
by class, so that a wording that was never seen profits from others: what holds of `grantor` holds of
`vendor`. Single words and phrases, as `alma.extraction.page.labels.squash` writes each word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

ROLES: Mapping[str, str] = {
    "giver": """
        grantor, grantors, vendor, vendors, transferor, transferors, assignor, assignors, mortgagor,
        mortgagors, seller, sellers, lessor, lessors, trustor, trustors, donor, donors, settlor,
        releasor, first part, one part, first party, licensor, disclosing party, discloser, grantor s,
        party of the first part, conveyor""",
    "taker": """
        grantee, grantees, vendee, vendees, purchaser, purchasers, transferee, transferees, assignee,
        assignees, mortgagee, mortgagees, buyer, buyers, lessee, lessees, donee, second part, other
        part, second party, receiving party, recipient, licensee, grantee s, party of the second part,
        the other""",
    "beneficiary": "beneficiary, beneficiaries, third part, third party, cestui",
    "company": "company, corporation, corporate, limited liability, partnership, incorporated under, bank",
    "trustee": "trustee, trustees, as trustee, in trust, trust agreement, successor trustee",
    "estate": """
        executor, executrix, executors, administrator, administratrix, administrators, personal
        representative, estate of, last will, testament, deceased, decedent, testator, guardian,
        sheriff, marshal, commissioner, receiver, referee""",
    "spouse": """
        his wife, her husband, husband and wife, wife of, husband of, widow, widower, unmarried, single
        man, single woman, single person, a single, spouse, married man, married woman, dower, curtesy,
        spinster, bachelor, et ux, et al""",
    "witness": """
        witness, witnesses, in the presence of, in presence of, presence, attest, attested, witnessed""",
    "notary": """
        notary, notary public, justice of the peace, commission expires, commissioner of oaths,
        magistrate, duly commissioned, undersigned authority""",
    "officer": """
        president, vice president, secretary, treasurer, manager, member, director, cashier, chairman,
        officer, its attorney, authorised signatory, authorized signatory, ceo, partner, clerk of""",
    "recorder": """
        recorder, register, registrar, clerk, auditor, county clerk, filed for record, deputy, registry
        of deeds, recorders office""",
    "attorney": """
        attorney, attorneys, attorney in fact, attorney at law, solicitor, solicitors, counsel, agent,
        power of attorney, esquire""",
    "preparer": """
        prepared by, drafted by, drawn by, return to, mail to, recording requested by, recorded mail to,
        surveyor, engineer, surveyed by, survey, surveyors, title company, tax statements""",
    "neighbour": """
        land of, lands of, now or formerly, corner of, corner to, line of, lines of, adjoining, bounded
        by, property of, heirs of, land now, lands now, owned by, occupied by, now or late of, late of""",
    "former": """
        conveyed by, conveyed to, deed from, deed of, by deed, acquired by, acquired from, granted by,
        same premises, same property, same land, same tract, same real estate, devised, inherited,
        demised, lease, executed in favor of, died, will of, grant from, made between""",
    "heirs": "heirs, successors, assigns, heirs and assigns, legal representatives",
    "defined": """
        hereinafter, hereafter, referred, called, herein, designated, known as, the said, said, named,
        above named, undersigned""",
    "place": """
        residing, resident, of the county, of the city, of the town, address, post office, principal
        place""",
}

FORMULAS: Mapping[str, str] = {
    "between": """
        between, by and between, made by, among, amongst, is given by, this indenture, entered into by,
        made between, know all, be it known, this deed, this conveyance, personally came and appeared""",
    "parties": "parties, parties hereto, whereas, recitals, background",
    "price": """
        in consideration, valuable consideration, consideration of, for the price, sum of, price of,
        lawful money, in hand paid, receipt whereof, receipt of which, amount of""",
    "conveys": """
        convey, conveys, conveyed, grants, grant, hereby grant, bargain, bargained, sell, sells,
        quitclaim, quitclaims, quit claim, claims, release, releases, remise, transfer, transfers,
        assign, assigns, demise, devise, give, gives, warrant, warrants, grant and convey, mortgage,
        deliver""",
    "unto": """
        unto, convey to, grant to, grants to, conveys to, warrant to, transfers to, claim to, claims to,
        s to""",
    "land": """
        situate, situated, following described, described as follows, to wit, all that, all those, lying
        and being, bounded and described, described premises, real property, real estate, tract of,
        parcel of, certain lot, viz, described land, beginning at""",
    "former": """
        being the same, same premises, same property, same land, same tract, part of the same, title
        reference, prior instrument, prior deed, derivation, source of title, conveyed to the, acquired
        by, by virtue of, reference is made""",
    "holds": """
        to have and to hold, have and to hold, to hold, habendum, together with, appurtenances,
        tenements""",
    "warrants": """
        covenant, covenants, warrant and defend, subject to, excepting, reserving, seised, seized,
        warrant generally, encumbrances, restrictions""",
    "witness": """
        in witness, in testimony, witness my, witness our, witness the, witness whereof, signed, sealed,
        executed, hand and seal, hands and seals, done and passed, have hereunto, has hereunto, hereunto
        set""",
    "oath": """
        before me, personally appeared, personally came, acknowledged before, acknowledged the, sworn,
        acknowledgment, acknowledgement, foregoing instrument, certify that, commission expires,
        voluntary act, free act""",
    "prepared": """
        prepared by, drafted by, return to, mail to, mail tax, recording requested, when recorded, after
        recording, drawn by""",
    "recorded": """
        recorded, filed for record, received for record, book, volume, vol, liber, instrument no,
        document no, doc, official records, reception no, deed book, register of deeds, deed records""",
    "dated": "dated, this day, day of, made this, made the, as of, effective, the date",
    "ends": "expires, terminate, governed by, governing law, laws of the",
}

#: Longest phrase, in words.
LONGEST = 6


@lru_cache(maxsize=1)
def phrases() -> dict[str, list[tuple[tuple[str, ...], str, str]]]:
    """Return by first word what phrases there are, the longest first: words, `role` or `formula`, class."""
    found: dict[str, list[tuple[tuple[str, ...], str, str]]] = {}
    for kind, classes in (("role", ROLES), ("formula", FORMULAS)):
        for name, listed in classes.items():
            for phrase in listed.split(","):
                words = tuple(phrase.split())
                found.setdefault(words[0], []).append((words, kind, name))
    for each in found.values():
        each.sort(key=lambda entry: -len(entry[0]))
    return found


def marks(words: Sequence[str]) -> tuple[list[tuple[int, int, str]], list[tuple[int, int, str]]]:
    """Return where roles and formulas stand in a stream of squashed words: start, stop, class.

    Of several phrases of one kind that begin at a word, the longest counts.
    """
    table = phrases()
    roles: list[tuple[int, int, str]] = []
    formulas: list[tuple[int, int, str]] = []
    for at, word in enumerate(words):
        known = table.get(word)
        if known is None:
            continue
        done = {"role": False, "formula": False}
        for phrase, kind, name in known:
            stop = at + len(phrase)
            if not done[kind] and (len(phrase) == 1 or tuple(words[at:stop]) == phrase):
                done[kind] = True
                (roles if kind == "role" else formulas).append((at, stop, name))
    return roles, formulas

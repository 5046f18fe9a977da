"""Make the sample documents of samples/ that are our own, and their labels: `python -m scripts.make_samples`.

Every name, number and place on them is invented. samples/labels.jsonl holds the truth in the format that
benchmarks/accuracy.py reads, so that samples/ is itself a small benchmark.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from scripts.samples import A4, SAMPLES, Sample, footer, labels_of, with_provenance
from scripts.sheets import (
    SANS,
    SANS_BOLD,
    SERIF,
    SERIF_BOLD,
    SERIF_ITALIC,
    TYPED,
    TYPED_BOLD,
    Label,
    Sheet,
    jpeg,
    pdf,
    scanned,
)

LETTER = (612.0, 792.0)
OURS = "made for alma by scripts/make_samples.py"

#: The one sample that is not ours: labels as its annotators gave them.
RECEIPT = {
    "id": "receipt",
    "file": "receipt.jpg",
    "pages": 1,
    "source": "ICDAR 2019 SROIE, image 411",
    "licence": "CC BY 4.0",
    "doc_type": "receipt",
    "fields": [
        {
            "key": "company",
            "value": "EIGHT OUNCE COFFEE CO.",
            "page": 1,
            "bbox": {"x": 0.32358, "y": 0.17817, "w": 0.38211, "h": 0.05122},
        },
        {
            "key": "date",
            "value": "24-05-2018",
            "normalized": "2018-05-24",
            "page": 1,
            "bbox": {"x": 0.07317, "y": 0.43133, "w": 0.46829, "h": 0.01856},
            "bbox_scope": "line",
        },
        {
            "key": "address",
            "value": "F.K06, FIRST FLOOR, THE GARDENS MALL, MID VALLEY CITY, LINGKARAN SYED PUTRA, "
            "59200 KUALA LUMPUR.",
            "page": 1,
            "bbox": {"x": 0.14797, "y": 0.25612, "w": 0.72683, "h": 0.06459},
        },
        {
            "key": "total",
            "value": "39.90",
            "normalized": "39.90",
            "page": 1,
            "bbox": {"x": 0.85854, "y": 0.64514, "w": 0.10081, "h": 0.01782},
            "also_at": [{"page": 1, "bbox": {"x": 0.76098, "y": 0.68894, "w": 0.19512, "h": 0.03563}}],
        },
    ],
}


def invoice() -> Sample:
    """Return a ship chandler's invoice: a PDF with a text layer, five lines and a totals block."""
    s = Sheet(*A4)
    s.frame(0, 0, s.width, 12, fill=0.25)
    s.text(48, 70, "Harbour Light Chandlers Ltd", font=SANS_BOLD, size=19, label="seller_name")
    s.text(48, 88, "Rope, rigging and deck gear since 1987", font=SANS, size=9, grey=0.4)
    for i, row in enumerate(
        ("14 Quay Street", "Falmouth TR11 3XA", "Tel 01632 960 147", "office@harbourlight.example")
    ):
        s.text(547, 62 + 12 * i, row, font=SANS, size=9, align="right", grey=0.25)
    s.line(48, 118, 547, 118, width=0.8, grey=0.5)

    s.text(48, 152, "INVOICE", font=SANS_BOLD, size=24)
    s.text(48, 184, "Bill to", font=SANS, size=8.5, grey=0.4)
    s.text(48, 198, "Penrose Boatyard Ltd", font=SANS_BOLD, size=10.5, label="buyer_name")
    for i, row in enumerate(("Attn. Accounts Payable", "Slipway Lane 2", "Penryn TR10 8FF")):
        s.text(48, 212 + 13 * i, row, font=SANS, size=10)
    details = [
        ("Invoice number", "HLC-20417", "invoice_number", None),
        ("Invoice date", "9 March 2026", "invoice_date", "2026-03-09"),
        ("Due date", "8 April 2026", None, None),
        ("Your order", "PB/0311", None, None),
        ("VAT registration", "GB 999 9999 73", "seller_vat_id", "GB999999973"),
    ]
    for i, (name, value, key, normalized) in enumerate(details):
        y = 184.0 + 15 * i
        s.text(345, y, name, font=SANS, size=9.5, grey=0.35)
        s.text(547, y, value, font=SANS_BOLD if i == 0 else SANS, size=9.5, align="right", label=key,
               normalized=normalized)  # fmt: skip

    top = 290.0
    s.frame(48, top, 499, 20, fill=0.9)
    for x, head, align in (
        (54, "Item", "left"), (90, "Description", "left"), (372, "Qty", "right"),
        (452, "Unit price", "right"), (541, "Amount", "right"),
    ):  # fmt: skip
        s.text(x, top + 14, head, font=SANS_BOLD, size=9, align=align)
    rows = [
        ("1001", "Mooring rope, polyester 16 mm, 50 m coil", 2, 8640),
        ("1044", "Bow shackle, stainless steel 10 mm", 12, 725),
        ("2210", "Antifouling paint, royal blue, 2.5 litre", 3, 6495),
        ("3107", "Navigation lamp, brass, port side", 1, 11800),
        ("9000", "Delivery to yard", 1, 2400),
    ]
    y = top + 38
    net = 0
    for item, name, quantity, price in rows:
        net += quantity * price
        s.text(54, y, item, font=SANS, size=9.5, grey=0.3)
        s.text(90, y, name, font=SANS, size=9.5)
        s.text(372, y, str(quantity), font=SANS, size=9.5, align="right")
        s.text(452, y, f"{price / 100:.2f}", font=SANS, size=9.5, align="right")
        s.text(541, y, f"{quantity * price / 100:.2f}", font=SANS, size=9.5, align="right")
        s.line(48, y + 8, 547, y + 8, width=0.3, grey=0.7)
        y += 22
    tax = net // 5
    y += 10
    totals = [
        ("Net total", net, "total_net"),
        ("VAT 20%", tax, "total_tax"),
        ("Gross total", net + tax, "total_gross"),
    ]
    for name, pence, key in totals:
        s.text(400, y, name, font=SANS, size=10)
        s.text(541, y, f"£{pence / 100:,.2f}", font=SANS, size=10, align="right", label=key,
               normalized=f"{pence / 100:.2f}")  # fmt: skip
        y += 17
    s.line(396, y - 8, 547, y - 8, width=0.8)
    s.text(400, y + 8, "Amount due", font=SANS_BOLD, size=12)
    s.text(541, y + 8, f"£{(net + tax) / 100:,.2f}", font=SANS_BOLD, size=12, align="right",
           label="amount_due", normalized=f"{(net + tax) / 100:.2f}")  # fmt: skip

    s.frame(48, 640, 499, 84, fill=0.95)
    s.text(60, 660, "How to pay", font=SANS_BOLD, size=9.5)
    for i, row in enumerate(
        (
            "Bank transfer to Harbour Light Chandlers Ltd, sort code 00-00-00, account 00000000.",
            "Please quote the invoice number. Payment within 30 days of the invoice date.",
            "Goods remain the property of the seller until paid in full.",
        )
    ):
        s.text(60, 677 + 14 * i, row, font=SANS, size=9, grey=0.2)
    s.text(48, 768, "Registered in England no. 00000000. Registered office: as above.",
           font=SANS, size=7.5, grey=0.4)  # fmt: skip
    footer(s)
    return Sample("invoice.pdf", "invoice", pdf([s], "Invoice HLC-20417"), [s.labels])


#: One clause a paragraph; its heading ends with the second full stop.
_CLAUSES = """\
1. Purpose. The Parties wish to explore a possible collaboration on sensors for coastal water quality
(the “Purpose”). In the course of it each Party may disclose to the other information that it regards as
confidential. This Agreement sets out how such information is to be treated.

2. Confidential Information. “Confidential Information” means all information, in whatever form, that
one Party (the “Disclosing Party”) makes available to the other (the “Receiving Party”) in connection
with the Purpose and that is marked confidential or would reasonably be understood to be confidential,
including drawings, prototypes, measurement data, source code, price lists and customer names.

3. Exceptions. The obligations of this Agreement do not apply to information which the Receiving Party
can show (a) was public when disclosed or became so later through no act of the Receiving Party; (b) was
lawfully in its possession before the disclosure; (c) was received from a third person free to disclose
it; or (d) was developed independently by persons without access to the Confidential Information.

4. Obligations. The Receiving Party shall use the Confidential Information for the Purpose only, shall
protect it with the care it applies to its own information of like importance, and in no case with less
than reasonable care, and shall give access to it only to those employees and advisers who need it for
the Purpose and who are bound by duties no less strict than those of this Agreement.

5. Compelled Disclosure. Where a court or an authority compels disclosure, the Receiving Party shall, as
far as the law permits, give the Disclosing Party prompt notice so that it may seek protection, and
shall disclose no more than is legally required.

6. Return of Materials. Upon written request the Receiving Party shall within thirty days return or
destroy all documents and samples that hold Confidential Information. One archival copy may be kept by
counsel as evidence of the Receiving Party’s obligations.

7. No Licence. Nothing in this Agreement grants a right in any patent, copyright, trade mark or trade
secret, nor does it oblige a Party to disclose particular information or to enter into any further
agreement.

8. Term. This Agreement takes effect on the Effective Date and shall remain in force for a term of two
(2) years. The duties of the Receiving Party with regard to Confidential Information disclosed before
the end of the term survive for three (3) further years.

9. Remedies. The Parties agree that damages may not suffice where this Agreement is breached and that
the Disclosing Party may ask for injunctive relief in addition to any other remedy at law or in equity.

10. Governing Law. This Agreement shall be governed by and construed in accordance with the laws of the
State of Delaware, without regard to its rules on conflicts of laws. The courts of New Castle County
shall have jurisdiction over all disputes arising out of it.

11. Entire Agreement. This Agreement is the entire understanding of the Parties on its subject and
replaces all earlier ones. It may be changed only in writing signed by both Parties. Should a provision
be held unenforceable, the remaining provisions stay in effect. It may be signed in counterparts, each
of which is an original.
"""

_CLAUSE_LABELS: dict[str, tuple[tuple[str, str, str | None], ...]] = {
    "8. Term.": (("term", "two (2) years", "2 years"),),
    "10. Governing Law.": (("jurisdiction", "Delaware", None),),
}


def contract() -> Sample:
    """Return a mutual non-disclosure agreement of two pages: a PDF with a text layer."""
    first, second = Sheet(*LETTER), Sheet(*LETTER)
    one, two = "Larkspur Instruments, Inc.", "Meridian Coastal Analytics, LLC"
    first.text(306, 108, "MUTUAL NON-DISCLOSURE AGREEMENT", font=SERIF_BOLD, size=16, align="centre")
    y = first.paragraph(
        72,
        150,
        468,
        "This Mutual Non-Disclosure Agreement (this “Agreement”) is entered into as of March 16, 2026 "
        f"(the “Effective Date”) by and between {one}, a Delaware corporation with its principal place "
        f"of business at 410 Alder Street, Wilmington, Delaware 19801 (“Larkspur”), and {two}, a "
        "Massachusetts limited liability company with offices at 77 Breakwater Road, Gloucester, "
        "Massachusetts 01930 (“Meridian”). Larkspur and Meridian are each called a “Party” and "
        "together the “Parties”.",
        size=11.5,
        leading=1.5,
        bold=(one, two, "March 16, 2026"),
        labels=(
            ("effective_date", "March 16, 2026", "2026-03-16"),
            ("party", one, None),
            ("party", two, None),
        ),
    )
    sheet = first
    for clause in _CLAUSES.split("\n\n"):
        heading = ".".join(clause.split(".")[:2]) + "."
        if sheet is first and y > 640:
            sheet, y = second, 96.0
        y = sheet.paragraph(
            72, y + 12, 468, clause, size=11.5, leading=1.5, bold=(heading,),
            labels=_CLAUSE_LABELS.get(heading, ()),
        )  # fmt: skip
    y = sheet.paragraph(
        72,
        y + 16,
        468,
        "IN WITNESS WHEREOF, the Parties have caused this Agreement to be signed by their duly authorized "
        "representatives as of the Effective Date.",
        size=11.5,
        leading=1.5,
    )
    for x, name, who, role, seed in (
        (72.0, one, "Ingrid Solheim", "Chief Executive Officer", 5),
        (320.0, two, "Tobias A. Marchetti", "Managing Member", 11),
    ):
        sheet.text(x, y + 30, name, font=SERIF_BOLD, size=11.5)
        sheet.signature(x + 28, y + 68, 120, seed)
        sheet.text(x, y + 74, "By:", size=11.5)
        sheet.line(x + 22, y + 76, x + 205, y + 76)
        sheet.text(x, y + 96, f"Name: {who}", size=11.5)
        sheet.text(x, y + 113, f"Title: {role}", size=11.5)
    sheets = [first, second]
    for number, each in enumerate(sheets, start=1):
        footer(each, font=SERIF, page=f"Page {number} of {len(sheets)}")
    return Sample(
        "contract.pdf",
        "contract",
        pdf(sheets, "Mutual Non-Disclosure Agreement"),
        [each.labels for each in sheets],
    )


def registration() -> Sample:
    """Return a typed registration form, scanned lying on its side: a JPEG turned by 90 degrees."""
    s = Sheet(*LETTER)
    s.frame(70, 52, 128, 58, width=1.6)
    s.text(134, 68, "RECEIVED", font=SANS_BOLD, size=10, align="centre", grey=0.25)
    s.text(134, 86, "APR 14 1971", font=SANS_BOLD, size=15, align="centre", grey=0.25, label="file_date",
           normalized="1971-04-14")  # fmt: skip
    s.text(134, 102, "REGISTRATION SECTION", font=SANS, size=8, align="centre", grey=0.25)
    s.text(540, 66, "Form RS-7", font=SERIF, size=10, align="right")
    s.text(540, 79, "Approval expires Dec. 31, 1972", font=SERIF, size=9, align="right")
    s.text(306, 140, "DEPARTMENT OF JUSTICE", font=SERIF_BOLD, size=13, align="centre")
    s.text(306, 156, "WASHINGTON, D.C.", font=SERIF, size=10, align="centre")
    s.text(306, 190, "REGISTRATION STATEMENT", font=SERIF_BOLD, size=16, align="centre")
    s.text(306, 208, "Pursuant to the Foreign Agents Registration Act of 1938, as amended", font=SERIF_ITALIC,
           size=11, align="centre")  # fmt: skip
    s.line(72, 224, 540, 224, width=1.2)

    rows: list[tuple[str, str, str | None]] = [
        ("1. Name of Registrant", "Norrland Tourist Bureau, Inc.", "registrant_name"),
        ("2. Registration No.", "2268", "registration_num"),
        ("3. Business address of Registrant", "512 Lexington Avenue, New York, N.Y. 10017", None),
        ("4. Name of foreign principal", "Royal Norrland Travel Council", None),
        ("5. Nationality of foreign principal", "Norrland", None),
    ]
    y = 254.0
    for name, value, key in rows:
        s.text(72, y, name, font=SERIF, size=11)
        s.text(268, y - 1, value, font=TYPED_BOLD, size=10.5, label=key)
        s.line(262, y + 3, 540, y + 3)
        y += 31
    y = s.paragraph(
        72, y + 4, 468,
        "6. Describe fully the nature and method of performance of the agreement between the registrant and "
        "the foreign principal.", font=SERIF, size=11,
    )  # fmt: skip
    typed = (
        "The registrant maintains an information office open to the public, answers inquiries by mail and "
        "telephone, distributes timetables, maps and folders printed by the foreign principal, and places "
        "notices in newspapers of general circulation. It receives a fixed allowance of $4,250.00 a quarter "
        "for rent, salaries and postage. No political activities have been or will be engaged in."
    )
    y = s.paragraph(90, y + 8, 440, typed, font=TYPED, size=10.5, leading=1.45, justify=False)
    y = s.paragraph(
        72, y + 14, 468,
        "The undersigned swears or affirms that he has read the information set forth in this "
        "statement and that the contents are in their entirety true and accurate to the best of his "
        "knowledge and belief.",
        font=SERIF, size=11,
    )  # fmt: skip
    y = max(y + 44, 640.0)
    s.text(72, y, "Date", font=SERIF, size=11)
    s.text(104, y - 2, "April 9, 1971", font=TYPED, size=10.5)
    s.line(98, y + 2, 230, y + 2)
    s.signature(330, y - 6, 130, 23)
    s.line(300, y + 2, 540, y + 2)
    s.text(300, y + 16, "Signature", font=SERIF, size=9)
    s.text(300, y + 40, "Halvard E. Lindqvist, Director", font=TYPED, size=10.5)
    s.line(300, y + 44, 540, y + 44)
    s.text(300, y + 56, "Typed name and title", font=SERIF, size=9)
    footer(s, font=SERIF)
    upright = scanned(s, seed=1971, dpi=170, skew=-0.25)
    lying = upright.transpose(Image.Transpose.ROTATE_90)
    labels = [Label(a.key, a.value, a.normalized, a.box.turned(270)) for a in s.labels]
    return Sample("registration-turned.jpg", "registration_form", jpeg(lying, 170), [labels])


def deed() -> Sample:
    """Return a deed of conveyance of two pages: a scan in a PDF, without a text layer."""
    first, second = Sheet(*A4), Sheet(*A4)
    s = first
    s.frame(36, 36, 523, 770, width=1.4)
    s.frame(40, 40, 515, 762, width=0.5)
    s.text(297.5, 92, "BARBADOS", font=SERIF_BOLD, size=17, align="centre", spacing=4)
    s.text(297.5, 130, "DEED OF CONVEYANCE", font=SERIF_BOLD, size=25, align="centre", spacing=1)
    s.line(190, 144, 405, 144, width=1)
    s.paragraph(
        84, 182, 430,
        "THIS CONVEYANCE is made the 14th day of May 2026 BETWEEN the Grantor and the Grantee named "
        "below, in respect of the parcel of land described in the Schedule.",
        size=14, leading=1.5, bold=("THIS CONVEYANCE", "BETWEEN"),
        labels=(("instrument_date", "14th day of May 2026", "2026-05-14"),),
    )  # fmt: skip
    s.text(84, 264, "Grantor:", font=SERIF_ITALIC, size=14)
    s.text(84, 299, "Josiah A. Greaves", font=SERIF_BOLD, size=21, label="grantor_name")
    s.line(84, 308, 514, 308, width=0.5)
    s.text(84, 328, "of Foursquare Tenantry in the parish of Saint Philip, planter", size=14)
    s.text(84, 366, "Grantee:", font=SERIF_ITALIC, size=14)
    s.text(84, 397, "Winifred E. Holder", font=SERIF_BOLD, size=21, label="grantee_name")
    s.line(84, 406, 514, 406, width=0.5)
    s.text(84, 426, "of Oistins in the parish of Christ Church, schoolteacher", size=14)
    y = s.paragraph(
        84, 470, 430,
        "NOW THIS DEED WITNESSETH that in consideration of the sum of $187,500.00 paid by the Grantee "
        "to the Grantor, the receipt of which the Grantor hereby acknowledges, the Grantor as "
        "beneficial owner HEREBY CONVEYS unto the Grantee ALL THAT parcel of land described in the "
        "Schedule, together with the buildings standing on it, the trees growing there, and all ways, "
        "waters and easements belonging to it, TO HOLD the same unto the Grantee in fee simple.",
        size=14, leading=1.5, bold=("NOW THIS DEED WITNESSETH", "HEREBY CONVEYS", "ALL THAT", "TO HOLD"),
        labels=(("consideration", "$187,500.00", "187500.00"),),
    )  # fmt: skip
    s.paragraph(
        84, y + 14, 430,
        "The Grantor covenants that he has good right to convey the parcel and that it is free from "
        "encumbrances other than those stated in the Schedule.",
        size=14, leading=1.5,
    )  # fmt: skip
    s.text(297.5, 778, "page 1 of 2", size=10, align="centre")

    s = second
    s.frame(36, 36, 523, 770, width=1.4)
    s.frame(40, 40, 515, 762, width=0.5)
    s.text(297.5, 84, "THE SCHEDULE", font=SERIF_BOLD, size=19, align="centre", spacing=2)
    s.text(297.5, 106, "Description of the parcel", font=SERIF_ITALIC, size=13, align="centre")
    rows: list[tuple[str, str, str | None]] = [
        ("Parish", "Saint Philip", "property_town"),
        ("Parcel acreage (acres)", "12.5", "parcel_acreage"),
        ("Known as", "Greaves Field, part of Foursquare", None),
        ("Plan", "Survey plan 318/26", None),
        ("Encumbrances", "None", None),
    ]
    top, height = 124.0, 42.0
    for i, (name, value, key) in enumerate(rows):
        y = top + i * height
        s.frame(84, y, 430, height, width=0.8)
        s.text(94, y + 27, name, size=14)
        if key == "parcel_acreage":
            s.text(357, y + 30, value, font=SERIF_BOLD, size=24, align="centre", label=key)
        else:
            s.text(262, y + 27, value, font=SERIF_BOLD, size=13.5, label=key)
    s.line(252, top, 252, top + height * len(rows), width=0.8)
    y = s.paragraph(
        84, top + height * len(rows) + 34, 430,
        "Bounding on the north on lands of the Three Houses Estate, on the east on the public road, "
        "on the south on lands now or late of E. Cumberbatch, and on the west on a watercourse, as "
        "the same is delineated on the said plan.",
        size=14, leading=1.5,
    )  # fmt: skip
    y = s.paragraph(
        84, y + 12, 430,
        "IN WITNESS WHEREOF the parties have hereunto set their hands the day and year first written above.",
        size=14, leading=1.5, bold=("IN WITNESS WHEREOF",),
    )  # fmt: skip
    for i, (role, seed) in enumerate((("Grantor", 31), ("Grantee", 47), ("Witness", 59))):
        at = y + 36 + 40 * i
        s.text(84, at, role, font=SERIF_ITALIC, size=13)
        s.signature(170, at - 4, 130, seed)
        s.line(150, at + 3, 330, at + 3)
    s.frame(366, y + 18, 148, 96, width=1.2)
    s.text(440, y + 38, "LAND REGISTRY", font=SANS_BOLD, size=11, align="centre", grey=0.25)
    s.text(440, y + 56, "Recorded", font=SANS, size=11, align="centre", grey=0.25)
    s.text(440, y + 76, "21 May 2026", font=SANS_BOLD, size=14, align="centre", grey=0.25,
           label="recorded_date", normalized="2026-05-21")  # fmt: skip
    s.text(440, y + 98, "Deed No. 1184", font=SANS, size=11, align="centre", grey=0.25)
    s.text(297.5, 778, "page 2 of 2", size=10, align="centre")
    for each in (first, second):
        footer(each, font=SERIF)

    scans = [scanned(first, seed=4012, skew=0.18), scanned(second, seed=4013, skew=-0.15)]
    return Sample("deed.pdf", "deed_of_conveyance", _scan_pdf(scans, 150), [first.labels, second.labels])


def _scan_pdf(scans: list[Image.Image], dpi: int) -> bytes:
    """Return page images as a PDF without text; the same bytes every time."""
    out = io.BytesIO()
    fixed = time.gmtime(0)
    scans[0].save(
        out, "PDF", save_all=True, append_images=scans[1:], resolution=dpi, quality=62,
        producer="alma samples", creationDate=fixed, modDate=fixed,
    )  # fmt: skip
    return out.getvalue()


MAKERS: tuple[Callable[[], Sample], ...] = (invoice, contract, registration, deed)


def main() -> None:
    """Write the samples and labels.jsonl."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=SAMPLES, help="folder to write to (default: samples/)")
    into: Path = parser.parse_args().into
    into.mkdir(parents=True, exist_ok=True)
    receipt = (SAMPLES / "receipt.jpg").read_bytes()
    lines = [(RECEIPT, receipt)]
    for make in MAKERS:
        sample = make()
        (into / sample.name).write_bytes(sample.body)
        lines.append((labels_of(sample, OURS), sample.body))
        print(f"{sample.name}: {len(sample.body) / 1000:.0f} kB, {len(sample.pages)} page(s)")
    with (into / "labels.jsonl").open("w", encoding="utf-8") as out:
        for line, body in lines:
            out.write(json.dumps(with_provenance(line, body), ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()

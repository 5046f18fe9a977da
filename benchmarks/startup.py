"""How long each function takes to start: its imports beside those of boto3 with a DynamoDB client.

`python -m benchmarks.startup [--runs 15] [--functions documents,keys] [--root CHECKOUT]`

Every import runs in a process of its own, with the function's folder and the layer in front of the installed
packages, as the Lambda runtime has them. Function and yardstick take turns, so that other work on the machine
meets both; figures are medians of processor time, and the ratio is what to compare between machines.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
YARDSTICK = "import boto3; boto3.client('dynamodb')"
_PROBE = """
import sys, time
known, begin = len(sys.modules), time.process_time_ns()
{statement}
print(time.process_time_ns() - begin, len(sys.modules) - known)
"""
# Creating a client asks for a region and for credentials; nothing is sent.
_ENVIRONMENT = {
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
}


@dataclass(frozen=True, slots=True)
class Start:
    """One start of a process."""

    milliseconds: float
    modules: int


@dataclass(frozen=True, slots=True)
class Row:
    """A function's starts and those of the yardstick between them, as medians."""

    function: str
    modules: int
    milliseconds: float
    yardstick: float

    @property
    def ratio(self) -> float:
        """How many times as long as the yardstick."""
        return self.milliseconds / self.yardstick


def functions(root: Path) -> list[str]:
    """Return the names of a checkout's functions."""
    return sorted(path.parent.name for path in root.glob("functions/*/app.py"))


def environment(root: Path, function: str | None) -> Mapping[str, str]:
    """Return the environment of a process: the function's folder first, then the layer, as in Lambda."""
    folders = [str(root / "layers" / "alma")]
    if function is not None:
        folders.insert(0, str(root / "functions" / function))
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, **_ENVIRONMENT, "PYTHONPATH": os.pathsep.join(folders)}


def start(root: Path, function: str | None) -> Start:
    """Start a process that imports a function, or without one the yardstick."""
    statement = YARDSTICK if function is None else "import app"
    done = subprocess.run(
        [sys.executable, "-c", _PROBE.format(statement=statement)],
        env=environment(root, function),
        cwd=root,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    nanoseconds, modules = done.stdout.split()[-2:]
    return Start(int(nanoseconds) / 1e6, int(modules))


def measure(root: Path, function: str, runs: int) -> Row:
    """Return a function's row: one start of each is not counted, then they take turns."""
    for each in (None, function):
        start(root, each)  # writes the compiled modules
    pairs = [(start(root, None), start(root, function)) for _ in range(runs)]
    return Row(
        function,
        pairs[0][1].modules,
        statistics.median(own.milliseconds for _, own in pairs),
        statistics.median(yardstick.milliseconds for yardstick, _ in pairs),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table and return the exit status."""
    parser = ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--functions", help="names, with commas between; all without it")
    parser.add_argument("--root", type=Path, default=ROOT, help="checkout to measure; this one without it")
    options = parser.parse_args(arguments)
    known = functions(options.root)
    asked = options.functions.split(",") if options.functions else known
    if unknown := sorted(set(asked) - set(known)):
        parser.error(f"there is no function {', '.join(unknown)} in {options.root}")

    print(f"{'function':<12}{'modules':>9}{'ms':>8}{'boto3 ms':>10}{'ratio':>7}   {options.runs} starts each")
    for function in asked:
        row = measure(options.root.resolve(), function, options.runs)
        print(
            f"{row.function:<12}{row.modules:>9}{row.milliseconds:>8.0f}{row.yardstick:>10.0f}{row.ratio:>7.2f}",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())

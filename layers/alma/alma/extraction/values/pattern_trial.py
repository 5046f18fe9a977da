"""A trial of strangers' patterns by the engine that will run them, in a process of its own.

Compiling a pattern can take all memory, and the engine's own time limit does not hold for all it can do. So a
pattern is compiled and searched with once, under limits, before it is kept; this module is both sides of it.
The protocol is JSON lines: in the order, `{"memory", "seconds", "patterns"}`, out `{}` once it is ready and
then one line for each pattern, `{}` or `{"error"}`.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Sequence

from alma import sandbox
from alma.errors import BadRequestError, UnavailableError
from alma.sandbox import Child, ChildDiedError, ChildError, ChildLateError

#: Bytes a trial may take; Python and the engine take a tenth of it.
MEMORY = 256 * 2**20
#: Seconds one pattern may take, and all patterns of a document type.
PATTERN_SECONDS, TRIAL_SECONDS = 3, 10
#: Longest answer; what the engine says quotes the pattern at most.
_MAX_ANSWER = 2**16
#: Braces that are a count, or stand for a value; the engine takes some others for approximate matching, which
#: its time limit does not end, and reads counts with blanks in them.
_BRACES = re.compile(r"\{(?:\d+(?:,\d*)?|,\d+|[A-Z]+)\}")
_ESCAPED = re.compile(r"\\.", re.DOTALL)
#: What a page may look like at its worst: prose, and what makes a search go back and forth.
PROBES = (
    'Between Acme Holdings, Inc., a Delaware corporation, and John A. Smith (the "Seller"), made on the 14th '
    "day of May, 2018, for $ 1,250.00, due within thirty (30) days in New York. " * 30,
    "a" * 5000 + "!",
    "1 " * 2500,
    "A. b " * 1000,
)


def check(patterns: Sequence[str]) -> None:
    """Refuse patterns that would fail, or exhaust time or memory, where they are used.

    Raises
    ------
    BadRequestError
        One of them would; the sentence says which, and how.
    """
    for pattern in patterns:
        rest = _BRACES.sub("", _ESCAPED.sub("", pattern))
        if "{" in rest:
            raise _refused(
                pattern, "has a brace that is no count, such as {2,5}; write \\{ for a brace itself"
            )
    if not patterns:
        return
    child = Child(__name__, memory=MEMORY)
    try:
        _try(child, patterns)
    finally:
        child.end()


def _try(child: Child, patterns: Sequence[str]) -> None:
    order = {"memory": MEMORY, "seconds": TRIAL_SECONDS, "patterns": list(patterns)}
    try:
        ready = time.monotonic() + TRIAL_SECONDS
        child.send(json.dumps(order).encode() + b"\n", ready)
        child.line(ready, _MAX_ANSWER)
    except ChildError:
        raise UnavailableError(
            "The patterns cannot be tried at this moment; try again in a few seconds."
        ) from None
    end = time.monotonic() + TRIAL_SECONDS
    for pattern in patterns:
        until = min(end, time.monotonic() + PATTERN_SECONDS)
        try:
            error = json.loads(child.line(until, _MAX_ANSWER)).get("error")
        except ChildLateError:
            if until == end:
                raise BadRequestError(
                    f"The patterns of this type take more than {TRIAL_SECONDS} s to try; "
                    "use fewer or simpler ones."
                ) from None
            error = f"takes more than {PATTERN_SECONDS} s to try; make it simpler"
        except ChildDiedError:
            error = "needs too much memory; make it simpler"
        if error is not None:
            raise _refused(pattern, error)


def _refused(pattern: str, why: str) -> BadRequestError:
    return BadRequestError(f"The body is not what this route takes: the pattern {pattern!r} {why}.")


def main() -> None:
    """Try patterns: the child's side."""
    from alma.extraction.values import patterns  # before the limit holds

    patterns.compiled("{PLACE}")
    answers = sandbox.answers()
    order = json.loads(sys.stdin.readline())
    sandbox.confine(order["memory"])
    sandbox.end_after(3 * order["seconds"])
    answers.write(b"{}\n")
    answers.flush()
    for pattern in order["patterns"]:
        error = _fault(pattern)
        answers.write(json.dumps({} if error is None else {"error": error}).encode() + b"\n")
        answers.flush()


def _fault(pattern: str) -> str | None:
    """Return what is wrong with a pattern, or None."""
    from alma.extraction.values.patterns import SEARCH_SECONDS, compiled

    try:
        made = compiled(pattern)
        for probe in PROBES:
            for _ in made.finditer(probe, timeout=SEARCH_SECONDS):
                pass
    except TimeoutError:
        return f"takes more than {SEARCH_SECONDS:g} s to search a page; make it simpler"
    except MemoryError:
        return "needs too much memory; make it simpler"
    except Exception as error:  # whatever the engine says of a stranger's pattern is the pattern's fault
        return f"is not a regular expression: {str(error)[:200]}"
    # What only looks like the group, in a comment or a set, is none.
    return None if "value" in made.groupindex or "(?P<value>" not in pattern else "has no group named value"


if __name__ == "__main__":
    main()

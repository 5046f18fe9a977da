"""alma as a whole on free ports, with nothing kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.demo import HIGH_LIMITS
from infra.local.runtime import Runtime

ROOT = Path(__file__).resolve().parents[2]
#: Keys that may be minted at once, and one a minute; operators mint without a limit.
MINTED_AT_ONCE = 20


@pytest.fixture(scope="module")
def runtime() -> Iterator[Runtime]:
    """The project's template on free ports; one for a module, since a start takes seconds."""
    parameters = HIGH_LIMITS | {"LimitMinting": f"1/{MINTED_AT_ONCE}"}
    with Runtime(ROOT / "template.yaml", parameters=parameters) as running:
        yield running

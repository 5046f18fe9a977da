"""alma as a whole on free ports, with nothing kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.demo import UNHURRIED
from infra.local.runtime import Runtime

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def runtime() -> Iterator[Runtime]:
    """The project's template on free ports; one for a module, since a start takes seconds."""
    with Runtime(ROOT / "template.yaml", parameters=UNHURRIED) as running:
        yield running

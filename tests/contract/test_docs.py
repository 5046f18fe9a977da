"""What the documentation says can be counted or looked up: it is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from pkgutil import resolve_name

import pytest
from samtranslator.yaml_helper import yaml_parse

from alma.access.rate_limit_classes import RateLimitClass
from alma.datamodel.schemas import shipped_schemas
from alma.extraction.scoring.features import BUCKETS, DENSE, TOKENS
from alma.mcp.tools import TOOLS
from alma.models.registry import MOST_MODELS
from alma.settings import Settings
from alma.storage.table import INDEXES

ROOT = Path(__file__).parents[2]
LAYER = ROOT / "layers" / "alma"
NOTES = ROOT / "samples" / "delivery-notes"
#: CONTRIBUTING.md names modules of before the rooms; to be mended (2026-11-28), then it belongs here.
DOCUMENTATION = sorted({ROOT / "README.md", *(ROOT / "docs").glob("*.md")})
NUMBERS = [
    "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
]  # fmt: skip
DEFAULTS = Settings()


def text(name: str) -> str:
    """Return a document on one line."""
    return " ".join((ROOT / name).read_text(encoding="utf-8").split())


def number(said: str) -> int:
    """Return what a word or digits count."""
    return NUMBERS.index(said) if said in NUMBERS else int(said.replace(",", ""))


def resources(kind: str) -> int:
    """Return how many resources of a kind the template has."""
    template = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))
    return sum(each["Type"] == kind for each in template["Resources"].values())


def lines(path: Path) -> int:
    """Return how many lines a file has."""
    return len(path.read_text(encoding="utf-8").splitlines())


def samples() -> int:
    """Return how many documents `make run` reads at first."""
    return sum(path.suffix in (".pdf", ".jpg") for path in (ROOT / "samples").iterdir())


def limit(family: RateLimitClass) -> tuple[int, ...]:
    """Return how many requests a key may send, a minute and at once."""
    return tuple(map(int, getattr(DEFAULTS, f"limit_{family.value}").split("/")))


def calibrated() -> int:
    """Return for how many types confidence was fitted."""
    return len(json.loads((LAYER / "alma/data/calibration.json").read_text(encoding="utf-8"))["fitted_on"])


#: File, sentence with the numbers in it, what they count.
CLAIMS: list[tuple[str, str, Callable[[], tuple[int, ...]]]] = [
    ("README.md", r"reads (\w+) samples", lambda: (samples(),)),
    ("README.md", r"on (\w+) made-up delivery notes", lambda: (len([*NOTES.glob("*.pdf")]),)),
    (
        "README.md",
        r"describe the type: (\w+) fields",
        lambda: (len(json.loads((NOTES / "schema.json").read_text())["fields"]),),
    ),
    ("README.md", r"say what stands on (\w+) of them", lambda: (lines(NOTES / "corrections.jsonl"),)),
    (
        "README.md",
        r"(\w+) functions \(python3\.13, arm64\), (\w+) buckets, (\w+) table",
        lambda: (
            resources("AWS::Serverless::Function"),
            resources("AWS::S3::Bucket"),
            resources("AWS::DynamoDB::Table"),
        ),
    ),
    ("README.md", r"calibrated for (\w+) of the (\w+) types", lambda: (calibrated(), len(shipped_schemas()))),
    (
        "README.md",
        r"at most (\d+) pages and ([\d,]+) words of each",
        lambda: (DEFAULTS.hosted_max_pages, DEFAULTS.hosted_max_words),
    ),
    (
        "README.md",
        r"a key reads (\d+) times a minute \((\d+) at once\)",
        lambda: limit(RateLimitClass.READING),
    ),
    ("README.md", r"writes (\d+) \((\d+)\)", lambda: limit(RateLimitClass.WRITING)),
    ("README.md", r"exports (\d+) \((\d+)\)", lambda: limit(RateLimitClass.EXPORT)),
    ("README.md", r"runs models (\d+) \((\d+)\)", lambda: limit(RateLimitClass.MODELS)),
    ("README.md", r"sends (\d+) messages as an agent \((\d+)\)", lambda: limit(RateLimitClass.MCP)),
    ("README.md", r"mints (\d+) keys \((\d+)", lambda: limit(RateLimitClass.MINTING)),
    ("README.md", r"more keys \((\d+) at most\)", lambda: (DEFAULTS.max_keys,)),
    ("README.md", r"upload to is good for (\d+) minutes", lambda: (DEFAULTS.upload_seconds // 60,)),
    ("docs/mcp.md", r"lists the (\w+) tools", lambda: (len(TOOLS),)),
    (
        "docs/decisions.md",
        r"and (\w+) indexes for listings",
        lambda: (sum(name.startswith("documents") for name in INDEXES),),
    ),
    ("docs/models.md", r"at most (\d+) models", lambda: (MOST_MODELS,)),
    ("docs/models.md", r"float32 \(N, (\d+)\)", lambda: (len(DENSE),)),
    ("docs/models.md", r"int64 \(N, (\d+)\)", lambda: (TOKENS,)),
    ("docs/models.md", r'"buckets": (\d+)', lambda: (BUCKETS,)),
]


@pytest.mark.parametrize(
    ("name", "sentence", "counted"), CLAIMS, ids=[sentence[:40] for _, sentence, _ in CLAIMS]
)
def test_what_is_counted_is_as_many_as_it_says(
    name: str, sentence: str, counted: Callable[[], tuple[int, ...]]
) -> None:
    said = re.search(sentence, text(name))
    assert said is not None, "the sentence is gone; take it from the list, or say it as it is now"
    assert tuple(map(number, said.groups())) == counted()


@pytest.mark.parametrize("path", DOCUMENTATION, ids=lambda path: path.name)
def test_a_number_of_functions_or_tools_is_said_nowhere_without_being_counted(path: Path) -> None:
    words = "|".join(NUMBERS[2:])
    said = re.findall(rf"\b({words}|\d+) (functions|tools|buckets|samples)\b", text(str(path)), re.IGNORECASE)
    counts = {
        "functions": resources("AWS::Serverless::Function"),
        "tools": len(TOOLS),
        "buckets": resources("AWS::S3::Bucket"),
        "samples": samples(),
    }
    assert [(each, what) for each, what in said if number(each.lower()) != counts[what]] == []


def test_the_types_that_ship_are_listed() -> None:
    listed = re.search(r"Document types shipped: (.+?);", text("README.md"))
    assert listed is not None
    assert set(re.findall(r"`(\w+)`", listed[1])) == set(shipped_schemas())


@pytest.mark.parametrize("path", DOCUMENTATION, ids=lambda path: path.name)
def test_what_is_named_of_the_package_is_there(path: Path) -> None:
    def is_there(name: str) -> bool:
        try:
            return resolve_name(name) is not None
        except (ImportError, AttributeError):
            return False

    named = re.findall(r"`(alma(?:\.\w+)+)`", path.read_text(encoding="utf-8"))
    assert [name for name in named if not is_there(name)] == []


@pytest.mark.parametrize("path", DOCUMENTATION, ids=lambda path: path.name)
def test_a_file_of_ours_that_is_named_is_there(path: Path) -> None:
    named = set(re.findall(r"`((?:[\w-]+/)*\w+\.py)`", path.read_text(encoding="utf-8")))
    known = [each.as_posix() for top in ("layers", "scripts", "infra") for each in (ROOT / top).rglob("*.py")]
    assert {name for name in named if not any(each.endswith(f"/{name}") for each in known)} == set()


@pytest.mark.parametrize("path", [*DOCUMENTATION, ROOT / "CONTRIBUTING.md"], ids=lambda path: path.name)
def test_a_link_to_a_file_leads_to_one(path: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    files = [link for link in links if not link.startswith(("http:", "https:"))]
    assert [link for link in files if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTATION, ids=lambda path: path.name)
def test_a_path_of_the_api_is_said_in_full(path: Path) -> None:
    said = re.findall(r"`(?:[A-Z\\|]+ )?/v1/[^`]*`", path.read_text(encoding="utf-8"))

    assert not said, f"{path.name} says {said}, which are reached below /api"

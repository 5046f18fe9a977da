"""How long a document takes with a model of one's own: `POST /v1/models/{id}/digitize`, started and warm.

`python -m benchmarks.model_digitize --data DIR [--words DIR] [--type contract] [--pages 10] [--count 8]`

DIR holds `labels.jsonl` and the files it names. The handler of `infer` is called in this process, the model
runs in its own; table and buckets are moto's, in memory. The model is alma-base, as large as a tuned one.
"""

from __future__ import annotations

import hashlib
import statistics
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tests.conftest  # noqa: F401  # the environment, before anything reads it
from alma.datamodel.pages import PageText, Track
from alma.datamodel.schemas import shipped_schemas
from alma.documents import intake, page_records, progress
from alma.documents.records import Document
from alma.extraction.resolve import extract
from alma.extraction.scoring.scorer import base_model
from alma.models import inference
from alma.storage import objects
from alma.storage.items.models import ModelItem
from scripts.labelled import metrics
from scripts.labelled.labels import read_labels, words_of
from tests import cloud

MODEL = "mdl_base_v1"
REPEATS = 5


def kept(organisation: str, pages: Sequence[PageText], doc_type: str) -> Document:
    """Put a document that was read into the archive."""
    document = intake.announce(organisation, "document.pdf")
    for page in pages:
        has_text = page.track is Track.TEXT
        page_records.put_page(document, page.page, width=1, height=1, has_text=has_text, waiting=False)
        if not has_text:
            page_records.page_recognised(document, page.page, page.turned)
        key = objects.words_key(document.id, page.page, page.track)
        objects.put(organisation, key, page.to_json(), "application/json")
    document = progress.pages_known(document, len({p.page for p in pages}), [], "application/pdf")
    progress.finish(document, extract(pages, shipped_schemas(), doc_type))
    return document


def main() -> int:
    """Print the milliseconds and return the exit status."""
    parser = ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--words", type=Path, default=Path(tempfile.gettempdir()) / "alma-words")
    parser.add_argument("--type", default="contract")
    parser.add_argument("--pages", type=int, default=10)
    parser.add_argument("--count", type=int, default=8)
    asked = parser.parse_args()

    from moto import mock_aws

    with mock_aws():
        cloud.create()
        tenant = cloud.Tenant.create("bench")
        content = base_model()
        sha256 = hashlib.sha256(content).hexdigest()
        ModelItem(
            "bench", f"model#{MODEL}", model_id=MODEL, name="base", base_model="alma-base",
            doc_type=asked.type, status="ready", created_at="2026-01-01T00:00:00Z",
            card={"sha256": sha256},
        ).save()  # fmt: skip
        objects.put("bench", objects.model_key(MODEL, sha256), content, "application/octet-stream")
        try:
            return _measure(tenant, asked.data, asked.words, asked.type, asked.pages, asked.count)
        finally:
            inference.warm.close()


def _measure(tenant: cloud.Tenant, data: Path, words: Path, doc_type: str, pages: int, count: int) -> int:
    taken: list[float] = []
    for label in read_labels(data):
        if len(taken) == count * REPEATS or not _wanted(label, doc_type):
            continue
        read = words_of(label, data, words)
        if len({page.page for page in read}) != pages:
            continue
        document = kept(tenant.organisation, read, doc_type)
        if not taken:
            print(f"with its process started: {_asked(tenant, document.id):.0f} ms")
        each = [_asked(tenant, document.id) for _ in range(REPEATS)]
        taken += each
        size = sum(len(page.words) for page in read)
        print(f"{label['id']}: {size} words, {statistics.median(each):.0f} ms")
    if not taken:
        print(f"There is no document of the type {doc_type} with {pages} pages.", file=sys.stderr)
        return 1
    print(f"warm: median {statistics.median(taken):.0f} ms, most {max(taken):.0f} ms, {pages} pages")
    return 0


def _wanted(label: Mapping[str, Any], doc_type: str) -> bool:
    named = str(label["doc_type"])
    return metrics.TYPE_NAMES.get(named, named) == doc_type


def _asked(tenant: cloud.Tenant, document_id: int) -> float:
    begun = time.perf_counter()
    answer = tenant.call(
        "infer",
        "POST",
        "/v1/models/{id}/digitize",
        path={"id": MODEL},
        body={"documentId": document_id},
    )
    if answer.status != 200:
        raise RuntimeError(answer.body)
    return 1000 * (time.perf_counter() - begun)


if __name__ == "__main__":
    sys.exit(main())

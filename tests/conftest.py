"""What every test shares: an environment without a cloud, and moto in its place."""

import os
import tempfile

# Before anything imports alma: the table's name is read at import, and no test may reach a real account.
os.environ.update(
    AWS_ACCESS_KEY_ID="testing",
    AWS_SECRET_ACCESS_KEY="testing",
    AWS_DEFAULT_REGION="eu-west-1",
    AWS_REGION="eu-west-1",
    ALMA_TABLE="alma-test",
    ALMA_INBOX_BUCKET="alma-test-inbox",
    ALMA_ARCHIVE_BUCKET="alma-test-archive",
    ALMA_PAGE_QUEUE="https://sqs.eu-west-1.amazonaws.com/123456789012/alma-test-pages",
    ALMA_MODEL_QUEUE="https://sqs.eu-west-1.amazonaws.com/123456789012/alma-test-models",
    # High enough for tests that are about something else.
    **{
        f"ALMA_LIMIT_{family}": "1000000/100000"
        for family in ("READING", "WRITING", "MODELS", "EXPORT", "MCP", "MINTING")
    },
    POWERTOOLS_LOG_LEVEL="CRITICAL",
    OPENBLAS_NUM_THREADS="1",  # training multiplies small matrices; threads would wait for each other
    POWERTOOLS_METRICS_DISABLED="true",
    POWERTOOLS_TRACE_DISABLED="true",
)
# No test finds, or touches, the key of whoever runs them.
os.environ["XDG_CONFIG_HOME"] = tempfile.mkdtemp(prefix="alma-test-")
os.environ.pop("AWS_PROFILE", None)
os.environ.pop("AWS_ENDPOINT_URL", None)

from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """The ONNX files; `make setup` fetches them."""
    folder = ROOT / "layers" / "vision" / "models"
    if not any(folder.glob("*.onnx")):
        pytest.fail("the ONNX models are missing; `make setup` fetches them")
    return folder


@pytest.fixture(autouse=True, scope="session")
def _quick_moto() -> None:
    """A fifth of the suite's time would go into how moto spells what the table holds."""
    from infra.local.emulation import patch_serializer

    patch_serializer(setattr)


@pytest.fixture
def aws() -> Iterator[None]:
    """An empty table, empty buckets and an empty queue, in moto."""
    from moto import mock_aws

    from tests import cloud

    with mock_aws():
        cloud.create()
        yield

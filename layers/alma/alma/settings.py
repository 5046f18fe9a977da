"""The only reader of the environment.

alma's own names stand here and in template.yaml; tests/contract compares the two.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path

PREFIX = "ALMA_"
#: What a child process is told of this one's environment: how to start Python, and no credentials.
_FOR_CHILDREN = ("PATH", "LD_LIBRARY_PATH", "LANG", "TZ", "TMPDIR")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment decides. Every attribute NAME is read from ALMA_NAME."""

    table: str = "alma"
    """DynamoDB table."""
    inbox_bucket: str = "alma-inbox"
    """Where files arrive."""
    archive_bucket: str = "alma-archive"
    """Where pages, words and exports are stored."""
    page_queue: str = ""
    """URL of the queue with one message per page to read."""
    model_queue: str = ""
    """URL of the queue with one message per model to train."""
    models_dir: str = "/opt/models"
    """Folder with the ONNX files of recognition."""
    base_dir: str = ""
    """Folder with the `alma-base.onnx` and `calibration.json` to use; empty for those that come with alma."""
    max_model_bytes: int = 64 * 2**20
    """Size of a model that is registered."""
    model_memory_mb: int = 768
    """Memory an organisation's model may use."""
    model_seconds: int = 5
    """Time one call of it may take."""
    max_file_bytes: int = 100 * 2**20
    """What a single file may hold."""
    max_pages: int = 2000
    max_pixels: int = 100_000_000
    """Of one image."""
    page_seconds: int = 25
    """Longest time one page may take to open and render."""
    parser_memory_mb: int = 1200
    """Memory the isolated parser may use."""
    page_image_side: int = 2000
    """Longer side, in pixels, of a rendered page image."""
    page_attempts: int = 3
    """Times one page may be begun before it is given up, with the reason recorded."""
    upload_seconds: int = 900
    """How long presigned URLs to upload to hold."""
    download_seconds: int = 300
    """How long presigned URLs to download from hold. Those a function signs die with its credentials, so
    not for long."""
    key_cache_seconds: int = 20
    """How long the authorizer may trust a key it has seen; the bound of a revocation's delay."""
    limit_reading: str = "600/60"
    """Requests of a rate limit class that one key may send, as are the next five: `RATE/BURST`, a minute
    and at once."""
    limit_writing: str = "120/20"
    limit_models: str = "30/10"
    limit_export: str = "120/20"
    limit_mcp: str = "300/60"
    limit_minting: str = "5/3"
    max_keys: int = 500
    """Good keys that an organisation may have before its own keys can mint no more."""
    monthly_pages: int = 0
    """Pages an organisation may have read in a month, unless it has a number of its own; 0 for any."""
    max_inline_bytes: int = 4_500_000
    """Answers above this are handed out as a redirect to a presigned URL."""
    hosted_model_id: str = ""
    """Model on Amazon Bedrock that is asked for the fields too; empty for none, and then no words leave."""
    hosted_max_pages: int = 20
    """Pages of one document that are shown to it, from the first on."""
    hosted_max_words: int = 12_000
    """Words of one document that are shown to it."""
    hosted_max_tokens: int = 4096
    """Longest answer it may give."""
    hosted_seconds: int = 30
    """Longest time one call of it may take; there are at most three."""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Settings:
        """Return the settings of an environment; unset names keep their defaults.

        Raises
        ------
        ValueError
            A number is not a number; names the variable.
        """
        given: dict[str, str | int] = {}
        for item in fields(cls):
            name = PREFIX + item.name.upper()
            if name not in environ:
                continue
            if isinstance(item.default, int):
                try:
                    given[item.name] = int(environ[name])
                except ValueError:
                    raise ValueError(f"{name} must be a whole number, not {environ[name]!r}") from None
            else:
                given[item.name] = environ[name]
        return cls(**given)  # type: ignore[arg-type]

    @property
    def models(self) -> Path:
        """`models_dir` as a path."""
        return Path(self.models_dir)


@lru_cache(maxsize=1)
def settings() -> Settings:
    """Return this process's settings, read once."""
    return Settings.from_environ(os.environ)


def aws_region() -> str | None:
    """Return the region of this process, as AWS' own variables name it."""
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")


def aws_is_emulated() -> bool:
    """Tell whether AWS' own variables name another endpoint of S3 than that of the region."""
    return bool(os.environ.get("AWS_ENDPOINT_URL") or os.environ.get("AWS_ENDPOINT_URL_S3"))


def child_environment() -> dict[str, str]:
    """Return what a child process is told of this one's environment, which holds no credentials."""
    return {name: os.environ[name] for name in _FOR_CHILDREN if name in os.environ}

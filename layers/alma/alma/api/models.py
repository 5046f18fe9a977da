"""Models and data sets over the API: what is sent, what is answered, and the routes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from alma.access.rate_limit_classes import RateLimitClass
from alma.access.scopes import Scope
from alma.api.document_types import DocTypePath
from alma.api.documents import READ_OR_REDIRECT, DigitizeBody, Upload
from alma.api.errors import ErrorView
from alma.api.operation import Route
from alma.api.request_models import Body, Cursor, Path, Query
from alma.datamodel.examples import Manifest
from alma.datamodel.fields import BASE_MODEL
from alma.datamodel.schemas import KEY
from alma.models.registry import Model, ModelOrigin, ModelStatus
from alma.models.service import ModelUpload
from alma.presentation.view import View, is_none

#: Most documents of a part of a data set.
MAX_DOCUMENTS = 10_000


# --- what is sent ----------------------------------------------------------


class ModelPath(Path):
    """`/v1/models/{id}`."""

    model_id: str = Field(alias="id", description="Id of the model.")


class ModelBody(Body):
    """A model to train from what people verified, or to register."""

    name: str = Field(min_length=1, max_length=100, description="What people call it.")
    doc_type: str = Field(pattern=KEY, description="The type of document it reads.")
    base_model: str = Field(
        default=BASE_MODEL,
        max_length=100,
        description="What it is tuned from: alma-base, or a ready model of yours for that type.",
    )
    source: Literal["verified_fields", "upload"] = Field(
        default="verified_fields",
        description="upload: you trained it elsewhere and send an ONNX file; see docs/models.md.",
    )


class DatasetQuery(Query):
    """Which part of a data set, and as what."""

    format: Literal["jsonl", "json"] = Field(
        default="jsonl", description="jsonl for the lines, json for the manifest."
    )
    limit: Annotated[
        Annotated[int, Field(strict=True, ge=1, le=MAX_DOCUMENTS)] | None,
        Field(description="At most this many documents; all without it."),
    ] = None
    cursor: Cursor = None


# --- what is answered ------------------------------------------------------


class ModelSummary(View):
    """A model of the organisation in a list."""

    id: str
    name: str
    base_model: str
    doc_type: str | None = Field(
        default=None, exclude_if=is_none, description="The type of document it reads."
    )
    status: ModelStatus
    trained_examples: int
    created_at: str


class ModelView(ModelSummary):
    """A model of the organisation."""

    origin: ModelOrigin
    created_by: str | None = Field(description="Id of the key that made it.")
    finished_at: str | None
    error: str | None = Field(
        validation_alias="error_code", description="Code of why it failed or was rejected."
    )
    detail: str | None = Field(description="The same as a sentence.")
    card: dict[str, Any] | None = Field(
        description="What it was made of and how good it is, once it is ready; see docs/models.md."
    )


class AnnouncedModel(ModelView):
    """A model whose file is expected, and where to send it."""

    upload: Upload

    @classmethod
    def of(cls, announced: ModelUpload) -> AnnouncedModel:
        """Return the view of a model that will be uploaded."""
        upload = Upload(url=announced.upload_url, expires_in=announced.expires_in)
        return cls(**dict(ModelView.model_validate(announced.model)), upload=upload)


class ModelList(View):
    """The organisation's models."""

    models: list[ModelSummary]

    @classmethod
    def of(cls, models: list[Model]) -> ModelList:
        """Return the view of models."""
        return cls(models=[ModelSummary.model_validate(model) for model in models])


class DatasetSummary(View):
    """How much of a document type is verified."""

    doc_type: str
    documents: int = Field(description="Documents with verified fields.")
    examples: int = Field(
        validation_alias="fields",
        description="Verified fields. The lines can be fewer: a value without a place on a page is none.",
    )


class DatasetList(View):
    """The document types that have a data set, by name."""

    datasets: list[DatasetSummary]


# --- the routes ------------------------------------------------------------

ROUTES = (
    Route(
        "GET",
        "/v1/datasets",
        "datasets",
        "list_datasets",
        "List the document types with verified fields, and how many.",
        Scope.EXPORT_READ,
        {200: DatasetList},
    ),
    Route(
        "GET",
        "/v1/datasets/{docType}",
        "datasets",
        "get_dataset",
        "Download the verified fields of all documents of a type as training examples: jsonl redirects to "
        "the lines (curl -L), json is the manifest.",
        Scope.EXPORT_READ,
        {200: Manifest, 303: None, 400: ErrorView, 404: ErrorView, 503: ErrorView},
        path=DocTypePath,
        query=DatasetQuery,
    ),
    Route(
        "GET",
        "/v1/models",
        "models",
        "list_models",
        "List the fine-tuned models registered to your organisation.",
        Scope.MODELS_READ,
        {200: ModelList},
    ),
    Route(
        "POST",
        "/v1/models",
        "models",
        "create_model",
        "Train a model from your verified fields (202), or register one (201, with a URL to upload it to).",
        Scope.MODELS_WRITE,
        {201: AnnouncedModel, 202: ModelView, 400: ErrorView, 409: ErrorView},
        body=ModelBody,
        limited_as=RateLimitClass.MODELS,
        shown_once="upload",
        makes="id",
    ),
    Route(
        "GET",
        "/v1/models/{id}",
        "models",
        "get_model",
        "Fetch a model: how far it is, what it was made of and how good it is.",
        Scope.MODELS_READ,
        {200: ModelView, 404: ErrorView},
        path=ModelPath,
    ),
    Route(
        "DELETE",
        "/v1/models/{id}",
        "models",
        "delete_model",
        "Remove a model and its file; what it has read of documents stays.",
        Scope.MODELS_WRITE,
        {204: None, 404: ErrorView},
        path=ModelPath,
    ),
    Route(
        "GET",
        "/v1/models/{id}/file",
        "models",
        "get_model_file",
        "Download a model as an ONNX file: it is yours; a redirect, so follow it (curl -L).",
        Scope.MODELS_READ,
        {303: None, 404: ErrorView, 409: ErrorView},
        path=ModelPath,
    ),
    Route(
        "POST",
        "/v1/models/{id}/digitize",
        "infer",
        "digitize_with_model",
        "Resolve a document with one of your models; a large answer is a redirect, so follow it.",
        Scope.DOCUMENTS_READ,
        {409: ErrorView, **READ_OR_REDIRECT},
        path=ModelPath,
        body=DigitizeBody,
        limited_as=RateLimitClass.MODELS,
    ),
)

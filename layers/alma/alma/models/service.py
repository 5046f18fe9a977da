"""Models and data sets of one organisation, as both doors offer them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from alma.documents.service import DocumentService, content_of
from alma.metering import usage
from alma.models import registry
from alma.models.registry import Model
from alma.presentation.document import DocumentContent
from alma.presentation.files import FileLink
from alma.settings import settings
from alma.storage import objects

if TYPE_CHECKING:
    from alma.datamodel.examples import Manifest
    from alma.models.datasets import Part, Summary


@dataclass(frozen=True, slots=True)
class ModelUpload:
    """A model whose file is expected, and where to send it."""

    model: Model
    upload_url: str
    expires_in: int
    """Seconds the URL holds."""


@dataclass(frozen=True, slots=True)
class ModelService:
    """An organisation's own models and what they learn from.

    Every method raises `NotFoundError` for a model that is absent or another organisation's.
    """

    organisation: str
    actor: str
    """Id of the key that what is done is done with."""

    def list_models(self) -> list[Model]:
        """List the models, oldest first."""
        return registry.list_models(self.organisation)

    def get(self, model_id: str) -> Model:
        """Return a model."""
        return registry.get(self.organisation, model_id)

    def begin_training(self, name: str, doc_type: str, base_model: str) -> Model:
        """Queue the training of a model from verified fields; raises as `registry.begin_training`."""
        return registry.begin_training(self.organisation, name, doc_type, base_model, created_by=self.actor)

    def announce(self, name: str, doc_type: str, base_model: str) -> ModelUpload:
        """Register a model whose ONNX file will be uploaded; raises as `registry.announce`."""
        model = registry.announce(self.organisation, name, doc_type, base_model, created_by=self.actor)
        return _expecting(model)

    def announced(self, model_id: str) -> ModelUpload:
        """Return an announced model again, with a fresh URL to upload its file to."""
        return _expecting(registry.get(self.organisation, model_id))

    def delete(self, model_id: str) -> None:
        """Delete a model and its file; what it has read of documents stays."""
        registry.delete(self.organisation, model_id)

    def file(self, model_id: str) -> FileLink:
        """Return where a model's ONNX file is; raises `ConflictError` for one that is not ready."""
        model = registry.get_ready(self.organisation, model_id)
        name = f"{model.id}.onnx"
        url = objects.download_url(model.organisation, registry.file_key(model), file_name=name)
        return FileLink(url, settings().download_seconds, "application/octet-stream", name)

    def digitize(self, model_id: str, document_id: int) -> DocumentContent:
        """Have a model read a document, and return the fields as it reads them.

        Raises
        ------
        NotFoundError, DocumentProcessingError, DocumentFailedError
            There is no such document, or it has no pages (yet).
        ConflictError
            The model is not ready, reads another type, or cannot be run.
        """
        from alma.models import inference  # numpy, which few functions have

        model = registry.get_ready(self.organisation, model_id)
        document, _ = DocumentService(self.organisation, self.actor).ready(document_id)
        fields = inference.read(model, document, actor=self.actor)
        usage.count_model_run(self.organisation, self.actor)
        return content_of(document, fields, model=model_id)

    def list_datasets(self) -> list[Summary]:
        """List the document types with verified documents, by name."""
        from alma.models import datasets

        return datasets.list_datasets(self.organisation)

    def dataset_lines(self, doc_type: str, part: Part) -> FileLink:
        """Store a data set's lines and return where to get them; raises as `datasets.export`."""
        from alma.models import datasets

        return datasets.export(self.organisation, doc_type, part)

    def dataset_manifest(self, doc_type: str, part: Part) -> Manifest:
        """Return what a data set is but for its lines; raises as `datasets.manifest`."""
        from alma.models import datasets

        return datasets.manifest(self.organisation, doc_type, part)


def _expecting(model: Model) -> ModelUpload:
    url = objects.upload_url(objects.model_upload_key(model.organisation, model.id))
    return ModelUpload(model, url, settings().upload_seconds)

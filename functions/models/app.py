"""/v1/models: the organisation's fine-tuned models."""

from alma.api.dispatch import serve
from alma.api.request import Request, Response
from alma.api.views import AnnouncedModel, ModelBody, ModelList, ModelSummary, ModelView, Upload
from alma.models import registry
from alma.settings import settings
from alma.storage import objects


def list_models(request: Request) -> Response:
    """Answer with the organisation's models."""
    found = registry.list_models(request.organisation)
    view = ModelList(models=[ModelSummary.of(model) for model in found])
    return Response(200, view.model_dump(mode="json"))


def create(request: Request) -> Response:
    """Have a model trained, or make room for one and answer where to upload it."""
    body = request.json(ModelBody)
    make = registry.announce if body.source == "upload" else registry.begin_training
    model = make(
        request.organisation,
        body.name,
        body.docType,
        body.baseModel,
        created_by=request.caller.key_id if request.caller else None,
    )
    if body.source != "upload":
        return Response(202, ModelView.of(model).model_dump(mode="json"), {"Retry-After": "10"})
    upload = Upload(
        url=objects.upload_url(objects.model_upload_key(model.organisation, model.id)),
        expiresIn=settings().upload_seconds,
    )
    view = AnnouncedModel(**dict(ModelView.of(model)), upload=upload)
    return Response(201, view.model_dump(mode="json"))


def get(request: Request) -> Response:
    """Answer with a model."""
    model = registry.get(request.organisation, request.path["id"])
    return Response(200, ModelView.of(model).model_dump(mode="json"))


def get_file(request: Request) -> Response:
    """Answer where the model's file can be fetched."""
    model = registry.get_ready(request.organisation, request.path["id"])
    url = objects.download_url(model.organisation, registry.file_key(model), file_name=f"{model.id}.onnx")
    return Response.elsewhere(url)


def delete(request: Request) -> Response:
    """Remove a model."""
    registry.delete(request.organisation, request.path["id"])
    return Response(204)


handler = serve(
    "models",
    {
        "list_models": list_models,
        "create_model": create,
        "get_model": get,
        "get_model_file": get_file,
        "delete_model": delete,
    },
)

"""/v1/models: the organisation's fine-tuned models."""

import json
from typing import Any

from alma.api import models
from alma.api.dispatch import serve
from alma.api.models import AnnouncedModel, ModelBody, ModelList, ModelPath, ModelView
from alma.api.request import Call, Response
from alma.api.request_models import Nothing
from alma.models.service import ModelService


def list_models(call: Call[Nothing, Nothing, None]) -> Response:
    """Answer with the organisation's models."""
    return Response.of(ModelList.of(_service(call).list_models()))


def create(call: Call[Nothing, Nothing, ModelBody]) -> Response:
    """Have a model trained, or make room for one and answer where to upload it."""
    service, body = _service(call), call.body
    if body.source == "upload":
        announced = service.announce(body.name, body.doc_type, body.base_model)
        return Response.of(AnnouncedModel.of(announced), 201)
    model = service.begin_training(body.name, body.doc_type, body.base_model)
    return Response.of(ModelView.model_validate(model), 202, {"Retry-After": "10"})


def create_again(call: Call[Nothing, Nothing, ModelBody], first: Response) -> Response:
    """Answer with the model that was made, one whose file is expected with a fresh URL."""
    if call.body.source != "upload":
        return first
    made = json.loads(first.content)
    again = AnnouncedModel.of(_service(call).announced(made["id"])).to_json()
    return Response(first.status, {**made, "upload": again["upload"]})


def get(call: Call[ModelPath, Nothing, None]) -> Response:
    """Answer with a model."""
    return Response.of(ModelView.model_validate(_service(call).get(call.path.model_id)))


def get_file(call: Call[ModelPath, Nothing, None]) -> Response:
    """Answer where the model's file can be fetched."""
    return Response.redirect(_service(call).file(call.path.model_id).url)


def delete(call: Call[ModelPath, Nothing, None]) -> Response:
    """Remove a model."""
    _service(call).delete(call.path.model_id)
    return Response(204)


def _service(call: Call[Any, Any, Any]) -> ModelService:
    return ModelService(call.organisation, call.key_id)


handler = serve(
    "models",
    models.ROUTES,
    {
        "list_models": list_models,
        "create_model": create,
        "get_model": get,
        "get_model_file": get_file,
        "delete_model": delete,
    },
    renewals={"create_model": create_again},
)

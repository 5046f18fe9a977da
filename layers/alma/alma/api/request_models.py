"""The bases of what clients send, and the types that several requests share.

A request is described once, by the models that its row of the route table names: validation, OpenAPI and, for
what agents can ask too, the tool's `inputSchema` come from the same class.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, StrictStr
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from alma.text import reject_control_characters

#: Type of the errors whose message is the whole sentence for the caller.
SENTENCE = "sentence"


def sentence(text: str) -> PydanticCustomError:
    """Return the validation error that tells the caller exactly this sentence."""
    return PydanticCustomError(SENTENCE, "{text}", {"text": text})


class RequestModel(BaseModel):
    """What a client sends: unknown names are refused, so that a typo is not silently ignored."""

    model_config = ConfigDict(
        alias_generator=to_camel, serialize_by_alias=True, extra="forbid", defer_build=True
    )


class Body(RequestModel):
    """A JSON body."""


class Query(RequestModel):
    """Query parameters; numbers and truth values are those of JSON by the time they are validated."""


class Path(RequestModel):
    """Path parameters, as the gateway decodes them."""


class Nothing(Query, Path, Body):
    """No parameters, no body."""


def _document_id(raw: object) -> object:
    if isinstance(raw, str):
        if not (raw.isascii() and raw.isdigit()) or len(raw) > 12 or int(raw) < 1:
            raise sentence("A documentId is a positive whole number, such as 4012.")
        return int(raw)
    return raw


#: Number of a document in JSON.
DocumentId = Annotated[
    StrictInt, Field(ge=1, le=10**12 - 1, description="Number of the document, as list_documents gives it.")
]
#: Number of a document in a path.
PathDocumentId = Annotated[
    int, Field(ge=1, description="Number of the document."), BeforeValidator(_document_id)
]
OfType = Annotated[
    Annotated[StrictStr, Field(max_length=64)] | None,
    Field(description="Only documents of this type, such as invoice; list_schemas names them."),
]
Cursor = Annotated[
    Annotated[StrictStr, Field(max_length=200)] | None, Field(description="nextCursor of the result before.")
]
VisibleText = Annotated[StrictStr, AfterValidator(reject_control_characters)]
Value = Annotated[
    VisibleText, Field(max_length=4000, description="As a person writes it; kept in the form of its type.")
]
Comment = Annotated[VisibleText, Field(max_length=2000, description="For the document's history.")]


class DocumentPath(Path):
    """`/v1/documents/{id}`."""

    document_id: PathDocumentId = Field(alias="id")


def limit(most: int, default: int) -> Any:
    """Return the field of a `limit`: at most so many items in an answer."""
    return Field(default=default, ge=1, le=most, description="At most this many.")

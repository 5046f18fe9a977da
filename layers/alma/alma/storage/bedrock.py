"""Amazon Bedrock's Converse API: texts and a JSON schema in, an answer of that shape out.

The only module that talks to a hosted model. Structured output is asked for as the input of a tool, which is
what most models of the service have in common.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

#: Times one question is put, the first included.
ATTEMPTS = 3
#: Reasons to stop after which the tool's input is whole.
_COMPLETE = frozenset({"tool_use", "end_turn", "stop_sequence"})
#: Models that take tools and refuse to be told to use one, found out by asking.
_only_auto: set[str] = set()


class ModelCallError(Exception):
    """The model gave no answer that can be used; the text is a code, and never what the document says."""


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """What a model would call the tool with, and what that cost."""

    input: Mapping[str, Any]
    """Of the shape that was asked for, if the model kept to it: not validated."""
    input_tokens: int
    """As the service counts them."""
    output_tokens: int


@lru_cache(maxsize=1)
def _client(seconds: int, attempts: int) -> Any:
    import boto3

    return boto3.client(
        "bedrock-runtime",
        config=Config(
            # Adaptive: when the service throttles, this process slows down before it asks again.
            retries={"total_max_attempts": attempts, "mode": "adaptive"},
            connect_timeout=2,
            read_timeout=seconds,
        ),
    )


def ask(
    model_id: str,
    *,
    instructions: str,
    texts: Sequence[str],
    tool: str,
    purpose: str,
    schema: Mapping[str, Any],
    max_tokens: int,
    seconds: int,
) -> ToolAnswer:
    """Return a model's answer in the shape of `schema`.

    Parameters
    ----------
    model_id : str
        Model or inference profile.
    instructions : str
        What to do: the system prompt.
    texts : sequence of str
        What to do it with, each a content block of its own.
    tool, purpose : str
        Name and description of the tool whose input the answer is.
    schema : mapping
        JSON schema of that input.
    max_tokens : int
        Longest answer.
    seconds : int
        Longest time one call may take.

    Raises
    ------
    ModelCallError
        The service did not answer, refused, or the answer is cut off or no call of the tool.
    """
    request: dict[str, Any] = {
        "modelId": model_id,
        "system": [{"text": instructions}],
        "messages": [{"role": "user", "content": [{"text": text} for text in texts]}],
        # No temperature: newer models refuse it, and what is wrong does not get past the page anyway.
        "inferenceConfig": {"maxTokens": max_tokens},
        "toolConfig": {
            "tools": [
                {"toolSpec": {"name": tool, "description": purpose, "inputSchema": {"json": dict(schema)}}}
            ],
            "toolChoice": {"auto": {}} if model_id in _only_auto else {"any": {}},
        },
    }
    try:
        client = _client(seconds, ATTEMPTS)
        try:
            answer = client.converse(**request)
        except ClientError as error:
            if model_id in _only_auto or not _refuses_the_choice(error):
                raise
            _only_auto.add(model_id)
            request["toolConfig"]["toolChoice"] = {"auto": {}}
            answer = client.converse(**request)
    except ClientError as error:
        raise ModelCallError(str(error.response.get("Error", {}).get("Code", "refused"))) from None
    except BotoCoreError as error:
        raise ModelCallError(type(error).__name__) from None
    return _tool_answer(answer, tool)


def _refuses_the_choice(error: ClientError) -> bool:
    told = error.response.get("Error", {})
    message = str(told.get("Message", "")).lower().replace("_", "").replace(" ", "")
    return told.get("Code") == "ValidationException" and "toolchoice" in message


def _tool_answer(answer: Mapping[str, Any], tool: str) -> ToolAnswer:
    stopped = str(answer.get("stopReason"))
    if stopped not in _COMPLETE:
        raise ModelCallError(stopped)
    message = (answer.get("output") or {}).get("message") or {}
    for block in message.get("content") or []:
        use = block.get("toolUse")
        if use and use.get("name") == tool and isinstance(use.get("input"), dict):
            usage = answer.get("usage") or {}
            return ToolAnswer(use["input"], usage.get("inputTokens", 0), usage.get("outputTokens", 0))
    raise ModelCallError("no_tool_use")

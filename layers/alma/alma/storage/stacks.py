"""CloudFormation stacks: what a deployed installation says of itself."""

from __future__ import annotations

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from alma.errors import NotFoundError


def outputs(name: str) -> dict[str, str]:
    """Return the outputs of a stack by their keys, read with the credentials of the environment.

    Raises
    ------
    NotFoundError
        The stack cannot be read; the sentence is the service's.
    """
    try:
        found = boto3.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    except (BotoCoreError, ClientError) as error:
        raise NotFoundError(f"The stack {name!r} cannot be read: {error}") from None
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}

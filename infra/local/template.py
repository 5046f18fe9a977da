"""A SAM template as the resources it stands for, with every reference resolved.

The translation to plain CloudFormation is AWS' own (aws-sam-translator, in process); what CloudFormation then
does with `Ref`, `Fn::Sub`, conditions and nested stacks is done here.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.local.errors import LocalRuntimeError

ACCOUNT = "123456789012"
REGION = "eu-west-1"
#: The property that names a resource, for the types whose name others depend on.
_NAMED_BY = {
    "AWS::S3::Bucket": "BucketName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::IAM::Role": "RoleName",
}
_ARN_OF = {
    "AWS::S3::Bucket": "arn:aws:s3:::{name}",
    "AWS::DynamoDB::Table": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{{name}}",
    "AWS::SQS::Queue": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{{name}}",
    "AWS::Lambda::Function": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{{name}}",
    "AWS::Logs::LogGroup": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{{name}}:*",
    "AWS::IAM::Role": f"arn:aws:iam::{ACCOUNT}:role/{{name}}",
}
_NO_VALUE = object()


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of the template, with every reference in its properties resolved."""

    kind: str
    """CloudFormation type."""
    name: str
    """Physical name: of the bucket, table, queue or function."""
    reference: str
    """What `Ref` gives: the name, a queue's URL, an alias' or a version's ARN."""
    arn: str
    properties: dict[str, Any]
    folder: Path | None
    """Source of a function or a layer."""


@dataclass(slots=True)
class Stack:
    """The resources and outputs of a template; logical ids of a nested stack are prefixed with its own id."""

    resources: dict[str, Resource] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)

    def of(self, kind: str) -> Iterator[tuple[str, Resource]]:
        """Yield logical id and resource of every resource of a CloudFormation type."""
        return ((key, each) for key, each in self.resources.items() if each.kind == kind)


def load(
    template: Path,
    *,
    name: str,
    endpoint: str,
    parameters: Mapping[str, str] | None = None,
    cache: Path | None = None,
) -> Stack:
    """Translate a template to CloudFormation and resolve it.

    Parameters
    ----------
    template : Path
        SAM or CloudFormation template.
    name : str
        Name of the stack; the prefix of physical names.
    endpoint : str
        URL of the AWS endpoint; part of a queue's URL.
    parameters : mapping, optional
        Values of template parameters; the rest keep their defaults.
    cache : Path, optional
        Folder to cache the translation in, which takes a second.

    Raises
    ------
    LocalRuntimeError
        The template is missing or cannot be translated; says why.
    """
    try:
        text = template.read_text(encoding="utf-8")
    except OSError as error:
        raise LocalRuntimeError(f"The template {template} cannot be read: {error.strerror}.") from None
    given = dict(parameters or {})
    body = _translated(text, template, given, cache)
    return _Resolver(body, template.parent, name, endpoint, given, cache).stack()


def _translated(text: str, path: Path, parameters: dict[str, str], cache: Path | None) -> dict[str, Any]:
    """Return plain CloudFormation, cached; `Folders` holds the source of each function and layer."""
    key = hashlib.sha256(json.dumps([text, parameters], sort_keys=True).encode()).hexdigest()[:32]
    cached = cache / f"template-{key}.json" if cache else None
    if cached and cached.exists():
        body: dict[str, Any] = json.loads(cached.read_text(encoding="utf-8"))
        return body
    body = json.loads(json.dumps(_translate(text, path, parameters), default=str))
    if cached:
        cached.parent.mkdir(parents=True, exist_ok=True)
        cached.write_text(json.dumps(body), encoding="utf-8")
    return body


def _translate(text: str, path: Path, parameters: dict[str, str]) -> dict[str, Any]:
    # Imported here: a second of import that a warm start does not need.
    from samtranslator.model.exceptions import InvalidDocumentException
    from samtranslator.translator.transform import transform
    from samtranslator.yaml_helper import yaml_parse

    class _NoManagedPolicies:
        def load(self) -> dict[str, str]:
            return {}

    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    source = yaml_parse(text)
    if not isinstance(source, dict) or "Resources" not in source:
        raise LocalRuntimeError(f"{path} is not a template: it has no Resources.")
    shared = source.get("Globals", {}).get("Function", {})
    folders: dict[str, str] = {}
    for key, resource in source["Resources"].items():
        # The deletion policy may be a reference, which the translator knows only with an AWS-side transform.
        resource.pop("DeletionPolicy", None)
        resource.pop("UpdateReplacePolicy", None)
        properties = resource.setdefault("Properties", {})
        match resource["Type"]:
            case "AWS::Serverless::Function":
                folders[key] = properties.get("CodeUri", shared.get("CodeUri", "."))
                properties["CodeUri"] = f"s3://local/{key}"
            case "AWS::Serverless::LayerVersion":
                folders[key] = properties["ContentUri"]
                properties["ContentUri"] = f"s3://local/{key}"
            case "AWS::Serverless::Application":
                resource["Type"] = "AWS::CloudFormation::Stack"
                properties["TemplateURL"] = properties.pop("Location")
    defaults = {key: value.get("Default", "") for key, value in source.get("Parameters", {}).items()}
    unknown = set(parameters) - set(defaults)
    if unknown:
        raise LocalRuntimeError(f"{path} has no parameter {', '.join(sorted(unknown))}.")
    region = os.environ.get("AWS_DEFAULT_REGION")
    os.environ["AWS_DEFAULT_REGION"] = REGION  # the translator takes it from nowhere else
    try:
        body: dict[str, Any] = transform(source, {**defaults, **parameters}, _NoManagedPolicies())
    except InvalidDocumentException as error:
        causes = "; ".join(cause.message for cause in error.causes)
        raise LocalRuntimeError(f"{path} is not a valid template: {causes}") from None
    finally:
        os.environ.pop("AWS_DEFAULT_REGION")
        if region is not None:
            os.environ["AWS_DEFAULT_REGION"] = region
    body["Folders"] = folders
    return body


class _Resolver:
    """Evaluates the intrinsic functions of one translated template."""

    def __init__(
        self,
        body: dict[str, Any],
        root: Path,
        name: str,
        endpoint: str,
        parameters: dict[str, str],
        cache: Path | None,
    ) -> None:
        self.body, self.root, self.name, self.endpoint, self.cache = body, root, name, endpoint, cache
        self.raw: dict[str, dict[str, Any]] = body["Resources"]
        self.nested: dict[str, Stack] = {}
        self.values: dict[str, Any] = {
            "AWS::AccountId": ACCOUNT,
            "AWS::Region": REGION,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": name,
            "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{name}/local",
            "AWS::NoValue": _NO_VALUE,
        }
        for key, declared in body.get("Parameters", {}).items():
            value = parameters.get(key, declared.get("Default"))
            if value is None:
                raise LocalRuntimeError(f"The template's parameter {key} has no default and was not given.")
            if "List" in declared.get("Type", ""):
                value = [part.strip() for part in str(value).split(",")]
            self.values[key] = value if isinstance(value, list) else str(value)

    def stack(self) -> Stack:
        wanted = {
            key: each
            for key, each in self.raw.items()
            if "Condition" not in each or self.condition(each["Condition"])
        }
        stack = Stack()
        for key, each in wanted.items():
            if each["Type"] == "AWS::CloudFormation::Stack":
                child = self.child(key)
                stack.resources.update({f"{key}.{inner}": r for inner, r in child.resources.items()})
                continue
            folder = self.body["Folders"].get(self.source(key))
            stack.resources[key] = Resource(
                kind=each["Type"],
                name=self.physical_name(key),
                reference=self.reference(key),
                arn=self.arn(key),
                properties=self.resolve(each.get("Properties", {})),
                folder=(self.root / folder).resolve() if folder else None,
            )
        for key, output in self.body.get("Outputs", {}).items():
            if "Condition" not in output or self.condition(output["Condition"]):
                stack.outputs[key] = str(self.resolve(output["Value"]))
        return stack

    def child(self, key: str) -> Stack:
        if key not in self.nested:
            properties = self.resolve(self.raw[key].get("Properties", {}))
            path = self.root / properties["TemplateURL"]
            parameters = {k: str(v) for k, v in properties.get("Parameters", {}).items()}
            self.nested[key] = load(
                path,
                name=f"{self.name}-{key}",
                endpoint=self.endpoint,
                parameters=parameters,
                cache=self.cache,
            )
        return self.nested[key]

    def source(self, key: str) -> str:
        """Return the logical id before translation: SAM adds a hash to a layer's."""
        if self.raw[key]["Type"] == "AWS::Lambda::LayerVersion":
            content = self.raw[key]["Properties"].get("Content", {})
            return str(content.get("S3Key", key))
        return key

    def physical_name(self, key: str) -> str:
        kind = self.raw[key]["Type"]
        given = self.raw[key].get("Properties", {}).get(_NAMED_BY.get(kind, ""))
        if given is not None:
            return str(self.resolve(given))
        name = f"{self.name}-{key}"
        return name.lower() if kind == "AWS::S3::Bucket" else name

    def arn(self, key: str) -> str:
        kind = self.raw[key]["Type"]
        if kind in ("AWS::Lambda::Alias", "AWS::Lambda::Version"):
            properties = self.raw[key]["Properties"]
            return f"{self.function_arn(properties['FunctionName'])}:{properties.get('Name', '1')}"
        if kind == "AWS::Lambda::LayerVersion":
            return f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:{self.name}-{key}:1"
        service = kind.split("::")[1].lower()
        pattern = _ARN_OF.get(kind, f"arn:aws:{service}:{REGION}:{ACCOUNT}:{{name}}")
        return pattern.format(name=self.physical_name(key))

    def function_arn(self, value: Any) -> str:
        """Return the ARN of a function named by its name or ARN."""
        found = str(self.resolve(value))
        return found if found.startswith("arn:") else _ARN_OF["AWS::Lambda::Function"].format(name=found)

    def reference(self, key: str) -> str:
        match self.raw[key]["Type"]:
            case "AWS::SQS::Queue":
                return f"{self.endpoint}/{ACCOUNT}/{self.physical_name(key)}"
            case (
                "AWS::Lambda::Alias"
                | "AWS::Lambda::Version"
                | "AWS::Lambda::LayerVersion"
                | "AWS::SNS::Topic"
            ):
                return self.arn(key)
            case "AWS::ApiGateway::RestApi":
                return "local"
            case _:
                return self.physical_name(key)

    def attribute(self, key: str, name: str) -> Any:
        if key not in self.raw:
            raise LocalRuntimeError(f"The template refers to {key}.{name}, which is not there.")
        if name.startswith("Outputs."):
            return self.child(key).outputs[name.removeprefix("Outputs.")]
        match name:
            case "QueueName":
                return self.physical_name(key)
            case "QueueUrl" | "Ref":
                return self.reference(key)
            case "RootResourceId":
                return "root"
            case "DomainName" | "RegionalDomainName":
                return f"{self.physical_name(key)}.s3.{REGION}.amazonaws.com"
            case _:
                return self.arn(key)

    def condition(self, value: Any) -> bool:
        if isinstance(value, str):
            return self.condition(self.body.get("Conditions", {})[value])
        ((operator, operand),) = value.items()
        match operator:
            case "Condition":
                return self.condition(operand)
            case "Fn::Equals":
                return bool(str(self.resolve(operand[0])) == str(self.resolve(operand[1])))
            case "Fn::Not":
                return not self.condition(operand[0])
            case "Fn::And":
                return all(self.condition(each) for each in operand)
            case "Fn::Or":
                return any(self.condition(each) for each in operand)
        raise LocalRuntimeError(f"The local runtime does not know the condition function {operator}.")

    def resolve(self, value: Any) -> Any:
        """Return `value` with every intrinsic function evaluated."""
        if isinstance(value, list):
            resolved = [self.resolve(each) for each in value]
            return [each for each in resolved if each is not _NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((operator, operand),) = value.items()
            if operator == "Ref" or operator.startswith("Fn::"):
                return self.intrinsic(operator, operand)
        members = {key: self.resolve(each) for key, each in value.items()}
        return {key: each for key, each in members.items() if each is not _NO_VALUE}

    def intrinsic(self, operator: str, operand: Any) -> Any:
        match operator:
            case "Ref":
                if operand in self.values:
                    return self.values[operand]
                if operand not in self.raw:
                    raise LocalRuntimeError(f"The template refers to {operand}, which is not there.")
                return self.reference(operand)
            case "Fn::GetAtt":
                key, _, name = (
                    operand.partition(".") if isinstance(operand, str) else (operand[0], "", operand[1])
                )
                return self.attribute(key, str(name))
            case "Fn::Sub":
                text, extra = (operand, {}) if isinstance(operand, str) else operand
                local = {key: self.resolve(each) for key, each in extra.items()}
                return re.sub(r"\$\{(!?)([^}]+)\}", lambda found: self.substitute(found, local), text)
            case "Fn::Join":
                return str(operand[0]).join(str(each) for each in self.resolve(operand[1]))
            case "Fn::Select":
                return self.resolve(operand[1])[int(self.resolve(operand[0]))]
            case "Fn::Split":
                return str(self.resolve(operand[1])).split(operand[0])
            case "Fn::If":
                return self.resolve(operand[1] if self.condition(operand[0]) else operand[2])
            case "Fn::FindInMap":
                table, first, second = (self.resolve(each) for each in operand)
                return self.body["Mappings"][table][first][second]
        raise LocalRuntimeError(f"The local runtime does not know the template function {operator}.")

    def substitute(self, found: re.Match[str], local: dict[str, Any]) -> str:
        literal, name = found.groups()
        if literal:
            return f"${{{name}}}"
        if name in local:
            return str(local[name])
        if "." in name:
            return str(self.intrinsic("Fn::GetAtt", name))
        return str(self.intrinsic("Ref", name))

"""Templates become resources with every reference resolved."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.local.errors import LocalRuntimeError
from infra.local.template import Stack, load

FIXTURE = Path(__file__).parents[2] / "data" / "local" / "template.yaml"


def loaded(text: str, folder: Path, **parameters: str) -> Stack:
    (folder / "template.yaml").write_text(text)
    return load(
        folder / "template.yaml", name="s", endpoint="http://127.0.0.1:1", parameters=parameters, cache=folder
    )


def test_names_references_and_outputs_of_the_fixture() -> None:
    stack = load(FIXTURE, name="s", endpoint="http://127.0.0.1:1")

    assert stack.outputs == {
        "Bucket": "s-files",
        "QueueUrl": "http://127.0.0.1:1/123456789012/s-Queue",
        "TableArn": "arn:aws:dynamodb:eu-west-1:123456789012:table/s-Table",
        "Hint": "s3://s-files/inbox",
    }
    assert stack.resources["Echo"].folder == FIXTURE.parent / "functions" / "echo"
    assert stack.resources["Queue"].properties["RedrivePolicy"]["deadLetterTargetArn"] == (
        "arn:aws:sqs:eu-west-1:123456789012:s-DeadLetters"
    )


def test_conditions_decide_which_resources_there_are() -> None:
    without = load(FIXTURE, name="s", endpoint="")
    with_mail = load(FIXTURE, name="s", endpoint="", parameters={"Mail": "a@example.org"})

    assert "Topic" not in without.resources
    assert "Topic" in with_mail.resources
    assert with_mail.outputs["Hint"] == "s3://s-files/mail"


def test_a_nested_template_gets_parameters_and_gives_outputs(tmp_path: Path) -> None:
    (tmp_path / "child.yaml").write_text(
        """
Parameters: {Prefix: {Type: String}}
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    Properties: {BucketName: !Sub "${Prefix}-inner"}
Outputs:
  Name: {Value: !Ref Bucket}
"""
    )
    parent = """
Resources:
  Child:
    Type: AWS::CloudFormation::Stack
    Properties: {TemplateURL: child.yaml, Parameters: {Prefix: !Sub "${AWS::StackName}-x"}}
Outputs:
  Inner: {Value: !GetAtt Child.Outputs.Name}
"""
    for _ in range(2):  # the second time from the cache
        stack = loaded(parent, tmp_path)
        assert stack.resources["Child.Bucket"].name == "s-x-inner"
        assert stack.outputs == {"Inner": "s-x-inner"}


def test_functions_of_the_template_language(tmp_path: Path) -> None:
    stack = loaded(
        """
Parameters: {Hosts: {Type: CommaDelimitedList, Default: "a, b"}}
Mappings: {Sizes: {small: {cpu: "1"}}}
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: !FindInMap [Sizes, small, cpu]
      DelaySeconds: !Ref AWS::NoValue
Outputs:
  Second: {Value: !Select [1, !Ref Hosts]}
  Literal: {Value: !Sub "${!x} ${y}${AWS::Region}"}
  Split: {Value: !Select [1, !Split ["-", "p-q"]]}
""".replace('"${!x} ${y}${AWS::Region}"', '["${!x} ${y} ${AWS::Region}", {y: 1}]'),
        tmp_path,
    )
    assert stack.outputs == {"Second": "b", "Literal": "${x} 1 eu-west-1", "Split": "q"}
    assert stack.resources["Queue"].properties == {"VisibilityTimeout": "1"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Outputs: {}", "is not a template: it has no Resources"),
        (
            "Resources: {A: {Type: AWS::SQS::Queue, Properties: {QueueName: !Ref B}}}",
            "refers to B, which is not",
        ),
        (
            "Resources: {A: {Type: AWS::SQS::Queue, Properties: {QueueName: !ImportValue B}}}",
            "does not know the template function Fn::ImportValue",
        ),
        (
            "Resources: {A: {Type: AWS::Serverless::Function, Properties: {CodeUri: .}}}",
            "is not a valid template",
        ),
    ],
)
def test_what_cannot_be_run_is_refused_with_the_reason(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(LocalRuntimeError, match=message):
        loaded(text, tmp_path)


def test_unknown_parameters_and_missing_templates_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LocalRuntimeError, match="has no parameter Nope"):
        load(FIXTURE, name="s", endpoint="", parameters={"Nope": "1"})
    with pytest.raises(LocalRuntimeError, match="cannot be read: No such file or directory"):
        load(tmp_path / "none.yaml", name="s", endpoint="")

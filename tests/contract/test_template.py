"""template.yaml, the settings, the table's keys and the routes say the same."""

from __future__ import annotations

import importlib.util
import json
import re
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from alma.access.rate_limit_classes import RateLimitClass
from alma.api.routes import ROUTES
from alma.models.inference import MOST_WARM
from alma.settings import PREFIX, Settings
from alma.storage import bedrock, objects, table
from alma.storage.items.idempotency import idempotency_partition
from infra.local.template import ACCOUNT, REGION, Stack, load

ROOT = Path(__file__).parents[2]
LAMBDA_VARIABLES = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_LOG_LEVEL"}


@cache
def template() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text())
    return parsed


def resources(kind: str) -> dict[str, dict[str, Any]]:
    """Properties of all resources of a type, by logical id."""
    return {
        name: resource["Properties"]
        for name, resource in template()["Resources"].items()
        if resource["Type"] == kind
    }


def functions() -> dict[str, dict[str, Any]]:
    return resources("AWS::Serverless::Function")


def shared() -> dict[str, Any]:
    """What all functions have in common."""
    properties: dict[str, Any] = template()["Globals"]["Function"]
    return properties


def environment() -> dict[str, Any]:
    variables: dict[str, Any] = shared()["Environment"]["Variables"]
    return variables


@cache
def stack() -> Stack:
    """The template translated, with every reference resolved."""
    return load(ROOT / "template.yaml", name="s", endpoint="")


def statements() -> list[tuple[str, dict[str, Any]]]:
    """Functions and what each may do, with resources as ARNs."""
    return [
        (key.removesuffix("Role"), statement)
        for key, role in stack().of("AWS::IAM::Role")
        if key.removesuffix("Role") in functions()
        for policy in role.properties.get("Policies", [])
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def may_send_to(queue: str) -> set[str]:
    return {
        name
        for name, statement in statements()
        if "sqs:SendMessage" in as_list(statement["Action"])
        and statement["Resource"] == stack().resources[queue].arn
    }


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def api_events() -> list[tuple[str, dict[str, Any]]]:
    return [
        (function["CodeUri"].removeprefix("functions/"), event["Properties"])
        for function in functions().values()
        for event in function.get("Events", {}).values()
        if event["Type"] == "Api"
    ]


@pytest.mark.parametrize("name", sorted(functions()))
def test_every_handler_in_the_template_imports(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    module_name, _, attribute = functions()[name].get("Handler", shared()["Handler"]).rpartition(".")
    path = ROOT / functions()[name]["CodeUri"] / f"{module_name}.py"
    spec = importlib.util.spec_from_file_location(f"contract_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert callable(getattr(module, attribute))


def test_every_function_folder_is_in_the_template() -> None:
    folders = {f"functions/{path.parent.name}" for path in (ROOT / "functions").glob("*/app.py")}
    assert {function["CodeUri"] for function in functions().values()} == folders


def test_every_environment_variable_is_a_setting() -> None:
    settings = {PREFIX + name.upper() for name in Settings.__dataclass_fields__}
    assert set(environment()) - LAMBDA_VARIABLES <= settings


def test_no_function_has_an_environment_of_its_own_but_for_the_threads_of_training() -> None:
    own = {
        name: function["Environment"] for name, function in functions().items() if "Environment" in function
    }
    assert own == {"TrainFunction": {"Variables": {"OPENBLAS_NUM_THREADS": "1"}}}


def test_what_only_the_cloud_knows_is_in_the_environment() -> None:
    for name in ("ALMA_TABLE", "ALMA_INBOX_BUCKET", "ALMA_ARCHIVE_BUCKET", "ALMA_PAGE_QUEUE"):
        assert name in environment()


def test_default_parameters_are_the_default_settings() -> None:
    parameters = template()["Parameters"]
    settings = Settings()
    assert parameters["MaxFileBytes"]["Default"] == settings.max_file_bytes
    assert parameters["MaxPages"]["Default"] == settings.max_pages
    assert parameters["MaxPixels"]["Default"] == settings.max_pixels
    assert parameters["KeyCacheSeconds"]["Default"] == settings.key_cache_seconds
    for family in RateLimitClass:
        parameter = parameters[f"Limit{family.value.capitalize()}"]
        assert parameter["Default"] == getattr(settings, f"limit_{family.value}")
    assert parameters["MonthlyPages"]["Default"] == settings.monthly_pages
    assert parameters["HostedModelId"]["Default"] == settings.hosted_model_id == ""
    assert parameters["HostedMaxPages"]["Default"] == settings.hosted_max_pages
    assert parameters["HostedMaxWords"]["Default"] == settings.hosted_max_words
    assert environment()["ALMA_MODELS_DIR"] == settings.models_dir


def test_bucket_names_in_the_environment_are_the_buckets_names() -> None:
    buckets = resources("AWS::S3::Bucket")
    assert environment()["ALMA_INBOX_BUCKET"] == buckets["InboxBucket"]["BucketName"]
    assert environment()["ALMA_ARCHIVE_BUCKET"] == buckets["ArchiveBucket"]["BucketName"]


def test_key_names_of_the_table_agree_with_the_code() -> None:
    (properties,) = resources("AWS::DynamoDB::Table").values()

    def keys(schema: list[dict[str, str]]) -> tuple[str, str]:
        by_type = {key["KeyType"]: key["AttributeName"] for key in schema}
        return by_type["HASH"], by_type["RANGE"]

    assert keys(properties["KeySchema"]) == (table.PARTITION_KEY, table.SORT_KEY)
    assert {
        index["IndexName"]: keys(index["KeySchema"]) for index in properties["GlobalSecondaryIndexes"]
    } == table.INDEXES
    assert properties["TimeToLiveSpecification"] == {"AttributeName": table.EXPIRY, "Enabled": True}


def test_every_resource_of_the_code_has_one_event_for_any_method_on_its_function() -> None:
    # The gateway hands every method on, so that the code answers HEAD, OPTIONS and 405.
    assert sorted((event["Method"], event["Path"], folder) for folder, event in api_events()) == sorted(
        {("ANY", route.resource, route.function) for route in ROUTES}
    )


def test_only_public_routes_go_without_the_authorizer() -> None:
    open_resources = {
        event["Path"] for _, event in api_events() if event.get("Auth", {}).get("Authorizer") == "NONE"
    }
    assert open_resources == {route.resource for route in ROUTES if route.scope is None}
    assert open_resources.isdisjoint(route.resource for route in ROUTES if route.scope is not None)
    assert resources("AWS::Serverless::Api")["Api"]["Auth"]["DefaultAuthorizer"] == "Keys"


def test_the_authorizer_is_asked_for_every_request() -> None:
    authorizer = resources("AWS::Serverless::Api")["Api"]["Auth"]["Authorizers"]["Keys"]
    assert authorizer["FunctionPayloadType"] == "REQUEST"
    assert authorizer["Identity"] == {"Context": ["identity.sourceIp"], "ReauthorizeEvery": 0}


def test_a_refused_key_gets_the_body_that_clients_were_promised() -> None:
    responses = resources("AWS::Serverless::Api")["Api"]["GatewayResponses"]
    for kind in ("UNAUTHORIZED", "ACCESS_DENIED"):
        assert responses[kind]["StatusCode"] == 401
        assert responses[kind]["ResponseTemplates"] == {"application/json": '{"error":"unauthorized"}'}


def test_every_other_answer_of_the_gateway_has_the_error_shape() -> None:
    responses = resources("AWS::Serverless::Api")["Api"]["GatewayResponses"]
    others = set(responses) - {"UNAUTHORIZED", "ACCESS_DENIED"}
    assert {"DEFAULT_4XX", "DEFAULT_5XX", "THROTTLED", "REQUEST_TOO_LARGE"} <= others
    for kind in others:
        (body,) = responses[kind]["ResponseTemplates"].values()
        # The one variable that API Gateway quotes itself.
        filled = json.loads(body.replace("$context.error.messageString", '"a message"'))
        assert list(filled) == ["error", "detail", "request_id"]
        assert re.fullmatch(r"[a-z_]+", filled["error"])
        assert filled["request_id"] == "$context.requestId"


def test_a_path_that_the_gateway_names_is_one_that_exists() -> None:
    api = resources("AWS::Serverless::Api")["Api"]
    said = re.findall(r"/[\w/.]*\w", json.dumps(list(api["GatewayResponses"].values())))
    named = {path for path in said if "v1" in path}

    assert named == {"/api/v1/openapi.json", "/api/v1/documents"}
    assert named <= {f"/{api['StageName']}{row.resource}" for row in ROUTES}


def test_no_policy_has_a_wildcard_resource() -> None:
    for name, statement in statements():
        for resource in as_list(statement["Resource"]):
            assert resource.startswith("arn:aws:"), name
            assert not re.search(rf":\*|(?:aws|{REGION}|{ACCOUNT})\*", resource), (name, resource)


def test_rows_of_tokens_are_out_of_reach_but_for_the_authorizer_and_whoever_mints() -> None:
    (policy,) = (
        statement
        for each in resources("AWS::IAM::ManagedPolicy").values()
        for statement in each["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny"
    )
    assert policy["Condition"] == {"ForAnyValue:StringLike": {"dynamodb:LeadingKeys": ["token#*"]}}
    apart = {
        name
        for name, function in functions().items()
        if {"Ref": "TokensApart"} in function.get("Policies", [])
    }
    assert set(functions()) - apart == {"AuthorizerFunction", "KeysFunction"}


def test_no_policy_has_a_wildcard_action() -> None:
    for name, statement in statements():
        assert [action for action in as_list(statement["Action"]) if "*" in action] == [], name


def test_whoever_reads_what_was_made_of_documents_is_told_what_is_absent() -> None:
    """Without s3:ListBucket, S3 answers 403 for it, which is no absence."""

    def may(action: str, ends: str) -> set[str]:
        return {
            name
            for name, statement in statements()
            for resource in as_list(statement["Resource"])
            if action in as_list(statement["Action"])
            and re.fullmatch(rf"{re.escape(stack().resources['ArchiveBucket'].arn)}{ends}", resource)
        }

    readers = may("s3:GetObject", r"/\*(/(words|models|pages)/\*)?")
    assert readers - may("s3:ListBucket", "") == set()


def test_a_hosted_model_is_given_up_before_the_function_that_waits_for_it_ends() -> None:
    longest = bedrock.ATTEMPTS * Settings().hosted_seconds
    assert longest < functions()["ExtractFunction"]["Timeout"]


def test_a_stack_without_a_hosted_model_grants_nothing_of_bedrock() -> None:
    model = "eu.example.model-v1:0"
    without = stack()
    with_model = load(ROOT / "template.yaml", name="s", endpoint="", parameters={"HostedModelId": model})

    assert [key for key, each in without.resources.items() if "bedrock" in str(each.properties)] == []
    assert [key for key, each in with_model.resources.items() if "bedrock" in str(each.properties)] == [
        "HostedModelPolicy"
    ]
    granted = with_model.resources["HostedModelPolicy"].properties
    assert granted["Roles"] == [with_model.resources["ExtractFunctionRole"].name]
    profile = f"arn:aws:bedrock:eu-west-1:123456789012:inference-profile/{model}"
    assert granted["PolicyDocument"]["Statement"] == [
        {
            "Effect": "Allow",
            "Action": "bedrock:InvokeModel",
            "Resource": [f"arn:aws:bedrock:eu-west-1::foundation-model/{model}", profile],
        },
        {
            "Effect": "Allow",
            "Action": "bedrock:InvokeModel",
            "Resource": "arn:aws:bedrock:*::foundation-model/*",
            "Condition": {"StringEquals": {"bedrock:InferenceProfileArn": profile}},
        },
    ]


def test_the_authorizer_reaches_tokens_and_nothing_else() -> None:
    (statement,) = [statement for name, statement in statements() if name == "AuthorizerFunction"]
    assert statement["Action"] == ["dynamodb:GetItem", "dynamodb:UpdateItem"]
    assert statement["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["token#*"]}}


def test_every_function_behind_the_api_may_write_the_rows_of_the_limiter_and_readers_no_others() -> None:
    for name in {route.function for route in ROUTES}:
        logical_id = f"{name.capitalize()}Function"
        updating = [
            statement
            for owner, statement in statements()
            if owner == logical_id and "dynamodb:UpdateItem" in as_list(statement["Action"])
        ]
        assert updating, name
        if name in {"datasets", "digitize", "export", "portal", "schemas"}:
            also = ["idempotency#*"] if name == "digitize" else []
            assert [each["Condition"] for each in updating] == [
                {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [rows]}} for rows in ["limit#*", *also]
            ]


def test_every_function_that_takes_an_idempotency_key_may_keep_its_answers() -> None:
    partition = idempotency_partition("greaves")
    for name in {route.function for route in ROUTES if route.takes_idempotency_key}:
        may = {
            action
            for owner, statement in statements()
            if owner == f"{name.capitalize()}Function" and stack().resources["Table"].arn in str(statement)
            for rows in statement.get("Condition", {"": {"": ["*"]}}).values()
            for row in next(iter(rows.values()))
            if fnmatch(partition, row)
            for action in as_list(statement["Action"])
        }
        needed = {f"dynamodb:{each}Item" for each in ("Get", "Put", "Update", "Delete")}
        assert needed <= may, name


def test_a_function_whose_answers_can_be_large_may_keep_them_for_a_day() -> None:
    for name in ("DigitizeFunction", "InferFunction", "DocumentsFunction"):
        actions = {
            action
            for owner, statement in statements()
            if owner == name and str(statement["Resource"]).endswith("/*/exports/*")
            for action in as_list(statement["Action"])
        }
        needed = {f"s3:{each}" for each in ("GetObject", "PutObject", "PutObjectTagging", "DeleteObject")}
        assert needed <= actions, name


@pytest.mark.parametrize("name", sorted(resources("AWS::S3::Bucket")))
def test_every_bucket_is_encrypted_private_and_reached_over_tls(name: str) -> None:
    bucket = resources("AWS::S3::Bucket")[name]
    assert bucket["BucketEncryption"]
    assert bucket["PublicAccessBlockConfiguration"] == {
        "BlockPublicAcls": True,
        "BlockPublicPolicy": True,
        "IgnorePublicAcls": True,
        "RestrictPublicBuckets": True,
    }
    (policy,) = [
        policy for policy in resources("AWS::S3::BucketPolicy").values() if policy["Bucket"] == {"Ref": name}
    ]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_what_is_tagged_as_passing_is_removed_after_a_day() -> None:
    lifecycle = resources("AWS::S3::Bucket")["ArchiveBucket"]["LifecycleConfiguration"]
    (rule,) = [rule for rule in lifecycle["Rules"] if "TagFilters" in rule]
    (tag,) = rule["TagFilters"]
    assert f"{tag['Key']}={tag['Value']}" == objects.PASSING
    assert (rule["Status"], rule["ExpirationInDays"]) == ("Enabled", 1)


def test_the_table_is_encrypted_and_can_be_restored() -> None:
    (properties,) = resources("AWS::DynamoDB::Table").values()
    assert properties["SSESpecification"] == {"SSEEnabled": True}
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_queues_are_encrypted_and_outlast_their_reader() -> None:
    queues = resources("AWS::SQS::Queue")
    assert all(queue["SqsManagedSseEnabled"] for queue in queues.values())
    assert queues["PageQueue"]["VisibilityTimeout"] == 6 * functions()["ExtractFunction"]["Timeout"]


def test_a_page_is_given_up_with_its_reason_before_the_queue_drops_it() -> None:
    redrive = resources("AWS::SQS::Queue")["PageQueue"]["RedrivePolicy"]
    assert redrive["maxReceiveCount"] > Settings().page_attempts


def test_whoever_can_set_a_document_going_may_ask_for_its_pages() -> None:
    assert may_send_to("PageQueue") == {
        "IngestFunction",
        "ExtractFunction",
        "DocumentsFunction",
        "ReviewsFunction",
    }


def test_models_are_sent_to_training_by_their_own_function_alone() -> None:
    assert may_send_to("ModelQueue") == {"ModelsFunction"}


@pytest.mark.parametrize("name", sorted(functions()))
def test_every_function_logs_to_a_group_with_retention(name: str) -> None:
    group = functions()[name]["LoggingConfig"]["LogGroup"]["Ref"]
    assert resources("AWS::Logs::LogGroup")[group]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_functions_behind_the_api_start_from_a_snapshot_and_most_carry_no_further_layer() -> None:
    layers = {
        "IngestFunction": ["VisionLayer"],
        "ExtractFunction": ["VisionLayer"],
        "CheckFunction": ["VisionLayer", "TrainingLayer"],
        "InferFunction": ["VisionLayer"],
        "McpFunction": ["VisionLayer"],
        "TrainFunction": ["VisionLayer", "TrainingLayer"],
    }
    for name, function in functions().items():
        assert [layer["Ref"] for layer in function.get("Layers", [])] == layers.get(name, []), name
        answers = any(event["Type"] == "Api" for event in function.get("Events", {}).values())
        assert ("SnapStart" in function) == (answers or name == "AuthorizerFunction"), name


def test_files_and_models_arrive_at_functions_of_their_own() -> None:
    prefixes = {
        name: event["Properties"]["Filter"]["S3Key"]["Rules"]
        for name, function in functions().items()
        for event in function.get("Events", {}).values()
        if event["Type"] == "S3"
    }
    assert prefixes == {
        "IngestFunction": [{"Name": "prefix", "Value": objects.INBOX}],
        "CheckFunction": [{"Name": "prefix", "Value": objects.MODEL_INBOX}],
    }


@pytest.mark.parametrize("name", ["InferFunction", "McpFunction"])
def test_the_models_of_a_function_that_runs_them_fit_into_its_memory(name: str) -> None:
    beside = 700  # its own interpreter, a document and its features
    assert functions()[name]["MemorySize"] >= MOST_WARM * Settings().model_memory_mb + beside

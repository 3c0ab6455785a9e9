"""A stack of an earlier release becomes one of this by CloudFormation, as moto has it: nothing that is kept is made anew.

moto's has no paths, stages and deployments of API Gateway, no URLs of functions, no alarms and dashboards, takes no layer in an
update and changes no table: those are compared between templates in test_template.py, and the index is made here by
DynamoDB's own call. What the tables hold then, step by step, is in tests/unit/store/test_upgrade.py.
"""

import copy
import io
import json
import zipfile

import boto3
import pytest

from haimaker.accounts import keys as auth
from haimaker.http.values import JSON
from haimaker.store import Granted, Reservation
from haimaker.store.dynamodb import DynamoStore
from haimaker.store.tables import TABLES
from local.command_line.template_settings import settings_of
from tests.support.aws_tools import ROOT
from tests.support.cloudformation import chosen
from tests.support.stack import client
from tests.unit.store.conftest import record

BEFORE = json.loads((ROOT / "tests" / "lambda" / "stack_before.json").read_text())["kept"]
OLD = json.loads((ROOT / "tests" / "unit" / "store" / "release_before_parts.json").read_text())
NOT_IN_MOTO = (
    *("AWS::ApiGateway::Deployment", "AWS::ApiGateway::Stage", "AWS::Lambda::Url", "AWS::Lambda::LayerVersion"),
    *("AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard"),
)
STACK = "upgraded"
COSTS = sum(range(1_000, 1_012))


def for_moto(template: JSON, settings: dict[str, str]) -> JSON:
    """What moto can make of a template."""
    found = chosen(template, settings)
    without = {name for name, one in found["Resources"].items() if one["Type"] in NOT_IN_MOTO}
    found["Resources"] = {name: one for name, one in found["Resources"].items() if name not in without}
    for one in found["Resources"].values():
        if one["Type"] == "AWS::Lambda::Function":
            one["Properties"] = {**one["Properties"], "Code": {"S3Bucket": "bucket", "S3Key": "code.zip"}}
            del one["Properties"]["Layers"]
    del found["Resources"]["GatewayApi"]["Properties"]["Body"]
    names = [f'"{name}"' for name in without] + [f"${{{name}" for name in without]
    found["Outputs"] = {name: one for name, one in found["Outputs"].items() if not any(left in json.dumps(one) for left in names)}
    return found


def before(template: JSON) -> JSON:
    """The stack as it was, in what was recorded of it: which resources there were, and the tables."""
    there = {*BEFORE, *(name.replace("Function", "Role") for name in BEFORE if name.endswith("Function"))}
    found = copy.deepcopy({name: one for name, one in template["Resources"].items() if name in there})
    for name, table in (("AccountsTable", "accounts"), ("RecordsTable", "records")):
        found[name]["Properties"] |= OLD["tables"][table]
    for one in found.values():
        if one["Type"] == "AWS::Lambda::Function":
            one["Properties"]["Description"] = "of the release before"
    outputs = {name: template["Outputs"][name] for name in ("BaseUrl", "AccountsTable", "RecordsTable", "ProvidersParameter")}
    return {**template, "Resources": found, "Outputs": outputs}


@pytest.fixture
def cloudformation(moto):
    place = {"endpoint_url": moto, "aws_access_key_id": "AKID", "aws_secret_access_key": "secret"}
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", "")
    files = boto3.client("s3", "us-east-1", **place)
    files.create_bucket(Bucket="bucket")
    files.put_object(Bucket="bucket", Key="code.zip", Body=code.getvalue())
    return boto3.client("cloudformation", "us-east-1", **place)


def described(cloudformation) -> tuple[dict[str, str], dict[str, str]]:
    """The stack's outputs, and its resources' names in the account."""
    (stack,) = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
    assert stack["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
    there = cloudformation.list_stack_resources(StackName=STACK)["StackResourceSummaries"]
    return {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}, {
        one["LogicalResourceId"]: one["PhysicalResourceId"] for one in there
    }


def parameters(settings: dict[str, str]) -> list[dict[str, str]]:
    return [{"ParameterKey": name, "ParameterValue": value} for name, value in settings.items()]


@pytest.mark.filterwarnings("ignore:.*not supported by moto's CloudFormation")
def test_an_upgrade_keeps_what_there_was(moto, template, cloudformation, tmp_path):
    defaults = {name: str(one["Default"]) for name, one in template["Parameters"].items()}
    first = for_moto(before(template), {**defaults, "RecordsByDay": "true"})
    cloudformation.create_stack(
        StackName=STACK, TemplateBody=json.dumps(first), Parameters=parameters(defaults), Capabilities=["CAPABILITY_IAM"]
    )
    outputs, resources = described(cloudformation)
    dynamo = client(moto)
    names = {"accounts": outputs["AccountsTable"], "records": outputs["RecordsTable"]}
    for table, name in names.items():
        for item in OLD["items"][table]:
            dynamo.call("PutItem", {"TableName": name, "Item": item})

    kept = {name: value for name, value in defaults.items() if name not in ("RecordsByDay", "Rollout", "FunctionUrls")}
    settings = settings_of(
        STACK, ROOT / "template.yaml", tmp_path / "samconfig.toml", kept, {**outputs, "CompletionsUrl": "https://…"}
    )
    assert (settings["RecordsByDay"], settings["FunctionUrls"]) == ("true", "all")
    second = for_moto(template, settings)
    second["Resources"]["RecordsTable"] = first["Resources"]["RecordsTable"]  # moto would forget it
    cloudformation.update_stack(
        StackName=STACK,
        TemplateBody=json.dumps(second),
        Parameters=parameters(settings),
        Capabilities=["CAPABILITY_IAM"],
    )
    now_outputs, now_resources = described(cloudformation)
    assert {name: now_outputs.get(name) for name in outputs} == outputs
    assert {name: now_resources.get(name) for name in resources} == resources
    assert len(now_resources) > len(resources)

    definitions = [{"AttributeName": name, "AttributeType": "S"} for name in ("id", "account", "day", "part", "started")]
    (by_part,) = [index for index in TABLES["records"]["GlobalSecondaryIndexes"] if index["IndexName"] == "by_part"]
    change = {"AttributeDefinitions": definitions, "GlobalSecondaryIndexUpdates": [{"Create": by_part}]}
    dynamo.call("UpdateTable", {"TableName": names["records"], **change})
    now_s = OLD["time_s"] + 3_600.0
    store = DynamoStore(names["accounts"], names["records"], dynamo, lambda: now_s, by_day=True)
    balance = store.get(auth.account_id_of(OLD["key"]))
    assert balance is not None, "the key is valid"
    assert (balance.spend_nanousd, balance.total_spend_nanousd, balance.held_nanousd) == (COSTS, COSTS, 7_000)
    key = balance.account
    granted = store.reserve(Reservation("request-13", key.id, key.version, 500, 10, now_s, int(now_s) + 900))
    assert isinstance(granted, Granted)
    assert store.settle(granted.reservation, record(granted.reservation, 321), 10)
    after = store.get(key.id)
    assert after is not None
    assert (after.total_spend_nanousd, after.held_nanousd) == (COSTS + 7_000 + 321, 0), "the lost one is charged as well"
    assert len(store.records(None, limit=100)[0]) == 14
    dynamo.close()

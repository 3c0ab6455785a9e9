"""The deployed stack in small: tables and secrets in emulators behind a front, a scripted provider, functions under the runtime.

Each function calls AWS with its own role of the translated template, and is refused what that does not allow.
"""

import base64
import json
import os
import runpy
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import boto3

from haimaker.accounts import keys as auth
from haimaker.aws.client import AWSClient
from haimaker.aws.sigv4 import Credentials
from haimaker.aws_lambda.handler import to_proxy_response
from haimaker.aws_lambda.runtime import Context, StreamedResponse
from haimaker.http.values import JSON
from haimaker.store import Account, Balance
from haimaker.store.dynamodb import DynamoStore
from haimaker.store.tables import TABLES as TABLES_OF_STORE
from haimaker.store.tables import create_tables
from tests.support.aws_front import AWSFront
from tests.support.fake_upstream import FakeUpstream
from tests.support.roles import Role, Template
from tests.support.runtime_emulator import LAMBDA, Invocation, RuntimeEmulator

TABLES = {"accounts": "stack-accounts", "records": "stack-records"}
QUEUE = "stack-batches"
BUCKETS = {"Files": "stack-files", "Content": "a-bucket"}
PARAMETERS = {"BedrockBatchBucket": "my-bucket", "BedrockBatchRole": "arn:aws:iam::123456789012:role/batches"}
UPSTREAM_KEY = "sk-the-provider's"
FUNCTIONS = Path(__file__).parents[2] / "functions"


@dataclass
class Answer:
    """What a function said, read to its end."""

    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def json(self) -> JSON:
        return json.loads(self.raw)

    @property
    def code(self) -> str | None:
        return self.json["error"]["code"]


class LoadedFunction:
    """A function in this process, called as the runtime calls it: where it does not matter that processes are apart, a twentieth of
    the cost of one of its own."""

    def __init__(self, name: str, environment: dict[str, str]) -> None:
        with patch.dict(os.environ, environment, clear=True):
            self.handler = runpy.run_path(str(FUNCTIONS / name / "app.py"))["handler"]

    def ask(self, event: JSON, *, lasts_s: float = 60.0) -> Answer:
        """The answer, after all that the function does before it is frozen."""
        reply = self.reply(event, lasts_s=lasts_s)
        body = reply["body"].encode()
        return Answer(reply["statusCode"], reply["headers"], base64.b64decode(body) if reply["isBase64Encoded"] else body)

    def reply(self, event: JSON, *, lasts_s: float = 60.0) -> JSON:
        """The same in the form that API Gateway takes of functions that do not stream."""
        result = self.handler(event, Context("invocation-1", "", int((time.time() + lasts_s) * 1000)))
        reply = to_proxy_response(result) if isinstance(result, StreamedResponse) else result
        self.handler.finish()
        return reply


@dataclass
class Stack:
    front: AWSFront
    upstream: FakeUpstream
    store: DynamoStore
    """The same tables, not through the front."""
    secrets: str
    """The name of the SSM parameter."""
    template: JSON
    """As AWS's translator leaves it."""
    _open: ExitStack = field(default_factory=ExitStack)

    def function(self, name: str, **environment: str) -> RuntimeEmulator:
        """The function in a new process; it ends with the test."""
        return self._open.enter_context(RuntimeEmulator(f"functions/{name}", self._environment(name, environment)))

    def load(self, name: str, **environment: str) -> LoadedFunction:
        """The function in this process, as it is at a cold start."""
        return LoadedFunction(name, LAMBDA | self._environment(name, environment))

    def _environment(self, name: str, more: dict[str, str]) -> dict[str, str]:
        """Of a function, which calls AWS with its role."""
        self.role(name)
        function = Template(self.template, {"AWS::StackName": self.secrets.split("/")[1]})
        return {
            "AWS_LAMBDA_FUNCTION_NAME": function.name(function.functions()[name]),
            "HAIMAKER_ACCOUNTS_TABLE": TABLES["accounts"],
            "HAIMAKER_RECORDS_TABLE": TABLES["records"],
            "HAIMAKER_PROVIDERS_PARAMETER": self.secrets,
            "OPENAI_BASE_URL": self.upstream.url,
            "AWS_ACCESS_KEY_ID": f"AKID-{name}",
            **self.front.environment,
            **more,
        }

    def role(self, name: str) -> Role:
        """A function's role, which the front enforces from now on."""
        names = {
            "AWS::StackName": self.secrets.split("/")[1],
            "AccountsTable": TABLES["accounts"],
            "RecordsTable": TABLES["records"],
            "BatchQueue": QUEUE,
            **BUCKETS,
            **PARAMETERS,
        }
        template = Template(self.template, names)
        return self.front.roles.setdefault(f"AKID-{name}", template.role(template.functions()[name]))

    def key(self, **settings: object) -> str:
        """A new key in the store."""
        key = auth.new_key()
        assert self.store.put(Account(auth.account_id_of(key), auth.display_name_of(key), 1, **settings))
        return key

    def balance(self, key: str) -> Balance:
        balance = self.store.get(auth.account_id_of(key))
        assert balance
        return balance

    def money(self, key: str) -> tuple[int, bool, list[int]]:
        """What the key spent, whether something is held, and the cost of each of its records."""
        balance = self.balance(key)
        records, _ = self.store.records(auth.account_id_of(key))
        return balance.spend_nanousd, balance.held_nanousd > 0, [record.cost_nanousd for record in records]

    def close(self) -> None:
        self._open.close()


def chat_event(key: str, **fields: object) -> JSON:
    """A request that is not to be tried again, whatever its provider says: what is asked here is what the stack does."""
    body = {"model": "openai/gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 50, **fields}
    return {
        "resource": "/v1/chat/completions",
        "httpMethod": "POST",
        "headers": {"Authorization": f"Bearer {key}", "X-Haimaker-Retries": "0"},
        "body": json.dumps(body),
        "isBase64Encoded": False,
    }


def read(invocation: Invocation) -> Answer:
    head = invocation.head()
    return Answer(head["statusCode"], head["headers"], invocation.body())


def put_secrets(url: str, name: str, value: object) -> None:
    ssm = boto3.client("ssm", "us-east-1", endpoint_url=url, aws_access_key_id="AKID", aws_secret_access_key="secret")
    text = value if isinstance(value, str) else json.dumps(value)
    ssm.put_parameter(Name=name, Value=text, Type="SecureString", Overwrite=True)


def client(url: str) -> AWSClient:
    return AWSClient("dynamodb", "us-east-1", Credentials("AKID", "secret"), url, timeout_s=20)


def make_tables(url: str) -> None:
    """With the index of older releases that an upgraded stack has."""
    dynamo = client(url)
    records, (*_, by_part) = TABLES_OF_STORE["records"], TABLES_OF_STORE["records"]["GlobalSecondaryIndexes"]
    by_day = {**by_part, "IndexName": "by_day", "KeySchema": [{"AttributeName": "day", "KeyType": "HASH"}, by_part["KeySchema"][1]]}
    older = {
        "AttributeDefinitions": [*records["AttributeDefinitions"], {"AttributeName": "day", "AttributeType": "S"}],
        "GlobalSecondaryIndexes": [*records["GlobalSecondaryIndexes"], by_day],
    }
    dynamo.call("CreateTable", {"TableName": TABLES["records"], **records, **older})
    create_tables(dynamo, TABLES)
    dynamo.close()

"""A deployed stack as its operator sees it: through boto3, with the operator's own credentials. The gateway never imports this."""

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any

from haimaker.accounts import keys as auth
from haimaker.aws.client import AWSClient
from haimaker.aws.sigv4 import Credentials
from haimaker.credentials import provider_secrets
from haimaker.credentials.provider_secrets import Secrets
from haimaker.store import Account, tables
from haimaker.store.dynamodb import DynamoStore

from ..installation import BOTO

DEFAULT_STACK = "haimaker"


class OperatorError(Exception):
    """Why a command can't be carried out, in words for who typed it."""


@dataclass(frozen=True)
class Stack:
    name: str
    session: Any
    """A boto3 session."""
    _clients: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, name: str) -> "Stack":
        """The stack of this name, with the credentials and the Region that AWS's own tools would take. Raises OperatorError."""
        try:
            import boto3  # type: ignore[import-untyped]
            from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]
        except ImportError:
            raise OperatorError(f"What AWS needs is not installed here yet: {BOTO}") from None
        try:
            session = boto3.Session(region_name=os.environ.get("AWS_REGION"))  # boto3 itself reads AWS_DEFAULT_REGION only
        except BotoCoreError as error:
            raise OperatorError(str(error)) from error
        if not session.region_name:
            raise OperatorError("No AWS Region is set. Name one, such as: export AWS_REGION=us-east-1")
        return cls(name, session)

    @property
    def region(self) -> str:
        return str(self.session.region_name)

    def invoke(self, function: str, event: Mapping[str, Any]) -> None:
        """Has a function do something and waits for it. Raises OperatorError."""
        with readable_failures():
            name = f"{self.name}-{function}"
            answer = self._client("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
        if "FunctionError" in answer:
            raise OperatorError(f"{name} failed; its log says why.")

    def owner(self) -> str:
        """The account, the Region and who acts there."""
        with readable_failures():
            caller = self._client("sts").get_caller_identity()
        return f"account {caller['Account']}, {self.region}, as {caller['Arn']}"

    @cached_property
    def outputs(self) -> Mapping[str, str]:
        """What the template tells of the stack, and its state, as they are when first asked for."""
        with readable_failures(f"There is no stack {self.name} in {self.region} yet; make deploy makes it."):
            (described,) = self._client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        state = {"StackStatus": described["StackStatus"]}
        return state | {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", ())}

    def parameters(self) -> Mapping[str, str] | None:
        """The settings that the stack has; None if there is no stack."""
        described = self._described()
        return described and {one["ParameterKey"]: one.get("ParameterValue", "") for one in described.get("Parameters", ())}

    def outputs_or_none(self) -> Mapping[str, str]:
        """The outputs, none if there is no stack; read anew, so that those after a deployment are not hidden by those before."""
        described = self._described() or {}
        return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", ())}

    def _described(self) -> Mapping[str, Any] | None:
        from botocore.exceptions import ClientError

        with readable_failures():
            try:
                (described,) = self._client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
            except ClientError as error:
                if error.response["Error"]["Code"] == "ValidationError":  # AWS's word for a stack that does not exist
                    return None
                raise
        return dict(described)

    def output(self, name: str) -> str:
        """One of the outputs, which a stack has once it was made completely."""
        if name not in self.outputs:
            hint = "make deploy makes it; if that failed, make destroy removes what is left of it first."
            raise OperatorError(f"The stack {self.name} was not made yet, its state is {self.outputs['StackStatus']}: {hint}")
        return self.outputs[name]

    def clock_skew_s(self) -> float | None:
        """How far this machine's clock is ahead of AWS's."""
        with readable_failures():
            told = self._client("sts").get_caller_identity()["ResponseMetadata"]["HTTPHeaders"].get("date")
        return time.time() - parsedate_to_datetime(told).timestamp() if told else None

    def tables(self) -> Mapping[str, str]:
        """The state of each of the stack's tables, by its name."""
        states = {}
        for name in (self.output("AccountsTable"), self.output("RecordsTable")):
            try:
                states[name] = str(self._client("dynamodb").describe_table(TableName=name)["Table"]["TableStatus"])
            except self._client("dynamodb").exceptions.ResourceNotFoundException:
                states[name] = "gone"
        return states

    def concurrency(self) -> int | None:
        """How many functions of this account and Region may run at once; None if that may not be asked."""
        from botocore.exceptions import ClientError

        try:
            return int(self._client("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"])
        except ClientError:
            return None

    def ssm_is_fast(self) -> bool | None:
        """Whether SSM's higher throughput is on; None if that may not be asked."""
        from botocore.exceptions import ClientError

        setting = "/ssm/parameter-store/high-throughput-enabled"
        try:
            return bool(self._client("ssm").get_service_setting(SettingId=setting)["ServiceSetting"]["SettingValue"] == "true")
        except ClientError:
            return None

    def administrators(self) -> int:
        """How many keys of administrators there are that are not blocked."""
        client, table, now_s = self._client("dynamodb"), self.output("AccountsTable"), time.time()
        pages = client.get_paginator("query").paginate(
            TableName=table,
            IndexName="by_kind",
            KeyConditionExpression="kind = :key",
            ExpressionAttributeValues={":key": {"S": "key"}},
            PaginationConfig={"PageSize": 100},
        )
        count = 0
        with readable_failures():
            for page in pages:
                wanted = [{name: item[name] for name in ("pk", "sk")} for item in page["Items"]]
                found = client.batch_get_item(RequestItems={table: {"Keys": wanted}})["Responses"][table] if wanted else []
                accounts = [tables.balance(tables.from_attributes(item), now_s).account for item in found]
                count += sum(account.role == "admin" and not account.blocked for account in accounts)
        return count

    def add_admin(self, key: str, now_s: int) -> None:
        """Keeps an administrator's account for a key, of which only the hash is stored."""
        account_id = auth.account_id_of(key)
        account = Account(account_id, auth.display_name_of(key), now_s, role="admin", alias=f"admin-{now_s}")
        with readable_failures():
            self._client("dynamodb").put_item(
                TableName=self.output("AccountsTable"),
                Item=tables.to_attributes(tables.account_item(account)),
                ConditionExpression="attribute_not_exists(pk)",
            )

    def store(self) -> DynamoStore:
        """The stack's tables, as its functions see them."""
        with readable_failures():
            frozen = self.session.get_credentials().get_frozen_credentials()
        credentials = Credentials(frozen.access_key, frozen.secret_key, frozen.token)
        dynamo = AWSClient("dynamodb", self.region, credentials, os.environ.get("AWS_ENDPOINT_URL_DYNAMODB"))
        by_day = (self.parameters() or {}).get("RecordsByDay") == "true"
        return DynamoStore(self.output("AccountsTable"), self.output("RecordsTable"), dynamo, by_day=by_day)

    def secrets(self) -> list[Secrets]:
        """What both parameters hold; nothing if they do not exist."""
        names = provider_secrets.parameters(self.output("ProvidersParameter"))
        with readable_failures():
            answer = self._client("ssm").get_parameters(Names=list(names), WithDecryption=True)
        found = {parameter["Name"]: parameter["Value"] for parameter in answer["Parameters"]}
        return [provider_secrets.decode(name, found.get(name, json.dumps({}))) for name in names]

    def put_secrets(self, old: Sequence[Secrets], new: Sequence[Secrets]) -> list[str]:
        """Writes the parameters that change, those that gain first, so that no reader misses a secret; returns their names."""
        names = provider_secrets.parameters(self.output("ProvidersParameter"))
        changes = [change for change in zip(names, old, new, strict=True) if change[1] != change[2]]
        for name, _, document in sorted(changes, key=lambda change: len(change[1]) - len(change[2])):
            with readable_failures():
                self._client("ssm").put_parameter(
                    Name=name, Value=provider_secrets.encode(document), Type="SecureString", Tier="Standard", Overwrite=True
                )
        return [name for name, _, _ in changes]

    def put_sign_in_secret(self, secret: str | None) -> None:
        """Forgets it without one."""
        name, ssm = provider_secrets.sign_in_parameter(self.output("ProvidersParameter")), self._client("ssm")
        with readable_failures():
            if secret is None:
                ssm.delete_parameters(Names=[name])
            else:
                ssm.put_parameter(Name=name, Value=secret, Type="SecureString", Tier="Standard", Overwrite=True)

    def empty_queue(self, output: str) -> None:
        """Forgets what a queue has, so that its alarm is quiet; an older stack tells of none."""
        if url := self.outputs.get(output):
            with readable_failures():
                self._client("sqs").purge_queue(QueueUrl=url)

    def delete_tables(self, names: Sequence[str]) -> None:
        for name in names:
            with readable_failures():
                self._client("dynamodb").delete_table(TableName=name)

    def delete_secrets(self, parameter: str) -> None:
        with readable_failures():
            names = [*provider_secrets.parameters(parameter), provider_secrets.sign_in_parameter(parameter)]
            self._client("ssm").delete_parameters(Names=names)

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self.session.client(service)
        return self._clients[service]


@contextmanager
def readable_failures(if_missing: str = "") -> Iterator[None]:
    """AWS's refusals as an OperatorError; they name the operation and the reason, and never what was sent."""
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

    try:
        yield
    except NoCredentialsError as error:
        hint = "Sign in (aws configure, or aws sso login), or set AWS_PROFILE, then try again."
        raise OperatorError(f"No AWS credentials are set. {hint}") from error
    except ClientError as error:
        missing = if_missing and error.response["Error"]["Code"] == "ValidationError"
        raise OperatorError(if_missing if missing else str(error)) from error
    except BotoCoreError as error:
        raise OperatorError(str(error)) from error

"""The roles of the translated template, and what AWS asks them: which call is which action on which resource, and whether it may.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html

Policies may use what is understood here, and nothing else: a statement with another element fails the test that reads it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from urllib.parse import unquote, urlsplit

from haimaker.http.values import JSON

ACCOUNT = "123456789012"
REGION = "us-east-1"
SIMPLE = {"AWS::Partition": "aws", "AWS::Region": REGION, "AWS::AccountId": ACCOUNT, "AWS::URLSuffix": "amazonaws.com"}
ARN_OF = {
    "AWS::DynamoDB::Table": "arn:aws:dynamodb:{place}:table/{name}",
    "AWS::Lambda::Function": "arn:aws:lambda:{place}:function:{name}",
    "AWS::S3::Bucket": "arn:aws:s3:::{name}",
    "AWS::SQS::Queue": "arn:aws:sqs:{place}:{name}",
    "AWS::Logs::LogGroup": "arn:aws:logs:{place}:log-group:{name}:*",
    "AWS::SNS::Topic": "arn:aws:sns:{place}:{name}",
}
OF_AWS_ITSELF = re.compile(r"(logs|sqs|xray|ec2):|dynamodb:(DescribeStream|GetRecords|GetShardIterator|ListStreams)$")
"""What the service Lambda does with a function's role, not the function's code."""
GEOGRAPHIES = frozenset({"us", "us-gov", "eu", "apac", "jp", "au", "ca", "global"})
TRANSACTED = {"Update": "UpdateItem", "Put": "PutItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}

Call = tuple[str, str]
"""An action and the ARN that it is on."""


@dataclass(frozen=True)
class Template:
    """The translated template with names for what CloudFormation would name."""

    document: JSON
    names: Mapping[str, str]
    """Of the stack (`AWS::StackName`), parameters, and resources by their logical ids."""

    def value(self, found: object) -> object:
        """The value of a text or an intrinsic function; conditions hold, so that every option is on."""
        match found:
            case {"Ref": str(name)}:
                return self.name(name)
            case {"Fn::GetAtt": [str(name), str(attribute)]}:
                return self.attribute(name, attribute)
            case {"Fn::Sub": str(text)}:
                return re.sub(r"\$\{([^!}]+)\}", lambda part: str(self.part(part[1])), text)
            case {"Fn::If": [_, there, _]}:
                return self.value(there)
            case {"Fn::Join": [str(separator), list(parts)]}:
                return separator.join(str(self.value(part)) for part in parts)
            case list():
                return [self.value(one) for one in found]
        return found

    def part(self, name: str) -> str:
        return self.attribute(*name.rsplit(".", 1)) if "." in name else self.name(name)

    def name(self, name: str) -> str:
        if name in self.names or name in SIMPLE:
            return {**SIMPLE, **self.names}[name]
        parameter = self.document["Parameters"].get(name)
        return str(parameter["Default"]) if parameter else f"{self.names['AWS::StackName']}-{name.lower()}"

    def attribute(self, name: str, attribute: str) -> str:
        if attribute == "QueueName":
            return self.name(name)
        pattern = ARN_OF[self.document["Resources"][name]["Type"]]
        arn = pattern.format(place=f"{REGION}:{ACCOUNT}", name=self.name(name))
        return f"{arn}/stream/2026-01-01T00:00:00.000" if attribute == "StreamArn" else arn

    def functions(self) -> dict[str, str]:
        """The resources of the functions, by the folder of each."""
        resources = self.document["Resources"]
        return {
            found["Properties"]["Code"]["S3Key"].strip("/").rpartition("/")[2]: name
            for name, found in resources.items()
            if found["Type"] == "AWS::Lambda::Function"
        }

    def role(self, function: str) -> "Role":
        """What a function may do, of its own role and of every policy that names the role."""
        resources = self.document["Resources"]
        role = resources[function]["Properties"]["Role"]["Fn::GetAtt"][0]
        documents = [policy["PolicyDocument"] for policy in resources[role]["Properties"].get("Policies", ())]
        documents += [
            found["Properties"]["PolicyDocument"]
            for found in resources.values()
            if found["Type"] == "AWS::IAM::Policy" and {"Ref": role} in found["Properties"]["Roles"]
        ]
        return Role(f"{self.names['AWS::StackName']}-{role}", tuple(self.allowances(documents)))

    def allowances(self, documents: list[JSON]) -> Iterator["Allowance"]:
        for document in documents:
            for statement in document["Statement"]:
                if statement.get("Fn::If"):
                    statement = statement["Fn::If"][1]
                assert statement.keys() <= {"Effect", "Action", "Resource", "Condition"}, statement
                assert statement["Effect"] == "Allow", statement
                for action in _list(statement["Action"]):
                    for resource in filter(
                        self.value, _list(statement["Resource"])
                    ):  # of a parameter that is not given there is none
                        yield Allowance(action, str(self.value(resource)), json.dumps(statement.get("Condition", {})))


@dataclass(frozen=True)
class Allowance:
    action: str
    resource: str
    condition: str = "{}"

    def covers(self, call: Call, context: Mapping[str, str]) -> bool:
        action, arn = call
        return fnmatchcase(action, self.action) and fnmatchcase(arn, self.resource) and self._holds(context)

    def _holds(self, context: Mapping[str, str]) -> bool:
        for operator, tests in json.loads(self.condition).items():
            assert operator.removeprefix("ForAllValues:") in ("StringEquals", "StringLike"), operator
            for key, wanted in tests.items():
                if not any(fnmatchcase(context.get(key, ""), pattern) for pattern in _list(wanted)):
                    return False
        return True


@dataclass
class Role:
    name: str
    allowances: tuple[Allowance, ...]
    used: set[Allowance] = field(default_factory=set)
    refused: list[Call] = field(default_factory=list)

    def refusal(self, calls: list[Call], context: Mapping[str, str]) -> str | None:
        """AWS's words, if one of the calls is not allowed; notes what was used of the role."""
        for call in calls:
            covering = [allowance for allowance in self.allowances if allowance.covers(call, context)]
            if not covering:
                self.refused.append(call)
                action, arn = call
                return (
                    f"User: arn:aws:sts::{ACCOUNT}:assumed-role/{self.name}/tested is not authorized to perform: {action} "
                    f"on resource: {arn} because no identity-based policy allows the {action} action"
                )
            self.used.update(covering)
        return None

    def unused(self) -> set[Call]:
        """What nothing was done with, but for what AWS does itself. A model of Bedrock has three forms of a name, and is one."""
        return {_counted(one) for one in self.allowances if not OF_AWS_ITSELF.match(one.action)} - set(map(_counted, self.used))


def _counted(allowance: Allowance) -> Call:
    return allowance.action, "" if allowance.action.startswith("bedrock:") else allowance.resource


def calls_of(service: str, method: str, target: str, headers: Mapping[str, str], body: bytes) -> list[Call]:
    """The actions that a signed request needs, and on what. Raises KeyError, ValueError for one that is not known here."""
    if service == "dynamodb":
        return list(_dynamodb(headers["x-amz-target"].rpartition(".")[2], json.loads(body)))
    if service == "ssm":
        operation, request = headers["x-amz-target"].rpartition(".")[2], json.loads(body)
        names = request["Names"] if "Names" in request else [request["Name"]]
        return [(f"ssm:{operation}", f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{name}") for name in names]
    path = unquote(urlsplit(target).path)
    if service == "s3":
        return list(_s3(method, path, urlsplit(target).query, headers))
    if service == "sqs":
        name = json.loads(body)["QueueUrl"].rpartition("/")[2]
        return [(f"sqs:{headers['x-amz-target'].rpartition('.')[2]}", f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}")]
    if service == "lambda":
        name = path.split("/")[3]
        return [("lambda:InvokeFunction", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}")]
    if service == "bedrock":
        return list(_bedrock(path, body))
    if service == "polly" and path.endswith("/v1/speech"):
        return [("polly:SynthesizeSpeech", "*")]
    raise ValueError(f"{service} {method} {path}")


def context_of(service: str, body: bytes) -> Mapping[str, str]:
    """What a condition may ask of a call. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html"""
    if service == "bedrock":  # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html
        return {"iam:PassedToService": "bedrock.amazonaws.com"}
    asked = json.loads(body) if service == "dynamodb" else {}
    key = asked.get("Key", {}).get("pk", {})
    if found := re.match(r"(#\w+) = (:\w+)", asked.get("KeyConditionExpression", "")):
        key = asked["ExpressionAttributeValues"][found[2]] if asked["ExpressionAttributeNames"][found[1]] == "pk" else {}
    return {"dynamodb:LeadingKeys": key["S"]} if "S" in key else {}


def _s3(method: str, path: str, query: str, headers: Mapping[str, str]) -> Iterator[Call]:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html#mpuAndPermissions"""
    if method == "GET" and "list-type=2" in query:
        yield "s3:ListBucket", f"arn:aws:s3:::{path.strip('/')}"
        return
    action = {"GET": "GetObject", "HEAD": "GetObject", "PUT": "PutObject", "POST": "PutObject", "DELETE": "DeleteObject"}[method]
    if method == "DELETE" and "uploadId=" in query:
        action = "AbortMultipartUpload"
    yield f"s3:{action}", f"arn:aws:s3:::{path.lstrip('/')}"
    if "x-amz-copy-source" in headers:
        yield "s3:GetObject", f"arn:aws:s3:::{unquote(headers['x-amz-copy-source']).lstrip('/')}"


def _bedrock(path: str, body: bytes) -> Iterator[Call]:
    """https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonbedrock.html

    An inference profile needs the models behind it, too:
    https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-prereq.html
    """
    place = f"arn:aws:bedrock:{REGION}:{ACCOUNT}"
    if found := re.search(r"/model/(.+)/(converse|converse-stream|invoke|invoke-with-response-stream)$", path):
        action = "bedrock:InvokeModelWithResponseStream" if found[2].endswith("stream") else "bedrock:InvokeModel"
        yield from ((action, model) for model in _models(found[1]))
    elif path.endswith("/model-invocation-job"):
        job = json.loads(body)
        for resource in (*_models(job["modelId"]), f"{place}:model-invocation-job/new"):
            yield "bedrock:CreateModelInvocationJob", resource
        yield "iam:PassRole", job["roleArn"]  # https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
    elif path.endswith("/model-invocation-jobs"):
        yield "bedrock:ListModelInvocationJobs", "*"
    elif found := re.search(r"/model-invocation-job/(arn:.+?)(/stop)?$", path):
        yield f"bedrock:{'Stop' if found[2] else 'Get'}ModelInvocationJob", found[1]
    elif found := re.search(r"/guardrail/([^/]+)/version/[^/]+/apply$", path):
        yield "bedrock:ApplyGuardrail", f"{place}:guardrail/{found[1]}"
    elif path.endswith("/rerank"):  # https://docs.aws.amazon.com/bedrock/latest/userguide/rerank-prereq.html
        yield "bedrock:Rerank", "*"
        model = json.loads(body)["rerankingConfiguration"]["bedrockRerankingConfiguration"]["modelConfiguration"]["modelArn"]
        yield "bedrock:InvokeModel", model
    else:
        raise ValueError(path)


def _models(name: str) -> Iterator[str]:
    if not name.startswith("arn:"):
        geography, _, model = name.partition(".")
        across = geography in GEOGRAPHIES
        if across:
            yield f"arn:aws:bedrock:{REGION}:{ACCOUNT}:inference-profile/{name}"
        name = f"arn:aws:bedrock:{REGION}::foundation-model/{model if across else name}"
    yield name


def _dynamodb(operation: str, request: JSON) -> Iterator[Call]:
    """https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html"""
    if operation == "TransactWriteItems":
        for action in request["TransactItems"]:
            ((kind, one),) = action.items()
            yield f"dynamodb:{TRANSACTED[kind]}", _table(one["TableName"])
    elif operation == "TransactGetItems":
        for one in request["TransactItems"]:
            yield "dynamodb:GetItem", _table(one["Get"]["TableName"])
    elif operation in ("BatchGetItem", "BatchWriteItem"):
        for table in request["RequestItems"]:
            yield f"dynamodb:{operation}", _table(table)
    else:
        index = f"/index/{request['IndexName']}" if "IndexName" in request else ""
        yield f"dynamodb:{operation}", _table(request["TableName"]) + index


def _table(name: str) -> str:
    return name if name.startswith("arn:") else f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}"


def _list(found: object) -> list:
    return found if isinstance(found, list) else [found]

"""What AWS's translator makes of template.yaml: mistakes that pass every check of the source deploy something else."""

import json
import re
import runpy
import shlex
import subprocess

import pytest

from haimaker.api.audit import KIND as AUDIT
from haimaker.api.paths import ROUTES
from haimaker.api.sign_in import KIND as SESSIONS
from haimaker.aws.sigv4 import Credentials
from haimaker.batches import BATCHES, OPEN
from haimaker.batches.heart import HIDDEN_S
from haimaker.batches.parts import FOLDER as LINES
from haimaker.batches.parts import KIND as PARTS
from haimaker.billing.pending import KIND
from haimaker.content import responses
from haimaker.content.log import PREFIX
from haimaker.credentials.access import connections_from_env
from haimaker.http.errors import APIError, APITimeoutError, BadGatewayError, NotFoundError, RateLimitError, RequestTooLargeError
from haimaker.links import MADE, UPLOADS
from haimaker.settings.settings import Settings
from haimaker.store.tables import TABLES, TTL_ATTRIBUTE
from haimaker.stored_files import ENDS, FILES
from haimaker.stored_files.uploads import INCOMING
from haimaker.stored_files.uploads import KIND as UPLOADS_OF_FILES
from haimaker.stored_files.uploads import PARTS as PARTS_OF_FILES
from scripts.api_paths import TEMPLATE, render, written
from scripts.container_policy import policy_text
from scripts.tables_template import tables_template
from tests.support.aws_tools import ROOT, TRANSLATE, run
from tests.support.cloudformation import holds
from tests.support.roles import ACCOUNT, OF_AWS_ITSELF, REGION, Template
from tests.support.stack import PARAMETERS

ASKING = (
    "ChatCompletionsFunction",
    "CompletionsFunction",
    "MessagesFunction",
    "ResponsesFunction",
    "EmbeddingsFunction",
    "ImagesFunction",
    "AudioTranscriptionsFunction",
    "AudioSpeechFunction",
    "ModerationsFunction",
    "RerankFunction",
    "GeminiFunction",
)
"""Those that call models for who waits."""
STREAMING = (*ASKING, "FilesFunction", "BatchesFunction")
KEPT_IN = (
    "AWS::Lambda::CapacityProvider",
    "AWS::DynamoDB::Table",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
    "AWS::Lambda::Function",
)


def url_parts(name):
    """The resources that SAM made of a function URL before there was a choice: other names would be other addresses."""
    return {f"{name}FunctionUrl", f"{name}FunctionUrlPublicPermissions", f"{name}FunctionURLInvokeAllowPublicAccess"}


BOOKS = ("ModelsFunction", "KeysFunction", "SpendFunction", "RoutingFunction", "ConsoleFunction", "SignInFunction")
OF_API = (*STREAMING, *BOOKS)
FUNCTIONS = (*OF_API, "RollupFunction", "BatchWorkerFunction")
"""The last two are called by AWS."""
WORKER = "BatchWorkerFunction"
MANAGED = "ManagedChatFunction"
"""Serves what ChatCompletionsFunction does, with its role and its log, where the deployer has instances for it."""
ADMINISTRATION = re.compile(
    r"/(key|team|customer|end_user|spend|route|auto-router|providers|sign-in|batch|console)/|/(audit|refusals|providers|generation|health|sign-in|console)$"
)
"""Not for web pages of others, and never slow."""
NOTHING = {"Ref": "AWS::NoValue"}
ANY = "x-amazon-apigateway-any-method"
BEFORE = json.loads((ROOT / "tests" / "lambda" / "stack_before.json").read_text())
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
SERVED_LOCALLY = """
import sys
from samcli.lib.providers.api_provider import ApiProvider
from samcli.lib.providers.sam_stack_provider import SamLocalStackProvider

for route in ApiProvider(SamLocalStackProvider.get_stacks(sys.argv[1])[0], cwd=".").api.routes:
    print(route.path, route.function_name)
"""
BEFORE_PARTS = json.loads((ROOT / "tests" / "unit" / "store" / "release_before_parts.json").read_text())["tables"]
"""What a stack of the release before has for tables."""
STREAM = {"Fn::GetAtt": ["RecordsTable", "StreamArn"]}
LOGS = ("logs:CreateLogStream", "logs:PutLogEvents")
TRIGGERED = [
    (("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"), [STREAM]),
    (("dynamodb:ListStreams",), [{"Fn::Sub": "${RecordsTable.Arn}/stream/*"}]),
    (("sqs:SendMessage",), [{"Fn::GetAtt": ["RollupFailures", "Arn"]}]),
]
"""What AWS itself does with a role; all else is proved by what functions do, in test_roles.py."""
BEDROCKS_MODELS = [
    {"Fn::Sub": f"arn:${{AWS::Partition}}:bedrock:{resource}/*"}
    for resource in (
        "*::foundation-model",
        "${AWS::Region}:${AWS::AccountId}:inference-profile",
        "${AWS::Region}:${AWS::AccountId}:application-inference-profile",
    )
]
GUARDRAILS = {"Fn::Sub": "arn:${AWS::Partition}:bedrock:${AWS::Region}:${AWS::AccountId}:guardrail/*"}
BEDROCK_POLICIES = ("BedrockPolicy", "BedrockStreamPolicy", "BedrockRerankPolicy", "BedrockGuardrailPolicy")
MAY_END_IN_A_STAR = [{"Fn::Sub": "${RecordsTable.Arn}/stream/*"}, *BEDROCKS_MODELS]


@pytest.fixture(scope="module")
def api(resources):
    return resources["GatewayApi"]["Properties"]


def properties(resources, kind):
    return {name: resource["Properties"] for name, resource in resources.items() if resource["Type"] == kind}


def integration(api, path, method):
    """Where API Gateway leads a request: part by part a fixed one goes before a parameter, and that before the rest. None where its
    path has no such method, which it answers itself."""
    asked = re.sub(r"\{\w+\}", "one", re.sub(r"\{\w+\+\}", "one/more", path)).strip("/").split("/")
    _, found = min((rank, one) for one in api["Body"]["paths"] if (rank := rank_of(one.strip("/").split("/"), asked)))
    methods = api["Body"]["paths"][found]
    return methods.get(method, methods.get(ANY, {})).get("x-amazon-apigateway-integration")


def rank_of(template, asked):
    ranks = []
    for number, part in enumerate(template):
        if number >= len(asked) or not (part.startswith("{") or part == asked[number]):
            return None
        ranks.append(part.startswith("{") + part.endswith("+}"))
    return ranks if ranks[-1] == 2 or len(template) == len(asked) else None


def called(integration):
    return integration and re.search(r"functions/\$\{(\w+)\.Arn\}/", integration["uri"]["Fn::Sub"])[1]


def everything(api):
    """Each path and where a method of it leads."""
    for path, methods in api["Body"]["paths"].items():
        yield from ((path, method["x-amazon-apigateway-integration"]) for method in methods.values())


def everywhere():
    return [(route, prefix + route.template) for route in ROUTES for prefix in ("", "/v1")]


def test_the_linter_accepts_it():
    """The same as of `sam validate --lint`. What SAM itself refuses is refused when the template is translated, and built."""
    assert run("cfn-lint", "template.yaml") == ""


def test_the_paths_are_those_that_the_table_of_routes_makes():
    """`python3 -m scripts.api_paths` writes them."""
    text = TEMPLATE.read_text("utf-8")
    assert text == written(text, render())


def test_every_route_leads_to_the_function_that_serves_it(resources, api, monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_SAM_LOCAL", "true")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    serves = {}
    for function in OF_API:
        folder = resources[function]["Properties"]["Code"]["S3Key"]
        serves[function] = runpy.run_path(str(ROOT / folder / "app.py"))["handler"].serves
    for route, path in everywhere():
        assert route.operation in serves[called(integration(api, path, route.method.lower()))], path


def test_what_has_no_path_is_answered_in_our_words(api):
    for path in ("/nothing", "/v1/nothing/at/all", "/openai/nothing", "/v1/openai/v1/nothing"):
        assert called(integration(api, path, "get")) == called(integration(api, path, "post")) == "ModelsFunction"


def test_pages_of_other_origins_may_ask_models_and_administer_nothing(api):
    for route, path in everywhere():
        asked = called(integration(api, path, "options"))
        assert asked == (None if ADMINISTRATION.search(path) else called(integration(api, path, "head"))), (route, path)
        assert (asked is None) == bool(ADMINISTRATION.search(path)), path


def test_answers_that_can_be_slow_or_large_are_streamed(api):
    """Also what else goes to these functions: their runtime speaks no other protocol."""
    generating = [path for route, path in everywhere() if route.method == "POST" and not ADMINISTRATION.search(path)]
    assert len(generating) >= 4
    assert {called(integration(api, path, "post")) for path in generating} == set(STREAMING)
    for path, found in everything(api):
        streams = called(found) in STREAMING
        assert (found.get("responseTransferMode"), "timeoutInMillis" in found) == (("STREAM", True) if streams else (None, False))
        assert found["uri"]["Fn::Sub"].endswith("response-streaming-invocations" if streams else "/invocations"), path
        assert not streams or found["timeoutInMillis"] == 900_000


def test_the_api_may_call_each_function_by_one_permission(resources, api):
    """A function's policy has 20 KB, which one for each path and method would fill.
    https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
    found = [one for one in properties(resources, "AWS::Lambda::Permission").values() if one["Principal"] != "*"]
    place = {"Fn::Sub": "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${GatewayApi}/*"}
    may = {"Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com", "SourceArn": place}
    assert {one.pop("FunctionName")["Ref"] for one in map(dict, found)} == {*OF_API}
    assert all({name: one[name] for name in may} == may for one in found)
    assert len(found) == len(OF_API)
    assert {called(one) for _, one in everything(api)} == {*OF_API}


def test_an_upgrade_changes_no_address_and_replaces_nothing_that_is_kept(template, resources, api):
    """Of a stack as it was when each path and method had a permission."""
    for name, output in BEFORE["outputs"].items():
        assert {part: template["Outputs"][name].get(part) for part in output} == output, name
    for name, kept in BEFORE["kept"].items():
        found = resources[name]
        assert (found["Type"], found.get("Condition")) == (kept["Type"], kept.get("Condition")), name
        assert {part: found["Properties"].get(part) for part in kept["Properties"]} == kept["Properties"], name
    before, after = (
        parameters_of(paths) for paths in ([path for each in BEFORE["routes"].values() for path in each], api["Body"]["paths"])
    )
    assert all(after.get(place, names) <= names for place, names in before.items()), "an update might add one beside the other"
    for function, paths in BEFORE["routes"].items():
        for path, methods in paths.items():
            for method in methods.split():
                assert called(integration(api, path, method)) in (function, "ModelsFunction" if method == "options" else ""), path


def parameters_of(paths):
    """What parameters are called at each place of a path."""
    found = {}
    for path in paths:
        parts = path.split("/")
        for number, part in enumerate(parts):
            if part.startswith("{"):
                found.setdefault("/".join(parts[:number]), set()).add(part)
    return found


def test_the_stack_is_smaller_than_it_was_and_far_from_what_aws_allows(resources, api):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html, and of API Gateway in
    scripts/api_paths.py, which counts every part of a path."""
    parts = {tuple(path.split("/")[1 : end + 2]) for path in api["Body"]["paths"] for end in range(path.count("/"))}
    assert len(resources) < BEFORE["counts"]["resources"] / 2 < 500
    assert len(properties(resources, "AWS::Lambda::Permission")) < BEFORE["counts"]["permissions"] / 5
    assert len(parts) < 0.8 * 300


def test_sam_local_serves_every_path(api, tmp_path):
    """From what `make build` leaves it: https://github.com/aws/aws-sam-cli reads no address of a stream."""
    (made,) = re.findall(r"^\t(sed .*) \.aws-sam/build/template\.yaml > \.aws-sam/build/local\.yaml$", MAKEFILE, re.MULTILINE)
    local = subprocess.run([*shlex.split(made), TEMPLATE], capture_output=True, text=True, check=True).stdout
    (tmp_path / "local.yaml").write_text(local)
    served = run("python", "-c", SERVED_LOCALLY, str(tmp_path / "local.yaml"))
    assert {tuple(line.split()) for line in served.splitlines()} == {(path, called(one)) for path, one in everything(api)}


def test_the_api_is_regional_takes_uploads_as_they_are_and_is_throttled(resources, api):
    assert api["EndpointConfiguration"] == {"Types": ["REGIONAL"]}
    assert api["BinaryMediaTypes"] == ["multipart~1form-data"]
    assert api["Body"]["x-amazon-apigateway-binary-media-types"] == ["multipart/form-data"]
    (stage,) = properties(resources, "AWS::ApiGateway::Stage").values()
    (settings,) = stage["MethodSettings"]
    assert (settings["ResourcePath"], settings["HttpMethod"]) == ("/*", "*")
    assert settings["ThrottlingRateLimit"] == {"Ref": "ThrottlingRate"}
    assert settings["ThrottlingBurstLimit"] == {"Ref": "ThrottlingBurst"}


def test_functions_and_layer_are_of_one_architecture(resources):
    (layer,) = properties(resources, "AWS::Lambda::LayerVersion").items()
    processor = [{"Ref": "Architecture"}]
    assert (layer[1]["CompatibleArchitectures"], layer[1]["CompatibleRuntimes"]) == (processor, ["python3.13"])
    functions = properties(resources, "AWS::Lambda::Function")
    assert set(functions) == {*FUNCTIONS, MANAGED}
    for function in functions.values():
        assert (function["Architectures"], function["Runtime"]) == (processor, "python3.13")
        assert function["Layers"] == [{"Ref": layer[0]}]


def test_the_wrapper_is_where_it_must_be_and_nowhere_else(resources):
    for name, function in properties(resources, "AWS::Lambda::Function").items():
        wrapper = function["Environment"]["Variables"].get("AWS_LAMBDA_EXEC_WRAPPER")
        assert wrapper == ("/opt/stream-wrapper" if name in (*STREAMING, MANAGED) else None)
        assert (function["Timeout"] == 900) == (name in (*STREAMING, MANAGED, "BatchWorkerFunction"))


def test_function_urls_stream_and_have_both_permissions(resources):
    urls = properties(resources, "AWS::Lambda::Url").values()
    assert {(url["AuthType"], url["InvokeMode"]) for url in urls} == {("NONE", "RESPONSE_STREAM")}
    assert sorted(url["TargetFunctionArn"]["Ref"] for url in urls) == sorted((*ASKING, MANAGED))
    permissions = [found for found in properties(resources, "AWS::Lambda::Permission").values() if found["Principal"] == "*"]
    names = ("Action", "FunctionUrlAuthType", "InvokedViaFunctionUrl")
    assert {(found["FunctionName"]["Ref"], *map(found.get, names)) for found in permissions} == {
        (function, *allowed)
        for function in (*ASKING, MANAGED)
        for allowed in (("lambda:InvokeFunctionUrl", "NONE", None), ("lambda:InvokeFunction", None, True))
    }


OF_THE_BACKGROUND = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [KIND]}}
OF_SESSIONS = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [SESSIONS]}}
OF_SESSIONS_AND_THE_TRAIL = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [SESSIONS, f"{AUDIT}*"]}}
OF_FILES_AND_BATCHES = tuple(
    {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": list(kinds)}}
    for kinds in (
        (f"{FILES}*", ENDS, f"{UPLOADS_OF_FILES}*"),
        (f"{BATCHES}*", f"{OPEN}*", f"{FILES}*", ENDS),
        (f"{PARTS}*", f"{OPEN}*"),
    )
)
"""Of the accounts table the functions that have these may delete, or write, nothing else."""


def statements(resources, function):
    role = resources[resources[function]["Properties"]["Role"]["Fn::GetAtt"][0]]["Properties"]
    assert set(role) == {"AssumeRolePolicyDocument", "Policies"}, "a managed policy allows more than this function needs"
    (policy,) = role["Policies"]
    return list(allowed_by(policy))


def allowed_by(policy):
    for statement in policy["PolicyDocument"]["Statement"]:
        assert statement.keys() - {"Condition"} == {"Effect", "Action", "Resource"}
        also = (OF_THE_BACKGROUND, OF_SESSIONS, OF_SESSIONS_AND_THE_TRAIL, *OF_FILES_AND_BATCHES)
        assert statement.get("Condition") in (None, *also)
        actions, targets = statement["Action"], statement["Resource"]
        actions = [actions] if isinstance(actions, str) else actions
        yield tuple(sorted(actions)), targets if isinstance(targets, list) else [targets]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_role_names_its_log_what_triggers_it_and_no_more_stars_than_it_must(resources, function):
    logs = resources[function]["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]
    first, *others = statements(resources, function)
    assert first == (LOGS, [{"Fn::GetAtt": [logs, "Arn"]}])
    of_aws = [found for found in others if any(OF_AWS_ITSELF.match(action) for action in found[0])]
    assert of_aws == (TRIGGERED if function == "RollupFunction" else [])
    for actions, targets in others:
        assert "*" not in "".join(actions)
        assert all(target in MAY_END_IN_A_STAR for target in targets if "*" in json.dumps(target))


def test_who_calls_models_may_call_bedrocks_where_the_deployer_says_so(template, resources):
    policy = resources["BedrockPolicy"]["Properties"]
    assert resources["BedrockPolicy"]["Condition"] == "UsesBedrock"
    assert template["Conditions"]["UsesBedrock"] == {"Fn::Equals": [{"Ref": "Bedrock"}, "true"]}
    assert template["Parameters"]["Bedrock"]["Default"] == "false"
    assert list(allowed_by(policy)) == [(("bedrock:InvokeModel",), BEDROCKS_MODELS)]
    streams = resources["BedrockStreamPolicy"]["Properties"]
    assert resources["BedrockStreamPolicy"]["Condition"] == "UsesBedrock"
    assert list(allowed_by(streams)) == [(("bedrock:InvokeModelWithResponseStream",), BEDROCKS_MODELS)]


@pytest.mark.parametrize(
    ("name", "roles", "action", "resource"),
    [
        ("BedrockRerankPolicy", ["RerankRole"], "bedrock:Rerank", "*"),
        ("BedrockGuardrailPolicy", ["ModerationsRole", "BatchWorkerRole"], "bedrock:ApplyGuardrail", GUARDRAILS),
    ],
)
def test_what_only_some_functions_ask_of_bedrock_only_those_may(resources, name, roles, action, resource):
    policy = resources[name]["Properties"]
    assert (resources[name]["Condition"], policy["Roles"]) == ("UsesBedrock", [{"Ref": role} for role in roles])
    assert list(allowed_by(policy)) == [((action,), [resource])]


BUCKET_OF_BATCHES = "arn:aws:s3:::my-bucket"
ROLE_OF_BATCHES = PARAMETERS["BedrockBatchRole"]
JOB = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:model-invocation-job/"


@pytest.mark.parametrize(
    ("action", "resource", "service", "may"),
    [
        ("iam:PassRole", ROLE_OF_BATCHES, "bedrock.amazonaws.com", True),
        ("iam:PassRole", ROLE_OF_BATCHES, "ec2.amazonaws.com", False),
        ("iam:PassRole", ROLE_OF_BATCHES, "", False),
        ("iam:PassRole", f"{ROLE_OF_BATCHES}2", "bedrock.amazonaws.com", False),
        ("iam:PassRole", "arn:aws:iam::123456789012:role/admin", "bedrock.amazonaws.com", False),
        ("s3:PutObject", f"{BUCKET_OF_BATCHES}/a/lines.jsonl", "", True),
        ("s3:GetObject", f"{BUCKET_OF_BATCHES}/a/answers/1/lines.jsonl.out", "", True),
        ("s3:DeleteObject", f"{BUCKET_OF_BATCHES}/a/lines.jsonl", "", False),
        ("s3:PutObject", f"{BUCKET_OF_BATCHES}-2/a/lines.jsonl", "", False),
        ("s3:ListBucket", BUCKET_OF_BATCHES, "", True),
        ("s3:ListBucket", f"{BUCKET_OF_BATCHES}-2", "", False),
        ("bedrock:CreateModelInvocationJob", f"{JOB}new", "", True),
        ("bedrock:CreateModelInvocationJob", f"arn:aws:bedrock:{REGION}::foundation-model/amazon.nova-lite-v1:0", "", True),
        ("bedrock:StopModelInvocationJob", f"{JOB}1", "", True),
        ("bedrock:StopModelInvocationJob", f"arn:aws:bedrock:{REGION}:999999999999:model-invocation-job/1", "", False),
        ("bedrock:ListModelInvocationJobs", "*", "", True),
    ],
)
def test_bedrocks_own_batches_are_for_one_function_with_one_bucket_and_one_role(template, action, resource, service, may):
    found = Template(template, {"AWS::StackName": "s", "AccountsTable": "a", "RecordsTable": "r", **PARAMETERS})
    context = {"iam:PassedToService": service} if service else {}
    refusals = {name: found.role(name).refusal([(action, resource)], context) for name in FUNCTIONS}
    assert {name for name, refusal in refusals.items() if refusal is None} == ({WORKER} if may else set())


ALL_OF_IT = {"Batches": "true", "Bedrock": "true", **PARAMETERS}


@pytest.mark.parametrize(
    ("given", "may", "is_taken"),
    [({}, False, True), (ALL_OF_IT, True, True)]
    + [({**ALL_OF_IT, without: value}, False, False) for without, value in (("Batches", "false"), ("Bedrock", "false"))]
    + [({**ALL_OF_IT, without: ""}, False, False) for without in PARAMETERS]
    + [({name: value}, False, name not in PARAMETERS) for name, value in ALL_OF_IT.items()],
)
def test_bedrocks_own_batches_are_used_where_the_deployer_names_all_that_they_need(template, given, may, is_taken):
    parameters, rule = parameters_with(template, **given), template["Rules"]["BedrockBatchesNeedBucketAndRole"]
    assert holds(template, template["Conditions"]["UsesBedrocksBatches"], parameters) == may
    asserted = [holds(template, one["Assert"], parameters) for one in rule["Assertions"]]
    assert (not holds(template, rule["RuleCondition"], parameters) or all(asserted)) == is_taken


@pytest.mark.parametrize(
    ("parameter", "value", "is_taken"),
    [
        ("BedrockBatchBucket", "my-bucket.2", True),
        ("BedrockBatchBucket", "my-bucket/folder", False),
        ("BedrockBatchBucket", "*", False),
        ("BedrockBatchBucket", "arn:aws:s3:::my-bucket", False),
        ("BedrockBatchRole", ROLE_OF_BATCHES, True),
        ("BedrockBatchRole", "arn:aws-us-gov:iam::123456789012:role/path/of/batches", True),
        ("BedrockBatchRole", "batches", False),
        ("BedrockBatchRole", "arn:aws:iam::123456789012:role/*", False),
        ("BedrockBatchRole", "arn:aws:iam::123456789012:role/batches?", False),
        ("BedrockBatchRole", "arn:aws:iam::123456789012:user/batches", False),
    ],
)
def test_a_bucket_and_a_role_are_one_each(template, parameter, value, is_taken):
    assert bool(re.fullmatch(template["Parameters"][parameter]["AllowedPattern"], value)) == is_taken
    assert template["Parameters"][parameter]["Default"] == ""


def test_who_speaks_may_call_polly_where_the_deployer_says_so(template, resources):
    policy = resources["PollyPolicy"]["Properties"]
    assert resources["PollyPolicy"]["Condition"] == "UsesPolly"
    assert template["Conditions"]["UsesPolly"] == {"Fn::Equals": [{"Ref": "Polly"}, "true"]}
    assert template["Parameters"]["Polly"]["Default"] == "false"
    assert policy["Roles"] == [{"Ref": "AudioSpeechRole"}]
    assert list(allowed_by(policy)) == [(("polly:SynthesizeSpeech",), ["*"])]


def test_files_are_kept_in_a_bucket_where_the_deployer_wants_one(template, resources):
    """Private, encrypted, emptied when all in it has ended; and who uses it may read and write objects, no more."""
    assert {kind for kind in ("Files", "FilesBucketPolicy", "FilesPolicy") if resources[kind]["Condition"] != "KeepsFiles"} == set()
    chosen = [{"Fn::Equals": [{"Ref": parameter}, "true"]} for parameter in ("FilesBucket", "Batches")]
    assert template["Conditions"]["KeepsFiles"] == {"Fn::Or": chosen}
    assert {template["Parameters"][parameter]["Default"] for parameter in ("FilesBucket", "Batches")} == {"false"}
    bucket = resources["Files"]["Properties"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    ends = {rule.get("Prefix"): rule["ExpirationInDays"] for rule in bucket["LifecycleConfiguration"]["Rules"]}
    assert ends == {**{f"{name}/": 1 for name in (MADE, UPLOADS, PARTS_OF_FILES, INCOMING)}, f"{LINES}/": 5, None: 32}
    assert all(rule["Status"] == "Enabled" for rule in bucket["LifecycleConfiguration"]["Rules"])
    (encryption,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"]["Fn::If"][2] == {"SSEAlgorithm": "AES256"}
    (denied,) = resources["FilesBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert (denied["Effect"], denied["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    for name, role, folder in (("FilesPolicy", "ImagesRole", MADE), ("UploadsPolicy", "AudioTranscriptionsRole", UPLOADS)):
        policy = resources[name]["Properties"]
        assert (resources[name]["Condition"], policy["Roles"]) == ("KeepsFiles", [{"Ref": role}])
        assert list(allowed_by(policy)) == [(("s3:GetObject", "s3:PutObject"), [{"Fn::Sub": f"${{Files.Arn}}/{folder}/*"}])]


def test_content_is_kept_in_a_bucket_where_the_deployer_says_so(template, resources):
    """Private, encrypted, emptied when he says; and who calls models may put objects there, no more; Responses are read again."""
    kinds = ("Content", "ContentBucketPolicy", "ContentPolicy", "StoredResponsesPolicy")
    assert (
        {resources[kind]["Condition"] for kind in kinds} == {template["Outputs"]["ContentBucket"]["Condition"]} == {"KeepsContent"}
    )
    assert template["Conditions"]["KeepsContent"] == {"Fn::Equals": [{"Ref": "LogContent"}, "true"]}
    assert template["Parameters"]["LogContent"]["Default"] == "false"
    bucket, policy = resources["Content"]["Properties"], resources["ContentPolicy"]["Properties"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert [rule["ExpirationInDays"] for rule in bucket["LifecycleConfiguration"]["Rules"]] == [{"Ref": "ContentDays"}]
    (encryption,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"]["Fn::If"][2] == {"SSEAlgorithm": "AES256"}
    (denied,) = resources["ContentBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert (denied["Effect"], denied["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    assert policy["Roles"] == [
        {"Ref": resources[function]["Properties"]["Role"]["Fn::GetAtt"][0]} for function in (*ASKING, WORKER)
    ]
    assert list(allowed_by(policy)) == [(("s3:PutObject",), [{"Fn::Sub": f"${{Content.Arn}}/{PREFIX}/*"}])]
    stored = resources["StoredResponsesPolicy"]["Properties"]
    actions = ("s3:DeleteObject", "s3:GetObject", "s3:PutObject")
    assert (stored["Roles"], list(allowed_by(stored))) == (
        [{"Ref": "ResponsesRole"}],
        [
            (actions, [{"Fn::Sub": f"${{Content.Arn}}/{responses.PREFIX}/*"}]),
            (("lambda:InvokeFunction",), [{"Fn::GetAtt": ["ResponsesFunction", "Arn"]}]),
        ],
    )


def test_the_role_that_the_docs_give_a_container_is_made_of_the_functions_roles(template):
    """`python3 -m scripts.container_policy` writes it."""
    text = (ROOT / "docs" / "deploy.md").read_text("utf-8")
    (given,) = (block for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL) if '"Statement"' in block)
    assert given == policy_text(template)


def test_no_two_functions_share_a_role_and_every_log_has_an_end(resources):
    functions = properties(resources, "AWS::Lambda::Function")
    assert len({function["Role"]["Fn::GetAtt"][0] for function in functions.values()}) == len(FUNCTIONS)
    assert len(properties(resources, "AWS::IAM::Role")) == len({*FUNCTIONS, "ManagedInstancesRole"})
    for function in functions.values():
        group = resources[function["LoggingConfig"]["LogGroup"]["Ref"]]["Properties"]
        assert group["RetentionInDays"] == {"Ref": "LogRetentionDays"}
        name = function["FunctionName"]["Fn::Sub"].replace("-chat-managed", "-chat-completions")
        assert group["LogGroupName"] == {"Fn::Sub": f"/aws/lambda/{name}"}


def test_the_queue_of_batches_has_a_message_done_again_when_its_function_can_live_no_more(resources):
    """https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"""
    queue, worker = resources["BatchQueue"]["Properties"], resources["BatchWorkerFunction"]["Properties"]
    assert queue["VisibilityTimeout"] >= worker["Timeout"] > HIDDEN_S
    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": ["BatchFailures", "Arn"]}
    mappings = properties(resources, "AWS::Lambda::EventSourceMapping").values()
    (mapping,) = [one for one in mappings if one["FunctionName"] == {"Ref": "BatchWorkerFunction"}]
    assert mapping["EventSourceArn"] == {"Fn::GetAtt": ["BatchQueue", "Arn"]}
    assert (mapping["BatchSize"], mapping["FunctionResponseTypes"]) == (1, ["ReportBatchItemFailures"])
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": {"Ref": "BatchConcurrency"}}
    assert worker["Environment"]["Variables"]["HAIMAKER_BATCH_WORKERS"] == {"Ref": "BatchConcurrency"}


@pytest.mark.parametrize(("table", "resource"), [("accounts", "AccountsTable"), ("records", "RecordsTable")])
def test_tables_are_those_of_the_store_and_outlive_the_stack(resources, table, resource):
    found = resources[resource]
    assert {name: plain_of(found["Properties"][name], {"RecordsByDay": "false"}) for name in TABLES[table]} == TABLES[table]
    assert found["Properties"]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert (found["DeletionPolicy"], found["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    assert "TableName" not in found["Properties"], "a stack could not be made again beside its old tables"


@pytest.mark.parametrize("restored", [False, True])
def test_a_stack_can_begin_with_tables_that_are_there(template, tmp_path, restored):
    """`make deploy` then changes nothing of them, but for what AWS does not restore."""
    made = tables_template(template, restored=restored)
    kept = {name: {**table["Properties"]} for name, table in made["Resources"].items()}
    whole = {name: template["Resources"][name]["Properties"] for name in ("AccountsTable", "RecordsTable")}
    lacking = {name: set(whole[name]) - set(kept[name]) for name in whole}
    assert all({**kept[name], **{part: whole[name][part] for part in lacking[name]}} == whole[name] for name in whole)
    assert ({"StreamSpecification", "TimeToLiveSpecification"} <= lacking["RecordsTable"]) == restored
    assert restored or not any(lacking.values())
    assert all(table["DeletionPolicy"] == "RetainExceptOnCreate" for table in made["Resources"].values())
    text = json.dumps(made)
    assert len(text) < 51_200, "more is not taken as a text"
    (tmp_path / "tables.json").write_text(text)
    assert restored or run("cfn-lint", "--ignore-checks", "W", "--", str(tmp_path / "tables.json")) == ""


def test_an_upgrade_makes_one_index_and_the_deployment_after_it_takes_one_away(resources):
    """DynamoDB does no more in an update; records are read from both meanwhile."""
    found = resources["RecordsTable"]["Properties"]["GlobalSecondaryIndexes"]
    first, second = ({index["IndexName"] for index in plain_of(found, {"RecordsByDay": kept})} for kept in ("true", "false"))
    before = {index["IndexName"] for index in BEFORE_PARTS["records"]["GlobalSecondaryIndexes"]}
    assert (first - before, before - first, first - second) == ({"by_part"}, set(), {"by_day"})
    for table, name in (("accounts", "AccountsTable"), ("records", "RecordsTable")):
        keys = resources[name]["Properties"]["KeySchema"]
        assert keys == BEFORE_PARTS[table]["KeySchema"], "another key would be another table"


@pytest.fixture(scope="module")
def rolled(resources):
    """The same stack with Rollout, as AWS's translator makes it; its layer has another name, and gets this one's."""
    (layer,) = (name for name in resources if name.startswith("HaimakerLayer"))
    found = run("python", "-c", TRANSLATE, "Canary10Percent5Minutes", "0123")
    return json.loads(re.sub(r"HaimakerLayer[0-9a-f]{10}", layer, found))


def test_a_release_can_reach_some_requests_first_and_no_address_changes(template, resources, rolled):
    """Turned on, and off again: all that a stack has stays what it is, but for what the API calls."""
    assert rolled["Outputs"] == template["Outputs"]
    added = {name: one for name, one in rolled["Resources"].items() if name not in resources}
    changed = {name for name, one in resources.items() if rolled["Resources"].get(name) not in (one, None)}
    functions = {one["Properties"]["FunctionName"]["Ref"] for name, one in resources.items() if name.endswith("ApiPermission")}
    deployment = {name for name in resources if name.startswith("GatewayApiDeployment")}
    assert {name for name in resources if name not in rolled["Resources"]} == deployment
    by_itself = "ResponsesFunctionEventInvokeConfig"
    assert changed == functions | {"GatewayApi", "GatewayApiv1Stage", by_itself}
    once = {**rolled["Resources"][by_itself]["Properties"], "DestinationConfig": {}}
    assert once == resources[by_itself]["Properties"], "an answer in the background is made once"
    for name in functions:
        before, now = resources[name]["Properties"], rolled["Resources"][name]["Properties"]
        assert now == {**before, "Description": f"{before['Description']}; settings 0123"}
    kinds = {(one["Type"], one.get("DeletionPolicy")) for name, one in added.items() if name.startswith("ChatCompletions")}
    assert kinds == {
        ("AWS::Lambda::Version", "Retain"), ("AWS::Lambda::Alias", None),
        ("AWS::CodeDeploy::DeploymentGroup", None), ("AWS::Lambda::Permission", None),
    }  # fmt: skip


def test_with_a_rollout_the_api_calls_aliases_that_move_back_when_an_alarm_rings(resources, rolled):
    there = rolled["Resources"]
    called = json.dumps(there["GatewayApi"]["Properties"]["Body"]["paths"])
    aliases = {name for name, one in there.items() if one["Type"] == "AWS::Lambda::Alias"}
    assert "Function.Arn}" not in called
    assert set(re.findall(r"\$\{(\w+)\}/(?:response-streaming-)?invocations", called)) == aliases
    allowed = {one["Properties"]["FunctionName"]["Ref"] for name, one in there.items() if name.endswith("AliasApiPermission")}
    assert allowed == aliases
    for group in (one for one in there.values() if one["Type"] == "AWS::CodeDeploy::DeploymentGroup"):
        alarms = {alarm["Name"]["Ref"] for alarm in group["Properties"]["AlarmConfiguration"]["Alarms"]}
        assert alarms <= resources.keys()
        assert all("Condition" not in resources[alarm] for alarm in alarms)
        assert group["Properties"]["AutoRollbackConfiguration"]["Enabled"]
    for name in aliases:
        assert "CodeDeployLambdaAliasUpdate" in there[name]["UpdatePolicy"]


def test_records_expire_and_new_ones_are_rolled_up(resources):
    records = resources["RecordsTable"]["Properties"]
    assert records["TimeToLiveSpecification"] == {"AttributeName": TTL_ATTRIBUTE, "Enabled": True}
    assert records["StreamSpecification"] == {"StreamViewType": "NEW_IMAGE"}
    mappings = properties(resources, "AWS::Lambda::EventSourceMapping").values()
    (mapping,) = [one for one in mappings if one["FunctionName"] == {"Ref": "RollupFunction"}]
    assert (mapping["EventSourceArn"], mapping["FunctionName"]) == (STREAM, {"Ref": "RollupFunction"})
    assert mapping["DestinationConfig"] == {"OnFailure": {"Destination": {"Fn::GetAtt": ["RollupFailures", "Arn"]}}}
    assert json.loads(mapping["FilterCriteria"]["Filters"][0]["Pattern"]) == {"eventName": ["INSERT"]}


STATUSES = {  # 0 leaves API Gateway's own
    "MISSING_AUTHENTICATION_TOKEN": 404,
    "INVALID_SIGNATURE": 404,
    "RESOURCE_NOT_FOUND": 404,
    "THROTTLED": 429,
    "QUOTA_EXCEEDED": 429,
    "REQUEST_TOO_LARGE": 413,
    "INTEGRATION_FAILURE": 502,
    "INTEGRATION_TIMEOUT": 504,
    "DEFAULT_4XX": 0,
    "DEFAULT_5XX": 0,
}
CLASSES = (APITimeoutError, BadGatewayError, NotFoundError, RateLimitError, RequestTooLargeError)


def test_where_no_code_of_ours_runs_errors_have_the_usual_shape(api):
    found = api["Body"]["x-amazon-apigateway-gateway-responses"]
    assert {name: int(response.get("statusCode", 0)) for name, response in found.items()} == STATUSES
    for name, response in found.items():
        body = json.loads(response["responseTemplates"]["application/json"])
        assert body.keys() == {"error"}
        ours = next((error for error in CLASSES if error.status == STATUSES[name]), None)
        assert body["error"].keys() == APIError("").body()["error"].keys()
        assert ours is None or (body["error"]["type"], body["error"]["code"]) == (ours.type, ours.code or "unknown_url")
        assert "messageString" not in body["error"]["message"], "AWS's own text can quote the authorization header"
        assert response["responseParameters"]["gatewayresponse.header.x-request-id"] == "context.requestId"
        assert ("gatewayresponse.header.retry-after" in response["responseParameters"]) == (STATUSES[name] == 429)


def test_the_functions_settings_are_what_the_package_reads(template, resources):
    values = {name: str(parameter["Default"]) for name, parameter in template["Parameters"].items()}
    values |= {"AccountsTable": "accounts-1", "RecordsTable": "records-1", "AWS::StackName": "s"}
    lambdas = {"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret"}
    for function in properties(resources, "AWS::Lambda::Function").values():
        variables = function["Environment"]["Variables"]
        told = {name: values[value["Ref"]] for name, value in variables.items() if "Ref" in value}
        told |= {
            name: value["Fn::Sub"].replace("${AWS::StackName}", "s") for name, value in variables.items() if "Fn::Sub" in value
        }
        told |= {name: value["Fn::If"][2] for name, value in variables.items() if "Fn::If" in value}
        _, signing = variables["HAIMAKER_SIGNED_PROVIDERS"]["Fn::Join"]
        told["HAIMAKER_SIGNED_PROVIDERS"] = ",".join(choice["Fn::If"][2] for choice in signing)
        settings = Settings.deployed({**lambdas, **told})
        assert not {"bedrock", "aws_polly"} & connections_from_env(settings.environment).keys()
        assert (settings.accounts_table, settings.records_table) == ("accounts-1", "records-1")
        assert settings.providers_parameter == "/s/providers"
        assert (settings.default_max_output_tokens, settings.allowed_origins, settings.demo) == (16_384, (), False)
        assert settings.public_models is False
        assert (settings.files_bucket, settings.batch_queue, settings.batch_workers) == ("", "", 4)
        assert settings.config.batches.accounts == {}
        assert (settings.content_bucket, settings.content_folder) == ("", None)
        assert (settings.service, settings.metric_dimensions) == ("s", ())
        changed = {
            "HAIMAKER_PROVIDER_BASE_URLS": "ollama=https://llm.example/v1,openai=https://proxy.example/v1/",
            "ALLOWED_ORIGINS": "https://a.example,https://b.example",
            "HAIMAKER_DEMO": "true",
            "HAIMAKER_SIGNED_PROVIDERS": ",".join(choice["Fn::If"][1] for choice in signing),
        }
        assert changed.keys() <= variables.keys()
        settings = Settings.deployed({**lambdas, **told, **changed})
        for provider in ("bedrock", "aws_polly"):
            assert connections_from_env(settings.environment)[provider].credentials == Credentials("AKID", "secret")
        assert settings.environment["OPENAI_BASE_URL"] == "https://proxy.example/v1"
        assert settings.environment["OLLAMA_BASE_URL"] == "https://llm.example/v1"
        assert (settings.allowed_origins, settings.demo) == (("https://a.example", "https://b.example"), True)


def test_a_deployer_is_told_what_every_parameter_is_and_has_to_set_none(template):
    for name, parameter in template["Parameters"].items():
        assert "Default" in parameter, name
        assert parameter["Description"].endswith("."), name
    shown = [
        name for group in template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"] for name in group["Parameters"]
    ]
    assert sorted(shown) == sorted(template["Parameters"])
    used = set(re.findall(r'"Ref": "(\w+)"', json.dumps(template)))
    assert set(template["Parameters"]) <= used


CONDITIONAL = {
    "HasDomainName": {"GatewayDomainName", "GatewayDomainMapping", "DomainUrl", "DomainTarget"},
    "UsesPolly": {"PollyPolicy"},
    "TakesCredentials": {"CredentialsPolicy"},
    "UsesBedrock": {*BEDROCK_POLICIES},
    "UsesBedrocksBatches": {"BedrockBatchPolicy"},
    "KeepsFiles": {
        *("Files", "FilesBucketPolicy", "FilesPolicy", "UploadsPolicy"),
        *("StoredFilesPolicy", "NamedFilesPolicy", "BatchFilesPolicy", "BatchRowsPolicy"),
    },
    "HasBatches": {
        "BatchQueue",
        "BatchFailures",
        "BatchWork",
        "BatchWorkPolicy",
        "BatchBeginPolicy",
        "BatchFailuresUrl",
        "BatchFailuresAlarm",
    },
    "KeepsContent": {
        *("Content", "ContentBucketPolicy", "ContentPolicy", "StoredResponsesPolicy", "BatchResponsesPolicy", "ContentBucket")
    },
    "HasAlarmEmail": {"AlarmTopic"},
    "HasDashboard": {"GatewayDashboard", "DashboardUrl"},
    "HasMoreAlarms": {
        *(
            "ThrottlesAlarm",
            "BudgetAlarm",
            "ConcurrencyAlarm",
            "AccountsThrottledAlarm",
            "RecordsThrottledAlarm",
            "StreamAgeAlarm",
            "UnwellAlarm",
        )
    },
    "HasManagedInstances": {
        *("ManagedChatFunction", "ManagedInstances", "ManagedInstancesRole", "ManagedChatUrl"),
        *url_parts("ManagedChat"),
    },
    "HasAccessLog": {"AccessLogs"},
    "HasWebAcl": {"WebAclAssociation"},
    "HasKmsKey": {"KmsPolicy"},
    "IsInVpc": {"VpcPolicy"},
    "IsTraced": {"TracingPolicy"},
    "HasChatUrl": {"ChatUrl", *url_parts("ChatCompletions")},
    "HasAllUrls": {name for function in ASKING[1:] for name in (function.replace("Function", "Url"), *url_parts(function[:-8]))},
}


def test_what_not_everybody_wants_is_made_only_for_who_does(template, resources):
    there = {**resources, **template["Outputs"]}
    found: dict[str, set[str]] = {}
    for name, one in there.items():
        if one.get("Condition"):
            found.setdefault(one["Condition"], set()).add(name)
    assert found == CONDITIONAL
    assert set(template["Rules"]) == {
        *("DomainNameNeedsCertificate", "FunctionUrlsDoNotStreamFromAVpc", "ManagedInstancesNeedSecurityGroups"),
        "BedrockBatchesNeedBucketAndRole",
    }


def parameters_with(template, **changed):
    return {name: changed.get(name, str(parameter["Default"])) for name, parameter in template["Parameters"].items()}


def plain_of(value, parameters):
    match value:
        case list():
            return [found for each in value if (found := plain_of(each, parameters)) != NOTHING]
        case {"Fn::If": ["KeepsIndexByDay", there, otherwise]}:
            return there if parameters["RecordsByDay"] == "true" else otherwise
        case {"Ref": str(name)} if value != NOTHING:
            return parameters[name]
        case {"Fn::Join": [str(separator), {"Ref": str(name)}]}:
            return separator.join(filter(None, parameters[name].split(",")))
    return value


@pytest.mark.parametrize(("choice", "on"), [("none", set()), ("chat", {"HasChatUrl"}), ("all", {"HasChatUrl", "HasAllUrls"})])
def test_function_urls_are_there_as_far_as_the_deployer_wants(template, choice, on):
    parameters = parameters_with(template, FunctionUrls=choice)
    found = {name for name in ("HasChatUrl", "HasAllUrls") if holds(template, template["Conditions"][name], parameters)}
    assert found == on
    assert template["Parameters"]["FunctionUrls"]["Default"] == "chat"


@pytest.mark.parametrize(
    ("parameter", "value", "condition"),
    [
        ("KmsKeyArn", "arn:aws:kms:eu-west-1:1:key/1", "HasKmsKey"),
        ("VpcSubnetIds", "subnet-1,subnet-2", "IsInVpc"),
        ("ManagedSubnetIds", "subnet-1,subnet-2", "HasManagedInstances"),
        ("WebAclArn", "arn:aws:wafv2:eu-west-1:1:regional/webacl/a/1", "HasWebAcl"),
        ("AccessLog", "true", "HasAccessLog"),
        ("Tracing", "true", "IsTraced"),
        ("MoreAlarms", "true", "HasMoreAlarms"),
        ("TakeCredentials", "true", "TakesCredentials"),
        ("Batches", "true", "HasBatches"),
        ("Batches", "true", "KeepsFiles"),
        ("FilesBucket", "true", "KeepsFiles"),
        ("AlarmTopicArn", "arn:aws:sns:eu-west-1:1:pager", "HasAlarmTopicArn"),
        ("AllowedOrigins", "https://a.example", "HasAllowedOrigins"),
    ],
)
def test_an_option_is_off_until_it_is_chosen(template, parameter, value, condition):
    found = template["Conditions"][condition]
    assert not holds(template, found, parameters_with(template))
    assert holds(template, found, parameters_with(template, **{parameter: value}))


def test_a_key_of_the_accounts_own_is_for_everything_that_is_kept(resources):
    key = {"Ref": "KmsKeyArn"}
    for name, found in resources.items():
        if found["Type"] in KEPT_IN:
            assert json.dumps(key) in json.dumps(found["Properties"]), name


def test_every_function_is_where_and_of_the_kind_that_the_deployer_says(resources):
    for name, function in properties(resources, "AWS::Lambda::Function").items():
        assert name == MANAGED or function["VpcConfig"]["Fn::If"][0] == "IsInVpc", name
        assert function["TracingConfig"] == {"Mode": {"Fn::If": ["IsTraced", "Active", "PassThrough"]}}, name


def test_chat_on_instances_is_chat_in_an_environment_of_many_requests(resources):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-capacityprovider.html"""
    usual, managed = (resources[name]["Properties"] for name in ("ChatCompletionsFunction", MANAGED))
    for name in ("Code", "Handler", "Runtime", "Role", "Layers", "Environment", "KmsKeyArn"):
        assert managed[name] == usual[name], name
    assert managed["CapacityProviderConfig"]["LambdaManagedInstancesCapacityProviderConfig"] == {
        "CapacityProviderArn": {"Fn::GetAtt": ["ManagedInstances", "Arn"]},
        "PerExecutionEnvironmentMaxConcurrency": 64,
    }
    assert "VpcConfig" not in managed
    provider = resources["ManagedInstances"]["Properties"]
    assert provider["VpcConfig"] == {
        "SubnetIds": {"Ref": "ManagedSubnetIds"}, "SecurityGroupIds": {"Ref": "ManagedSecurityGroupIds"},
    }  # fmt: skip
    assert provider["CapacityProviderScalingConfig"] == {"MaxVCpuCount": {"Ref": "ManagedMaxVCpus"}}
    assert provider["InstanceRequirements"] == {"Architectures": [{"Ref": "Architecture"}]}


def test_names_that_are_global_in_an_account_have_the_region(resources):
    """So that there can be a stack of the same name in each Region."""
    assert resources["GatewayDashboard"]["Properties"]["DashboardName"] == {"Fn::Sub": "${AWS::StackName}-${AWS::Region}"}
    for kind in ("AWS::IAM::Role", "AWS::S3::Bucket"):
        assert all(not {"RoleName", "BucketName"} & found.keys() for found in properties(resources, kind).values())


def test_browsers_may_read_the_answers_of_the_api_itself_where_origins_are_allowed(api):
    for response in api["Body"]["x-amazon-apigateway-gateway-responses"].values():
        allowed = response["responseParameters"]["gatewayresponse.header.Access-Control-Allow-Origin"]
        assert allowed == {"Fn::If": ["HasAllowedOrigins", "method.request.header.Origin", {"Ref": "AWS::NoValue"}]}


def test_the_stack_tells_where_it_is(template):
    outputs = template["Outputs"]
    assert outputs["BaseUrl"]["Value"]["Fn::Sub"].endswith("${AWS::URLSuffix}/v1")
    assert outputs["ChatUrl"]["Value"] == {"Fn::Sub": "${ChatCompletionsFunctionUrl.FunctionUrl}v1"}
    assert outputs["CompletionsUrl"]["Value"] == {"Fn::Sub": "${CompletionsFunctionUrl.FunctionUrl}v1"}
    assert {"AccountsTable", "RecordsTable", "ProvidersParameter"} <= outputs.keys()

"""A deployed stack in small, for the functions' tests; the template as AWS's translator leaves it."""

import uuid
from collections.abc import Iterator
from contextlib import closing

import pytest

from haimaker.http.values import JSON
from haimaker.store.dynamodb import DynamoStore
from tests.support import dynamodb_emulators
from tests.support.aws_front import AWSFront
from tests.support.aws_tools import session_folder, translated
from tests.support.fake_upstream import FakeUpstream
from tests.support.openai_wire import plays_openai
from tests.support.stack import BUCKETS, TABLES, UPSTREAM_KEY, Stack, client, make_tables, put_secrets
from tests.support.stack_batches import StackBatches


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    return translated(session_folder(tmp_path_factory))


@pytest.fixture(scope="session")
def resources(template):
    return template["Resources"]


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    with dynamodb_emulators.moto_locked() as url:
        make_tables(url)
        yield url


@pytest.fixture(scope="session")
def dynalite() -> Iterator[str]:
    try:
        with dynamodb_emulators.dynalite() as url:
            make_tables(url)
            yield url
    except dynamodb_emulators.Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture
def secrets(moto: str) -> str:
    """A new parameter in SSM."""
    name = f"/stack-{uuid.uuid4().hex}/providers"
    put_secrets(moto, name, {"OPENAI_API_KEY": UPSTREAM_KEY})
    return name


@pytest.fixture
def stack(moto: str, secrets: str, template: JSON) -> Iterator[Stack]:
    yield from _stack(moto, moto, secrets, template)


@pytest.fixture
def stack_on_dynalite(dynalite: str, moto: str, secrets: str, template: JSON) -> Iterator[Stack]:
    yield from _stack(dynalite, moto, secrets, template)


@pytest.fixture
def stack_with_everything(moto: str, secrets: str, template: JSON) -> Iterator[Stack]:
    """The provider behind the front is S3, Bedrock and Polly as well: what matters is who may ask them."""
    yield from _stack(moto, moto, secrets, template, "s3", "bedrock", "polly", "lambda")


@pytest.fixture
def batches(moto: str, secrets: str, template: JSON) -> Iterator[StackBatches]:
    """With an emulator of S3 and SQS; the provider is Bedrock as well."""
    for stack in _stack(moto, moto, secrets, template, "bedrock", s3=moto, sqs=moto):
        with closing(StackBatches(stack, moto)) as found:
            yield found


@pytest.fixture
def batches_and_content(batches: StackBatches) -> StackBatches:
    """Prompts and answers are kept as well."""
    batches.s3.create_bucket(Bucket=BUCKETS["Content"])
    return batches


@pytest.fixture
def batches_and_everything(moto: str, secrets: str, template: JSON) -> Iterator[StackBatches]:
    """The provider is Bedrock, Polly, and what functions are called by, as well."""
    for stack in _stack(moto, moto, secrets, template, "bedrock", "polly", "lambda", s3=moto, sqs=moto):
        with closing(StackBatches(stack, moto)) as found:
            found.s3.create_bucket(Bucket=BUCKETS["Content"])
            yield found


@pytest.fixture
def batches_on_dynalite(dynalite: str, moto: str, secrets: str, template: JSON) -> Iterator[StackBatches]:
    for stack in _stack(dynalite, moto, secrets, template, s3=moto, sqs=moto):
        with closing(StackBatches(stack, moto)) as found:
            yield found


def _stack(dynamodb: str, ssm: str, secrets: str, template: JSON, *others: str, **addresses: str) -> Iterator[Stack]:
    with FakeUpstream() as upstream, AWSFront(dynamodb, ssm, **dict.fromkeys(others, upstream.url), **addresses).serving() as front:
        upstream.answers(plays_openai())
        stack = Stack(front, upstream, DynamoStore(TABLES["accounts"], TABLES["records"], client(dynamodb)), secrets, template)
        try:
            yield stack
        finally:
            stack.close()
            if dynamodb == ssm:
                dynamodb_emulators.empty_in_moto(TABLES.values())
        assert [role.refused for role in front.roles.values() if role.refused] == [], "a role lacks what its function does"

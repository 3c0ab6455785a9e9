"""Checks of a stack in an AWS account: who asks, what is there, and whether it answers."""

import subprocess
from collections.abc import Iterator

from haimaker.credentials import provider_secrets
from haimaker.credentials.access import connections_from_env

from ...installation import ROOT
from ..api_client import KEY_VARIABLES, APIClient, key_of
from ..context import Context
from ..operate import SAM
from .finding import Check, Finding, missing, ok, wrong
from .laptop import check_accepted

SKEW_S = 240
"""AWS refuses a signature that is five minutes off. https://docs.aws.amazon.com/general/latest/gr/signature-v4-troubleshooting.html"""
ENOUGH_CONCURRENCY = 100
LEFT_UNRESERVED = 100
"""https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html"""
SSM_READS, COLD_STARTS_A_READ = 40, 24
"""Of the standard throughput, https://docs.aws.amazon.com/general/latest/gr/ssm.html; an environment waits for so many seconds."""
GOOD_STATES = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE")


def tools(_: Context) -> Iterator[Finding]:
    found = subprocess.run(["sh", "find_python313.sh"], cwd=ROOT / "shared", capture_output=True, text=True, check=False)  # noqa: S607
    if found.returncode:
        yield missing(
            "build", "There is no Python 3.13 here, which building the layer needs.", found.stderr.strip().splitlines()[-1]
        )
    elif not SAM.exists():
        yield missing("build", "SAM is not installed yet.", "make build installs it.")
    else:
        yield ok("build", found.stdout.strip())


def credentials(context: Context) -> Iterator[Finding]:
    """Raises OperatorError, which says what to do."""
    stack = context.stack()
    yield ok("account", stack.owner())
    skew_s = stack.clock_skew_s()
    if skew_s is not None and abs(skew_s) > SKEW_S:
        yield wrong(
            "clock",
            f"This machine's clock is {abs(skew_s):.0f} s off AWS's.",
            "Set it: timedatectl set-ntp true, or macOS's settings",
        )


def state(context: Context) -> Iterator[Finding]:
    stack = context.stack()
    status = stack.outputs["StackStatus"]
    if status in GOOD_STATES and "BaseUrl" in stack.outputs:
        yield ok("stack", f"{stack.name}, {status}")
    else:
        yield wrong(
            "stack", f"{stack.name} is in the state {status}.", "make deploy; where AWS refuses to change it, make destroy first"
        )


def tables(context: Context) -> Iterator[Finding]:
    for name, status in context.stack().tables().items():
        if status == "ACTIVE":
            yield ok("tables", name)
        else:
            yield wrong("tables", f"{name}: {status}.", "Restore it (point-in-time recovery), or deploy anew under another STACK=")


def provider_keys(context: Context) -> Iterator[Finding]:
    """Names only; raises SecretsError, SettingsError where the functions could not read them."""
    stack = context.stack()
    secrets = provider_secrets.merge(provider_secrets.validate_documents(stack.secrets()))
    on = ", ".join(connections_from_env(secrets))
    where = stack.output("ProvidersParameter")
    if on:
        yield ok("providers", f"{on}, in {where}")
    else:
        yield missing(
            "providers", f"No provider has a key in {where}.", "make credentials PROVIDER=openai, or deploy with Bedrock=true"
        )


def administrators(context: Context) -> Iterator[Finding]:
    stack = context.stack()
    count = stack.administrators()
    if count:
        yield ok("admin keys", f"{count} in {stack.output('AccountsTable')}")
    else:
        yield missing("admin keys", "Nobody can issue keys yet.", f"make admin-key STACK={stack.name}")


def quotas(context: Context) -> Iterator[Finding]:
    """What a fresh account has too little of, against the stack's settings."""
    stack = context.stack()
    settings, concurrency = stack.parameters() or {}, stack.concurrency()
    reserved = int(settings.get("ChatConcurrency", "0"))
    if concurrency is None:
        yield ok("quotas", "AWS does not tell them to these credentials")
        return
    if concurrency < ENOUGH_CONCURRENCY:
        yield missing(
            "quotas",
            f"Only {concurrency} functions may run at once here: the next request gets 502 bad_gateway.",
            "Service Quotas, AWS Lambda, Concurrent executions: ask for 1,000",
        )
    elif 8 * reserved > concurrency - LEFT_UNRESERVED:
        yield wrong(
            "quotas",
            f"ChatConcurrency={reserved} is reserved eight times, of {concurrency}; AWS keeps {LEFT_UNRESERVED} unreserved.",
            f"Set it to {max(0, (concurrency - LEFT_UNRESERVED) // 8)} at most, or raise the quota",
        )
    else:
        yield ok("quotas", f"{concurrency} functions at once")
    if stack.ssm_is_fast() is False and concurrency > SSM_READS * COLD_STARTS_A_READ:
        yield missing(
            "ssm",
            f"SSM gives {SSM_READS} reads a second; a burst of more cold starts waits, and some get 503 credentials_unavailable.",
            "aws ssm update-service-setting --setting-id /ssm/parameter-store/high-throughput-enabled --setting-value true",
        )
    if settings.get("Bedrock") == "true":
        yield ok("marketplace", "Bedrock=true; call models of others than Amazon once yourself, which subscribes: docs/deploy.md")


def answers(context: Context) -> Iterator[Finding]:
    """Raises OperatorError if it does not."""
    url = context.stack().output("BaseUrl")
    APIClient(url, "").get("/health")
    yield ok("gateway", f"{url} answers")
    if context.arguments.key_file or any(context.environment.get(name) for name in KEY_VARIABLES):
        yield from check_accepted(APIClient(url, key_of(url, context.arguments.key_file, context.environment)))


CHECKS = (
    Check("build", tools),
    Check("account", credentials),
    Check("stack", state),
    Check("tables", tables),
    Check("providers", provider_keys),
    Check("admin keys", administrators),
    Check("quotas", quotas),
    Check("gateway", answers),
)

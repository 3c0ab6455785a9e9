"""Settings from the environment, read once and handed down. `credentials/access.py` reads the variables of providers and of AWS."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from haimaker.aws.access import AWSAccess
from haimaker.credentials.access import (
    SIGNED_PROVIDERS,
    ProviderConnection,
    aws_credentials_of,
    aws_region_of,
    connections_from_env,
    signed_providers,
)
from haimaker.http.proxies import NO_PROXIES, Proxies
from haimaker.http.proxies import from_environment as proxies_from_environment
from haimaker.lean_dataclasses import dataclass, field, replace
from haimaker.observability.metrics import BY_PROVIDER
from haimaker.pricing.amounts import UserBudget, budget_window, is_budget_window, to_nanousd
from haimaker.providers.provider import BatchAccount
from haimaker.providers.registry import NAMES
from haimaker.routing.config import Config
from haimaker.settings.variables import get_address, get_bool, get_choice, get_int, get_list, get_networks, get_url, without_blanks
from haimaker.validation.settings import SettingsError, validate_url

DEFAULT_HOST = "127.0.0.1"
DEFAULT_ADMIN_KEY = "sk-local"
DEFAULT_CONFIG = Path(__file__).parents[2] / "gateway.toml"
OWN_CONFIG = Path("gateway.toml")
"""A file in the folder in which a local gateway is started, which is read instead of the layer's own."""
DEFAULT_MAX_OUTPUT_TOKENS = 16_384
CPU_LIMIT = Path("/sys/fs/cgroup/cpu.max")
"""Microseconds of processor time in so many of the clock."""
MAX_AUTO_WORKERS = 4


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that the environment decides, except the providers' secrets of a deployed stack."""

    host: str = DEFAULT_HOST
    port: int = 8000
    workers: int = 1
    """Processes of a local gateway that serve the port together."""
    home: Path = Path(".haimaker")
    admin_key: str | None = field(default=None, repr=False)
    store: str = "sqlite"
    accounts_table: str = "haimaker-accounts"
    records_table: str = "haimaker-records"
    records_by_day: bool = False
    """Whether that table has records, of older releases, in its index by day only."""
    aws: AWSAccess | None = None
    """Region and credentials, only where the store is DynamoDB."""
    config: Config = field(default_factory=Config)
    """What `gateway.toml` says."""
    default_max_output_tokens: int = DEFAULT_MAX_OUTPUT_TOKENS
    demo: bool = False
    access: Mapping[str, ProviderConnection] = field(default_factory=dict)
    """How to reach each provider, by its name, in the table's order; a provider that is missing here is off."""
    providers_parameter: str = ""
    """The SSM parameter with the providers' secrets. Where it is named, `access` is empty."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The variables that such secrets are added to, such as base URLs; at a local gateway all of them."""
    takes_credentials: bool = False
    """Whether administrators may add providers' credentials to a stack's SSM parameters here."""
    credentials_file: Path | None = None
    """The file `.env` into which a local gateway writes credentials that it is given while it runs; None if it takes none."""
    file_variables: frozenset[str] = frozenset()
    """The names of the variables in `environment` that come from that file."""
    allowed_origins: tuple[str, ...] = ()
    """Web pages that may call the gateway from a browser; `*` is all of them."""
    trusted_proxies: tuple[str, ...] = ()
    """Networks of proxies before a local gateway, whose X-Forwarded-For tells the client's address."""
    mistakes_per_minute: int = 120
    """Unknown keys and malformed requests of one address, until it is answered 429; 0 is no limit. At a local gateway."""
    proxies: Proxies = field(default=NO_PROXIES, repr=False)
    """Through which providers are called."""
    alert_webhook: str = field(default="", repr=False)
    """The URL to which alerts of budgets are sent; it may hold a secret."""
    user_budget: UserBudget | None = None
    """The budget of end users who have no account yet; without it they get no account."""
    version: str = ""
    """The program's version, where the door knows it."""
    metrics_token: str = field(default="", repr=False)
    """The bearer token with which Prometheus reads metrics; without one there are none."""
    sign_in_secret: str = field(default="", repr=False)
    """The gateway's own secret at the identity provider by which people sign in, if it has one there."""
    sign_in_parameter: str = ""
    """The SSM parameter with it, in a deployed stack."""
    checks_signatures: bool = True
    """Whether ID tokens' signatures are checked, beyond that they come from the identity provider over TLS."""
    public_models: bool = False
    """Whether anybody may read the catalogue of models, without a key."""
    service: str = "haimaker"
    """The stack's name, in logs and metrics."""
    metric_dimensions: tuple[str, ...] = ()
    """Dimensions of metrics besides service and operation; CloudWatch bills each combination of their values."""
    files_folder: Path | None = None
    """The folder of a gateway that serves files itself."""
    stored_folder: Path | None = None
    """The folder of files that clients keep, and of batches, of a gateway that has them itself."""
    files_bucket: str = ""
    """The bucket that has them instead; only with `aws`."""
    batch_queue: str = ""
    """The address of the queue of a stack's batches; without one it has none."""
    batch_workers: int = 4
    """How many functions work on them at the same moment."""
    content_folder: Path | None = None
    """The folder of prompts and answers of keys that want them kept; without it and without a bucket none are."""
    content_bucket: str = ""
    """The bucket that has them instead; only with `aws`."""
    content_days: int = 30
    """For how many days the folder has them; a bucket has its lifecycle."""
    function_name: str = ""
    """The name of the Lambda function that this is; empty elsewhere."""
    sam_local: bool = False
    """Whether this is a function under `sam local`, which takes whole answers only."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Settings of a local gateway or a container. Raises SettingsError."""
        env = without_blanks(environment)
        host, home = env.get("HOST", DEFAULT_HOST), Path(env.get("HAIMAKER_HOME", ".haimaker")).expanduser()
        admin_key = env.get("HAIMAKER_ADMIN_KEY", DEFAULT_ADMIN_KEY)
        store = get_choice(env, "STORE", ("sqlite", "dynamodb"))
        config = _config(env, local_config())
        return cls(
            host=host,
            port=get_int(env, "PORT", 8000, most=65_535),
            workers=_processors() if env.get("WORKERS") == "auto" else get_int(env, "WORKERS", 1, least=1, most=64),
            home=home,
            admin_key=None if admin_key == DEFAULT_ADMIN_KEY and not is_loopback(host) else admin_key,
            store=store,
            accounts_table=env.get("HAIMAKER_ACCOUNTS_TABLE", "haimaker-accounts"),
            records_table=env.get("HAIMAKER_RECORDS_TABLE", "haimaker-records"),
            records_by_day=get_bool(env, "HAIMAKER_RECORDS_BY_DAY"),
            aws=_aws(env) if store == "dynamodb" else None,
            config=config,
            default_max_output_tokens=get_int(env, "DEFAULT_MAX_OUTPUT_TOKENS", DEFAULT_MAX_OUTPUT_TOKENS, least=1),
            demo=True,
            proxies=_proxies(env),
            access=connections_from_env(env, config.accounts),
            environment=env,
            allowed_origins=tuple(origin.rstrip("/") for origin in get_list(env, "ALLOWED_ORIGINS")),
            trusted_proxies=get_networks(env, "HAIMAKER_TRUSTED_PROXIES"),
            mistakes_per_minute=get_int(env, "HAIMAKER_MISTAKES_PER_MINUTE", 120, most=1_000_000),
            alert_webhook=get_address(env, "HAIMAKER_ALERT_WEBHOOK", "https://example.com/alerts"),
            user_budget=_user_budget(env),
            metrics_token=env.get("HAIMAKER_METRICS_TOKEN", ""),
            sign_in_secret=_sign_in_secret(env, config),
            public_models=get_bool(env, "HAIMAKER_PUBLIC_MODELS"),
            files_folder=home / "files",
            stored_folder=home / "stored",
            files_bucket=env.get("HAIMAKER_FILES_BUCKET", ""),
            content_folder=home / "content" if get_bool(env, "HAIMAKER_LOG_CONTENT") else None,
            content_bucket=env.get("HAIMAKER_CONTENT_BUCKET", ""),
            content_days=get_int(env, "HAIMAKER_CONTENT_DAYS", 30, least=1, most=36_500),
        )

    @classmethod
    def deployed(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Settings of a Lambda function, as the template gives them. Under `sam local` there is no AWS account: the store is
        then a file in the temporary folder, and the admin key is that of the local gateway. Raises SettingsError."""
        env = _with_signed_providers(_with_base_urls(without_blanks(environment)))
        if "AWS_SAM_LOCAL" in env:
            home = f"{env.get('TMPDIR', '/tmp')}/haimaker"  # noqa: S108 (of the sandbox alone)
            local = cls.from_environment({**env, "STORE": "sqlite", "HAIMAKER_HOME": home})
            return replace(local, sam_local=True, checks_signatures=False, files_folder=None)
        parameter = env.get("HAIMAKER_PROVIDERS_PARAMETER", "")
        for name in ("HAIMAKER_ACCOUNTS_TABLE", "HAIMAKER_RECORDS_TABLE"):
            if name not in env:
                raise SettingsError(f"{name} is missing; template.yaml sets it.")
        config = _with_batch_bucket(_config(env), env)
        return cls(
            store="dynamodb",
            accounts_table=env["HAIMAKER_ACCOUNTS_TABLE"],
            records_table=env["HAIMAKER_RECORDS_TABLE"],
            records_by_day=get_bool(env, "HAIMAKER_RECORDS_BY_DAY"),
            aws=_aws(env),
            config=config,
            default_max_output_tokens=get_int(env, "DEFAULT_MAX_OUTPUT_TOKENS", DEFAULT_MAX_OUTPUT_TOKENS, least=1),
            demo=get_bool(env, "HAIMAKER_DEMO"),
            proxies=_proxies(env),
            access={} if parameter else connections_from_env(env, config.accounts),
            providers_parameter=parameter,
            takes_credentials=get_bool(env, "HAIMAKER_TAKES_CREDENTIALS"),
            environment=env,
            allowed_origins=tuple(origin.rstrip("/") for origin in get_list(env, "ALLOWED_ORIGINS")),
            alert_webhook=get_address(env, "HAIMAKER_ALERT_WEBHOOK", "https://example.com/alerts"),
            user_budget=_user_budget(env),
            sign_in_parameter=env.get("HAIMAKER_SIGN_IN_PARAMETER", ""),
            checks_signatures=False,
            public_models=get_bool(env, "HAIMAKER_PUBLIC_MODELS"),
            files_bucket=env.get("HAIMAKER_FILES_BUCKET", ""),
            batch_queue=env.get("HAIMAKER_BATCH_QUEUE", ""),
            batch_workers=get_int(env, "HAIMAKER_BATCH_WORKERS", 4, least=1, most=1_000),
            content_bucket=env.get("HAIMAKER_CONTENT_BUCKET", ""),
            function_name=env.get("AWS_LAMBDA_FUNCTION_NAME", ""),
            service=env.get("HAIMAKER_SERVICE", "haimaker"),
            metric_dimensions=BY_PROVIDER[get_choice(env, "HAIMAKER_METRICS_BY", tuple(BY_PROVIDER))],
        )


def _proxies(env: Mapping[str, str]) -> Proxies:
    try:
        return proxies_from_environment(env)
    except ValueError as error:
        raise SettingsError(str(error)) from None


def _aws(env: Mapping[str, str]) -> AWSAccess:
    """Region and credentials from where AWS's own tools look for them, except profiles and web identities. Raises SettingsError."""
    region = aws_region_of(env)
    if not region:
        raise SettingsError("STORE=dynamodb needs AWS_REGION, such as us-east-1.")
    in_part = ("AWS_ACCESS_KEY_ID" in env) != ("AWS_SECRET_ACCESS_KEY" in env)
    credentials = None if in_part else aws_credentials_of(env)
    if not credentials:
        raise SettingsError("STORE=dynamodb needs AWS credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role.")
    return AWSAccess(
        region,
        credentials,
        *(
            get_url(env, f"AWS_ENDPOINT_URL_{service}", "http://127.0.0.1:8000")
            for service in ("DYNAMODB", "SSM", "S3", "LAMBDA", "SQS")
        ),
    )


def _sign_in_secret(env: Mapping[str, str], config: Config) -> str:
    """Raises SettingsError where what sign-in needs is not installed: nothing else does, so it is an extra."""
    if config.sign_in is None:
        return ""
    from importlib.util import find_spec  # of no use to a start without it

    if "AWS_SAM_LOCAL" not in env and not find_spec("joserfc"):
        message = "[sign_in] in gateway.toml needs the package joserfc: pip install 'haimaker[sign-in]', or joserfc beside it."
        raise SettingsError(message)
    return env.get("HAIMAKER_SIGN_IN_SECRET", "")


def _user_budget(env: Mapping[str, str]) -> UserBudget | None:
    usd, duration = env.get("HAIMAKER_USER_BUDGET"), env.get("HAIMAKER_USER_BUDGET_DURATION")
    if duration and not is_budget_window(duration):
        raise SettingsError("HAIMAKER_USER_BUDGET_DURATION must be a time such as 30s, 30m, 30h, 30d, 4w or 1mo.")
    if usd is None:
        return None
    if not re.fullmatch(r"\d{1,7}(\.\d{1,9})?", usd, re.ASCII):
        raise SettingsError(f"HAIMAKER_USER_BUDGET must be an amount in USD such as 5 or 0.25, not {usd!r}.")
    return UserBudget(to_nanousd(usd), *budget_window(duration))


def _with_base_urls(env: Mapping[str, str]) -> dict[str, str]:
    """Adds the base URLs from the one parameter that the template has for all: `name=url,name=url`. Raises SettingsError."""
    found = dict(env)
    for entry in env.get("HAIMAKER_PROVIDER_BASE_URLS", "").split(","):
        name, _, url = entry.strip().partition("=")
        if name and name not in NAMES:
            raise SettingsError(f"ProviderBaseUrls must be name=url with commas between; {name!r} is no provider.")
        if name:
            found[f"{name.upper()}_BASE_URL"] = validate_url("ProviderBaseUrls", url, "openai=https://api.openai.com/v1")
    return found


def _with_signed_providers(env: Mapping[str, str]) -> dict[str, str]:
    """Adds that no provider may sign with AWS credentials unless the deployer names it: a function always has its role's. Raises
    SettingsError."""
    found = {SIGNED_PROVIDERS: "none", **env}
    signed_providers(found)
    return found


def _with_batch_bucket(config: Config, env: Mapping[str, str]) -> Config:
    """Adds the bucket and the role that the template's parameters name, for batches of each provider that signs as the function's
    role. They hold whatever `gateway.toml` says: that role may use no others."""
    own = BatchAccount(env.get("HAIMAKER_BATCH_BUCKET", ""), env.get("HAIMAKER_BATCH_ROLE", ""))
    if not own.bucket or not own.role:
        return config
    accounts = {**config.batches.accounts, **dict.fromkeys(signed_providers(env) or (), own)}
    return replace(config, batches=config.batches._replace(accounts=accounts))


def _processors() -> int:
    """The processors that this process may use, at most MAX_AUTO_WORKERS; in a container as its limit says.
    https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files"""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = CPU_LIMIT.read_text().split() if CPU_LIMIT.is_file() else []
    if len(limit) == 2 and limit[0].isdigit() and int(limit[1]):
        found = min(found, -(-int(limit[0]) // int(limit[1])))
    return max(1, min(found, MAX_AUTO_WORKERS))


def is_loopback(host: str) -> bool:
    """Whether a server bound to `host` can be reached from this machine only."""
    try:
        from ipaddress import ip_address  # a function in Lambda listens nowhere

        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def local_config() -> Path:
    """The file of routes and prices if HAIMAKER_CONFIG names none."""
    return DEFAULT_CONFIG if DEFAULT_CONFIG.is_file() and not OWN_CONFIG.is_file() else OWN_CONFIG


def _config(env: Mapping[str, str], default: Path = DEFAULT_CONFIG) -> Config:
    """Reads the deployer's file; its parser is imported only if the file says something. Raises SettingsError."""
    path = Path(env.get("HAIMAKER_CONFIG", default)).expanduser()
    if "HAIMAKER_CONFIG" in env and not path.is_file():
        raise SettingsError(f"HAIMAKER_CONFIG names {path}, which is not a file.")
    text = path.read_text("utf-8") if path.is_file() else ""
    if all(not line.strip() or line.lstrip().startswith("#") for line in text.splitlines()):
        return Config()
    from haimaker.settings.gateway_toml import parse_gateway_toml

    return parse_gateway_toml(text, path)

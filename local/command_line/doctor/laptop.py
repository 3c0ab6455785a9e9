"""Checks of this machine: Python, settings, files, keys and port, as `make run` would meet them."""

import re
import socket
import sqlite3
import ssl
import sys
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from string import Formatter

from haimaker.accounts import keys as auth
from haimaker.models.table import current_table
from haimaker.providers.provider import Provider
from haimaker.providers.registry import NAMES, ONLINE, all_providers, get
from haimaker.settings.settings import DEFAULT_ADMIN_KEY, Settings, is_loopback
from haimaker.store.sqlite_schema import SCHEMA_VERSION

from ...environment import key_variables, misspelt
from ...home import find_problem
from ...installation import IS_CLONE, ROOT, START, current_version
from ...welcome import base_url, cannot_listen
from .. import routes
from ..api_client import KEY_VARIABLES, APIClient, key_of
from ..context import Context
from ..stack import OperatorError
from .finding import WRONG, Check, Finding, missing, ok, wrong

OLDEST = (3, 11)
PLACEHOLDER = re.compile(r"\.\.\.|…|^<.*>$|^(your|my|xxx)|changeme|_here$", re.IGNORECASE)
SHORT_KEY = 20
"""After which some of the table's prices are probably no longer those of their vendors."""


def python(context: Context) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST:
        yield wrong("python", f"{version} is too old.", "Install Python 3.11 or newer, then: make clean run")
    elif not _has_certificates(context.environment):
        fix = "python.org's for macOS: run its 'Install Certificates.command'; elsewhere: SSL_CERT_FILE=/path/to/certificates.pem"
        yield missing("python", f"{version} trusts no certificate: no provider on the internet can be reached.", fix)
    else:
        yield ok("python", f"{version}, {sys.executable}")


def _has_certificates(environment: Mapping[str, str]) -> bool:
    """Whether there are any where OpenSSL looks. A Python for macOS has none at first: https://docs.python.org/3/using/mac.html"""
    places = ssl.get_default_verify_paths()
    file = Path(environment.get(places.openssl_cafile_env) or places.openssl_cafile)
    folder = Path(environment.get(places.openssl_capath_env) or places.openssl_capath)
    return (file.is_file() and file.stat().st_size > 0) or (folder.is_dir() and any(folder.iterdir()))


def packages(_: Context) -> Iterator[Finding]:
    if not IS_CLONE:
        yield ok("packages", f"haimaker {current_version()} is installed in {ROOT}")
        return
    stamps = [ROOT / ".venv" / name for name in ("cli.stamp", "stack.stamp", "test.stamp")]
    made = max((stamp.stat().st_mtime for stamp in stamps if stamp.exists()), default=0.0)
    if not made:
        yield missing("packages", "This is not the project's own environment, .venv.", "make doctor sets it up.")
    elif made < max((ROOT / folder / "requirements.txt").stat().st_mtime for folder in ("shared", "local")):
        yield missing("packages", "The requirements have changed since .venv was set up.", "make doctor installs them.")
    else:
        yield ok("packages", ".venv is set up")


def settings(context: Context) -> Iterator[Finding]:
    """Raises SettingsError, which names the variable."""
    found = Settings.from_environment(context.environment)
    yield ok("settings", f"store {found.store}, {base_url(found.host, found.port)}")


def home(context: Context) -> Iterator[Finding]:
    folder = _settings(context).home
    if problem := find_problem(folder.resolve()):
        first = "Make room" if problem.endswith("is full.") else "Make it yours"
        yield wrong("home", problem, f"{first}, or name another: HAIMAKER_HOME=... {START}")
    else:
        yield ok("home", f"{folder.resolve()} {'can be written' if folder.is_dir() else 'is made at the first start'}")


def database(context: Context) -> Iterator[Finding]:
    """Opened for reading only, beside a gateway that may run."""
    found = _settings(context)
    file = found.home / "haimaker.sqlite"
    if found.store != "sqlite":
        yield ok("database", f"DynamoDB, tables {found.accounts_table} and {found.records_table}")
    elif not file.exists():
        yield ok("database", "is made at the first start")
    else:
        found_now = _health_of(str(file.resolve()), file.stat().st_size)
        if found_now.level == WRONG and find_problem(found.home):
            found_now = found_now._replace(fix="See to the home first: SQLite needs to write there to read.")
        yield found_now


def _health_of(file: str, size: int) -> Finding:
    fix = f"Stop the gateway, move {file} away, and start again; keys and records that can be read: sqlite3 {file} .recover"
    try:
        connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=5)
        try:
            ((version,),) = connection.execute("PRAGMA user_version").fetchall()
            if version > SCHEMA_VERSION:
                fix = "Run the newer haimaker that changed it, or restore a backup: haimaker restore"
                return wrong("database", f"{file}: version {version}, of a newer haimaker; this one reads {SCHEMA_VERSION}.", fix)
            ((said,),) = connection.execute("PRAGMA quick_check(1)").fetchall()
        finally:
            connection.close()
    except sqlite3.Error as error:
        return wrong("database", f"{file}: {error}.", fix)
    return ok("database", f"{file}, {size / 1e6:.1f} MB, is sound") if said == "ok" else wrong("database", f"{file}: {said}.", fix)


def prices(_: Context) -> Iterator[Finding]:
    """How old the table of prices is: vendors change theirs every few weeks."""
    table = current_table()
    if table.is_outdated(datetime.now(UTC).date()):
        yield missing("prices", f"The prices are of {table.date}.", "Take a newer version, or: make prices")
    else:
        yield ok("prices", f"of {table.date}")


def own_names(context: Context) -> Iterator[Finding]:
    path, found = routes.path_of(context.environment), _settings(context)
    problems = [target for target in routes.list_targets(found.config, found.access) if target.problem]
    for target in problems:
        message = f"{target.name} leads to {target.target}: {target.problem}."
        yield missing("routes", message, f"Give it a key or a price, or take it out of {path}.")
    if not problems:
        yield ok("routes", f"{path}, {len(found.config.routes)} names of your own")


def provider_keys(context: Context) -> Iterator[Finding]:
    """The names of the providers that are on, at the gateway that runs, else as it would be started here; a key is never shown."""
    on = _settings(context).access
    environment = context.environment
    if (running := _on_at_gateway(context)) is not None:
        url = context.url()
        yield ok("providers", f"{', '.join(running) or 'none'}, at {url}")
        if lacking := [name for name in on if name not in running]:
            message = f"{', '.join(lacking)}: set here, but not where the gateway at {url} was started."
            yield missing("providers", message, "Start it again from here, or add the key in its console.")
        if not running and not on:
            yield missing("providers", "Only demo/ models answer.", "Add a provider's key in the console, or export it and start.")
    elif on:
        yield ok("providers", ", ".join(on))
    else:
        fix = "export OPENAI_API_KEY=... (or another provider's), then " + START
        yield missing("providers", "No provider has a key: only demo/ models answer.", fix)
    for name, value in environment.items():
        if value and name in key_variables() and PLACEHOLDER.search(value):
            yield wrong(
                "providers", f"{name} holds a placeholder, not a key.", f"export {name}=<the key from the provider's console>"
            )
    yield from _half_set(environment, on)
    for name, meant in misspelt(environment).items():
        fix = f"Is it {meant}?  export {meant}=${name}" if meant else "docs/providers.md and the README name those that are read."
        yield missing("providers", f"{name} is set, but nothing reads it.", fix)


def _on_at_gateway(context: Context) -> list[str] | None:
    """The providers of the gateway that runs; None if there is none that tells."""
    try:
        told = context.api_client().get("/providers")
    except OperatorError:
        return None
    rows = told.get("data", [])
    return [row["provider"] for row in rows if row["on"] and row["provider"] in ONLINE] if isinstance(rows, list) else None


def _half_set(environment: Mapping[str, str], on: Collection[str]) -> Iterator[Finding]:
    """Keys of providers that are off all the same, since their address lacks something."""
    for row in all_providers():
        named = [name for name in _key_variables(row) if environment.get(name)]
        if (
            row.offline
            or row.name in on
            or not named
            or any(named[0] in _key_variables(get(other)) for other in on if other in NAMES)
        ):
            continue
        parts = [part for _, part, _, _ in Formatter().parse(row.endpoint.base_url) if part and part not in environment]
        lacking = [part for part in parts if part.isupper() and part not in ("HOST", "LOCATION")] or [
            f"{row.name.upper()}_BASE_URL"
        ]
        yield missing(
            "providers", f"{named[0]} is set, but {row.name} is off.", f"It needs an address as well: export {lacking[0]}=..."
        )


def _key_variables(row: Provider) -> tuple[str, ...]:
    return (f"{row.name.upper()}_API_KEY", *row.auth.key_variables, *row.auth.token_variables)


def admin_key(context: Context) -> Iterator[Finding]:
    found = _settings(context)
    if found.admin_key is None:
        fix = f"HAIMAKER_ADMIN_KEY=... {START}   such as {auth.new_key()}"
        yield wrong("admin key", f"There is none: {DEFAULT_ADMIN_KEY} works on this machine's loopback address only.", fix)
    elif found.admin_key == DEFAULT_ADMIN_KEY:
        yield ok("admin key", f"{DEFAULT_ADMIN_KEY}, for this machine only")
    elif len(found.admin_key) < SHORT_KEY and not is_loopback(found.host):
        yield wrong("admin key", "HAIMAKER_ADMIN_KEY is short enough to be guessed.", f"Take one such as {auth.new_key()}")
    else:
        yield ok("admin key", "from HAIMAKER_ADMIN_KEY")


def port(context: Context) -> Iterator[Finding]:
    """Free, or a gateway's that takes the key."""
    found = _settings(context)
    url = base_url(found.host, found.port)
    try:
        with socket.create_server((found.host, found.port), family=socket.AF_INET6 if ":" in found.host else socket.AF_INET):
            yield ok("port", f"{found.port} is free: {START} serves there")
            return
    except OSError as error:
        told, _, fix = cannot_listen(error, found.host, found.port, START).removeprefix("haimaker: ").partition(". ")
    try:
        healthy = APIClient(url, "").get("/health").get("status") == "ok"
    except OperatorError:
        healthy = False
    if not healthy:
        yield wrong("port", f"{told}, and not by a gateway.", fix)
        return
    yield ok("port", f"a gateway serves {url}")
    yield from check_accepted(APIClient(url, key_of(url, context.arguments.key_file, context.environment)))


def check_accepted(client: APIClient) -> Iterator[Finding]:
    """Whether a gateway takes the key as an administrator's."""
    try:
        role = client.get("/key/info")["info"]["role"]
    except OperatorError as error:
        fix = f"export {KEY_VARIABLES[0]}=<the key that the gateway was started with; make admin-key makes one for a stack>"
        yield wrong("your key", str(error).partition(" Name another")[0], fix)
        return
    if role == "admin":
        yield ok("your key", "is an administrator's")
    else:
        yield missing(
            "your key", "is an ordinary one: it can't manage keys.", f"export {KEY_VARIABLES[0]}=<an administrator's key>"
        )


def _settings(context: Context) -> Settings:
    return Settings.from_environment(context.environment)


TOOLS = (Check("python", python), Check("packages", packages))
CHECKS = (
    Check("settings", settings),
    Check("home", home),
    Check("database", database),
    Check("routes", own_names),
    Check("prices", prices),
    Check("providers", provider_keys),
    Check("admin key", admin_key),
    Check("port", port),
)

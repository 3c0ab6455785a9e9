"""`python -m local`, which `make run` calls: settings from the environment, a gateway on SQLite, the front door."""

import gc
import os
import resource
import signal
import sys
from collections.abc import Callable, Mapping
from ipaddress import ip_network
from types import FrameType
from typing import TYPE_CHECKING

from haimaker.batches.runner import BatchRunner
from haimaker.http.json import MAX_DIGITS
from haimaker.http.request_ids import set_ending
from haimaker.lean_dataclasses import replace
from haimaker.settings.settings import DEFAULT_ADMIN_KEY, Settings
from haimaker.store import StoreUnavailable
from haimaker.validation.settings import SettingsError

from .connections import MAX_CONNECTIONS
from .environment import file_of_variables, misspelt, read_environment
from .home import find_problem, keep_temporary_files
from .installation import START, current_version
from .memory import give_back_memory
from .mistakes import Mistakes
from .processors import OwnProcessor
from .server import GRACE_S, Server
from .welcome import base_url, cannot_listen, few_files_lines, misspelt_lines, welcome

if TYPE_CHECKING:
    from haimaker.gateway import Gateway

    from .workers import Worker

FILES = 8_192
"""Open files that are asked for; a connection and the call of a provider that it leads to are two."""
OTHER_FILES = 64
"""The store's, the listening socket and the like."""
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def main() -> int:
    sys.set_int_max_str_digits(MAX_DIGITS)
    give_back_memory()
    for stop_signal in STOP_SIGNALS:
        signal.signal(stop_signal, _leave)
    try:
        environment = read_environment()
        settings = replace(
            Settings.from_environment(environment),
            version=current_version(),
            credentials_file=file_of_variables(),
            file_variables=frozenset(environment) - frozenset(os.environ),
        )
        _trust(environment)
        keep_temporary_files(settings.home)
        if settings.workers > 1:  # each has read them, and none would learn that they changed
            settings = replace(settings, credentials_file=None)
    except SettingsError as error:
        return _fail(f"haimaker: {error}")
    is_default_key = settings.admin_key == DEFAULT_ADMIN_KEY
    files = _allowed_files()
    connections = min(MAX_CONNECTIONS, max(1, (files - OTHER_FILES) // 2))
    try:
        server = Server(
            settings.host,
            settings.port,
            local_names_only=is_default_key,
            origins=settings.allowed_origins,
            mistakes=Mistakes(settings.mistakes_per_minute),
            proxies=tuple(map(ip_network, settings.trusted_proxies)),
            most_connections=connections,
        )
    except OSError as error:
        return _fail(cannot_listen(error, settings.host, settings.port, START))
    for line in (*misspelt_lines(misspelt(environment)), *few_files_lines(files, connections)):
        print(line, file=sys.stderr)
    url = base_url(settings.host, server.port)

    def greet() -> None:
        print(welcome(url, settings.admin_key, settings.access, default_key=DEFAULT_ADMIN_KEY, start=START), flush=True)

    if settings.workers == 1:
        return _serve(server, settings, greet)
    import haimaker.gateway  # noqa: F401 - once for all of them

    from .workers import Workers

    gc.collect()
    gc.freeze()
    try:
        workers = Workers(settings.workers, lambda worker: _serve(server, settings, worker.ready, worker), STOP_SIGNALS)
    except OSError as error:
        return _fail(f"haimaker: no temporary folder can be made: {error.strerror}. Name where it can: TMPDIR=... {START}")
    return workers.run(greet)


def _serve(server: Server, settings: Settings, when_ready: Callable[[], None], worker: "Worker | None" = None) -> int:
    from haimaker.gateway import Gateway  # after the port is ours: it opens the store

    if worker:
        set_ending(worker.ending)
    try:
        gateway = Gateway.local(settings)
        if worker:
            _join(gateway, worker)
    except SettingsError as error:
        return _fail(f"haimaker: {error}")
    except StoreUnavailable as error:
        if settings.store == "sqlite" and (problem := find_problem(settings.home)):
            return _fail(f"haimaker: {problem} Name another folder: HAIMAKER_HOME=... {START}")
        where = f" (HAIMAKER_HOME is {settings.home}; haimaker doctor says more)" if settings.store == "sqlite" else ""
        return _fail(f"haimaker: the store can't be used: {error}{where}")
    for stop_signal in STOP_SIGNALS:
        signal.signal(stop_signal, lambda _number, _frame: server.stop())
    gc.collect()
    gc.freeze()  # what a start makes stays: looking through it again would hold up a request for 4 ms now and then
    when_ready()
    runner = gateway.batches
    assert runner is None or isinstance(runner, BatchRunner)
    if runner:
        runner.resume()
    server.serve(gateway, OwnProcessor(os.getppid() + worker.place if worker else os.getpid()))
    if runner:
        runner.stop(GRACE_S)
    if gateway.unsettled:
        gateway.unsettled.close()
    gateway.observer.close()
    return 0


def _join(gateway: "Gateway", worker: "Worker") -> None:
    """Shares what is counted with the other workers, and charges what those that died had reserved. Raises StoreUnavailable."""
    if gateway.observer.prometheus:
        gateway.observer.prometheus.share(worker.counts / f"{worker.ending}.json")
    if gateway.settings.store == "sqlite":
        from haimaker.store.sqlite import SQLiteStore

        assert isinstance(gateway.store, SQLiteStore)
        lost = sum(gateway.store.charge_requests_of(ending) for ending in worker.dead)
        if lost:
            gateway.observer.reservations_lost(lost)


def _allowed_files() -> int:
    """How many files may be open: systems begin with few, 1,024 or 256, and let a process have more that asks for them.
    https://docs.python.org/3/library/resource.html#resource.RLIMIT_NOFILE"""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= FILES:
        return FILES
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (ValueError, OSError):
        return soft
    return wanted


def _trust(environment: Mapping[str, str]) -> None:
    """Tells libraries that read the process's own variables of those in `.env`: OpenSSL of certificates, OpenTelemetry's SDK of who
    collects. Raises SettingsError."""
    os.environ.update({name: value for name, value in environment.items() if name.startswith("OTEL_")})
    for name, is_there in (("SSL_CERT_FILE", os.path.isfile), ("SSL_CERT_DIR", os.path.isdir)):
        if path := environment.get(name):
            if not is_there(path):
                raise SettingsError(f"{name} names {path}, which is not there.")
            os.environ[name] = path


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


def _fail(message: str) -> int:
    print(message, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())

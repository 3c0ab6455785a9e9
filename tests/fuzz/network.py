"""Hostile clients at every route of a gateway in a process of its own, and a hostile provider behind it.

After each request: a status that is no defect of ours, an end in time, JSON and events that JavaScript and the official SDK read,
and nothing that the key may not have. At the end: nothing is held, what was spent is what the records say, and threads and memory
are back to where they were.
"""

import http.client
import json
import re
import select
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from bench.servers import Server
from haimaker.api.dispatch import CHANGING, KEYLESS
from haimaker.store.sqlite import SQLiteStore
from tests.fuzz import provider, requests
from tests.fuzz.answers import check_event, check_whole, readable
from tests.fuzz.image_host import ImageHost
from tests.fuzz.requests import Asked
from tests.fuzz.values import dumps
from tests.support.fake_upstream import FakeUpstream

ADMIN = "sk-local"
LIMITS: tuple[dict[str, Any], ...] = (
    {"max_budget": 1_000},
    {"team_id": "t"},
    {"max_budget": 0},
    {"role": "viewer"},
    {"team_id": "blocked"},
    {"max_budget": 1},
    {"duration": "1s"},
    {"role": "team_admin", "team_id": "t"},
    {"log_content": True},
)
"""Of the keys besides the administrator's, which is the first."""
BLOCKED_TEAM, BLOCKED, EXPIRED = 5, 6, 7
"""Places of keys that may do nothing."""
TEAM_ADMIN = 8
OVERSEEING = "batches_overview"
"""Who may see the batches of others names them by this."""
OF_TEAM = (2, TEAM_ADMIN)
"""Those of one team that may ask models: what one is answered and stored, the others may see."""
TEAM_ADMINS = frozenset({"key_generate", "key_update", "key_block", "key_unblock", "key_delete", "key_regenerate"})
"""What a team's administrator may change, of keys of its team."""
LONGEST_S = 30.0
"""For an answer to come to its end, of providers that all answer at once or break off, on a machine that does much else."""
KEPT_THREADS, KEPT_BYTES = 96, 200 * 2**20
"""What a gateway keeps for who comes next: threads of answers and look-ups, 32 of batches, caches, and what the allocator gives
back to nobody."""
SETTLES_S = 120.0
"""By when nothing is held any more: batches ask a provider that fails again, after a while."""
SEEN = 200
"""Ids that a client remembers."""
VERBOSE = b'name="response_format"\r\n\r\nverbose_json\r\n'
KEPT_ID = re.compile(
    rb'"(?:id|output_file_id|error_file_id)": ?"((?:resp_|file-hm|batch_hm|upload_hm|part_hm)[A-Za-z0-9_-]{1,80})"'
)
KEPT = ("responses", "files_create", "files_list", "files_retrieve", "uploads_", "batches_", "messages_batches_")
"""Operations that tell ids of what is kept, or what their names begin with."""


@dataclass
class Client:
    """What a client knows of a gateway, and what it saw of it: one connection, which is kept."""

    url: str
    keys: list[str]
    links: list[str]
    random: Random
    counts: Counter[str] = field(default_factory=Counter)
    kept_for: dict[str, frozenset[int]] = field(default_factory=dict)
    """Ids that were seen, of responses, files and batches, and the places of the keys that saw them."""
    kept: float = 0.1
    """The part of requests for files and batches."""
    _kept: socket.socket | None = None

    def ask(self) -> str:
        """One request; what is wrong with its answer, empty if nothing is."""
        asked = requests.make(self.random, self.keys, self.links, [*self.kept_for], self.kept)
        try:
            wrong = self._leave(asked) if self.random.random() < 0.12 else self._await(asked)
            return f"{wrong} after {asked.data[:2_000]!r}" if wrong else ""
        except TimeoutError:
            self.close()
            return f"no end of an answer in {LONGEST_S} s after {asked.data[:2_000]!r}"
        except (OSError, http.client.HTTPException):
            self.close()
            self.counts["cut"] += 1  # as is right for what is no HTTP
            return ""

    def close(self) -> None:
        if self._kept:
            self._kept.close()
            self._kept = None

    def _connection(self) -> socket.socket:
        kept, self._kept = self._kept, None
        if kept and not select.select([kept], [], [], 0)[0]:
            return kept
        if kept:
            kept.close()
        host, port = self.url.split("/")[2].split(":")
        connection = socket.create_connection((host, int(port)), timeout=LONGEST_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _leave(self, asked: Asked) -> str:
        """Goes while it sends, before an answer, or in the middle of one."""
        self.counts["clients that left"] += 1
        connection = self._connection()
        with connection:
            if self.random.random() < 0.3:
                connection.sendall(asked.data[: self.random.randrange(len(asked.data))])
                return ""
            connection.sendall(asked.data)
            stays_for = self.random.randrange(3_000)
            if self.random.random() < 0.7 and select.select([connection], [], [], 0.05)[0]:
                connection.recv(stays_for + 1)
        return ""

    def _await(self, asked: Asked) -> str:
        connection = self._connection()
        with suppress(BrokenPipeError, ConnectionResetError):  # it may be refused before it is read, and the answer be there
            connection.sendall(asked.data)
        self._kept = connection
        if asked.is_damaged:
            connection.shutdown(socket.SHUT_WR)  # or it would wait for the rest of what is too short
        answer = http.client.HTTPResponse(connection, method=asked.data.split(b" ", 1)[0].decode("latin-1"))
        answer.begin()
        body = answer.read()
        if asked.is_damaged or answer.will_close:
            self.close()
        self.counts[f"{answer.status // 100}xx"] += 1
        self.counts[f"status {answer.status}"] += 1
        self.counts[asked.operation] += 1
        if answer.status < 300:
            self.counts[f"{asked.operation} 2xx"] += 1
        return self._judge(asked, answer.status, answer.getheader("content-type") or "", body)

    def _judge(self, asked: Asked, status: int, content_type: str, body: bytes) -> str:
        if wrong := judge(asked, status, content_type, body):
            return wrong
        if status < 300 and not asked.is_damaged and (wrong := self._beyond(asked)):
            return f"{asked.operation}: {wrong}, {body[:500]!r}"
        if (
            asked.operation.startswith(KEPT)
            and not asked.operation.startswith(OVERSEEING)
            and status < 300
            and not asked.is_damaged
        ):
            for found in KEPT_ID.findall(body):
                seen_by = self.kept_for.setdefault(found.decode(), frozenset({asked.key}))
                if not found.startswith(b"resp_") and seen_by.isdisjoint(_same_owner(asked.key)):
                    return f"{asked.operation}: an id of another key's, {body[:500]!r}"
                self.kept_for[found.decode()] = seen_by | {asked.key}  # a provider gives several keys one id
            for seen in [*self.kept_for][:-SEEN]:
                del self.kept_for[seen]
        return ""

    def _beyond(self, asked: Asked) -> str:
        """What an answer gave to a key that may not have it."""
        if asked.operation in KEYLESS:
            return ""
        if asked.key in (-1, BLOCKED_TEAM, BLOCKED, EXPIRED):
            return "an answer for a key that is unknown, blocked or expired"
        if asked.operation in CHANGING and asked.key != 0 and not (asked.key == TEAM_ADMIN and asked.operation in TEAM_ADMINS):
            return "a change by a key that is no administrator's"
        if asked.stored and self.kept_for[asked.stored].isdisjoint(_same_owner(asked.key)):
            return "another key's response, file or batch"
        return ""


@dataclass
class World:
    """A gateway, the provider behind it, and what was seen of them."""

    server: Server
    upstream: FakeUpstream
    home: Path
    images: ImageHost
    threads: int = 0
    memory_bytes: int = 0
    """Of the gateway before it was asked anything."""
    counts: Counter[str] = field(default_factory=Counter)
    keys: list[str] = field(default_factory=list)

    def client(self, seed: int) -> Client:
        return Client(self.server.url, self.keys, self.images.links(), Random(seed))

    def connect(self) -> http.client.HTTPConnection:
        host, port = self.server.url.split("/")[2].split(":")
        return http.client.HTTPConnection(host, int(port), timeout=LONGEST_S)

    def admin(self, path: str, body: Any) -> Any:
        connection = self.connect()
        connection.request("POST", path, dumps(body), {"authorization": f"Bearer {ADMIN}"})
        return json.loads(connection.getresponse().read())

    def grown(self) -> str:
        """Of threads and memory."""
        more_bytes = self.server.resident_bytes() - self.memory_bytes
        now = f"threads {self.threads} before, {self.server.threads()} now, memory +{more_bytes / 2**20:.0f} MB"
        return f"{now}, {self.server.cpu_s():.0f} s of CPU"


@contextmanager
def world(seed: int, *, mistakes: bool = False) -> Iterator[World]:
    """With `mistakes`, its bound on unknown keys and malformed requests is the usual one."""
    with TemporaryDirectory() as home, FakeUpstream() as upstream, ImageHost() as images:
        (Path(home) / ".env").touch()
        with Server("tests.fuzz.gateway", environment(Path(home), upstream.url, mistakes=mistakes)) as server:
            made = World(server, upstream, Path(home), images)
            upstream.answers(provider.hostile(seed))
            for team in ("t", "blocked"):
                made.admin("/team/new", {"team_id": team})
            made.keys = [ADMIN, *(made.admin("/key/generate", limit)["key"] for limit in LIMITS)]
            made.admin("/team/block", {"team_id": "blocked"})
            made.admin("/key/block", {"key": made.keys[BLOCKED]})
            time.sleep(1)  # by when the key that is to be expired is
            made.threads, made.memory_bytes = server.threads(), server.resident_bytes()
            yield made


def environment(home: Path, url: str, *, mistakes: bool = False) -> dict[str, str]:
    """Of a gateway that knows every provider of which something is recorded, all of them at one address."""
    root = url.removesuffix("/v1")
    names = requests.providers()
    return {
        **{f"{name.upper()}_BASE_URL": f"{root}/{name}" for name in names},
        **{f"{name.upper()}_API_KEY": "sk-upstream" for name in names},
        "HAIMAKER_HOME": str(home),
        "HAIMAKER_ENV_FILE": str(home / ".env"),
        "HAIMAKER_LOG_CONTENT": "true",
        "HAIMAKER_MISTAKES_PER_MINUTE": "120" if mistakes else "0",
    }


def run_clients(number: int, known: Client, seconds: float, seed: int) -> tuple[int, Counter[str], list[str]]:
    """Several clients for a while: how many requests they sent, what they counted, and what was wrong."""
    until_s, tries, faults = time.monotonic() + seconds, Counter[int](), list[str]()
    clients = [
        replace(known, random=Random(seed * number + client), counts=Counter(), kept_for={**known.kept_for})
        for client in range(number)
    ]

    def run(place: int) -> None:
        while time.monotonic() < until_s:
            fault = clients[place].ask()
            tries[place] += 1
            faults.extend([fault] if fault else [])
        clients[place].close()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return tries.total(), sum((client.counts for client in clients), Counter()), faults


def _same_owner(key: int) -> tuple[int, ...]:
    """The places of the keys that see what is kept for one of them."""
    return OF_TEAM if key in OF_TEAM else (key,)


def judge(asked: Asked, status: int, content_type: str, body: bytes) -> str:
    """What is wrong with an answer."""
    operation = asked.operation
    if b'"internal_error"' in body or (status == 500 and b"The gateway failed" in body):
        return f"{operation}: a defect of ours, {body[:500]!r}"
    if asked.is_damaged:  # what was asked is not known, and who stops sending counts as gone
        return ""
    try:
        if content_type.startswith("application/json") and body:
            read = readable(body)
            if status == 200:
                spoken = "verbose_json" if VERBOSE in asked.data and not asked.has_damaged_form else None
                check_whole(operation, read, spoken, same_format=asked.same_format)
        elif content_type.startswith("text/event-stream"):
            for event in body.split(b"\n\n"):
                data = event.partition(b"data: ")[2]
                if data and data != b"[DONE]":
                    check_event(operation, readable(data), same_format=asked.same_format)
    except (ValueError, AttributeError, TypeError) as error:
        return f"{operation}: an answer that can't be read, {type(error).__name__} {str(error)[:200]}, {body[:500]!r}"
    return ""


def settled(at: World) -> list[str]:
    """What is not as it was, once all is over."""
    until_s = time.monotonic() + SETTLES_S
    while ((held := _held(at.home)) or _threads_more(at) > KEPT_THREADS) and time.monotonic() < until_s:
        time.sleep(0.5)
    found = [f"{len(held)} accounts still hold something"] if held else []
    if (more := _threads_more(at)) > KEPT_THREADS:
        found.append(f"{more} threads more than before")
    if (grown := at.server.resident_bytes() - at.memory_bytes) > KEPT_BYTES:
        found.append(f"{grown / 2**20:.0f} MB more than before")
    store = SQLiteStore(at.home / "haimaker.sqlite")
    try:
        spent: Counter[str] = Counter()
        after: str | None = None
        while True:
            page, after = store.records(after=after, limit=1_000)
            for record in page:
                at.counts["records"] += 1
                for account_id in {record.account_id, *record.detail.get("charged", ())}:
                    spent[account_id] += record.cost_nanousd
            if after is None:
                break
        for kind in ("key", "team", "user"):
            for balance in store.accounts(kind, limit=100_000)[0]:
                total = balance.account.carried_nanousd + spent[balance.account.id]
                if balance.total_spend_nanousd != total:
                    found.append(f"{balance.account.id} spent {balance.total_spend_nanousd}, its records say {total}")
    finally:
        store.close()
    return found


def _threads_more(at: World) -> int:
    return at.server.threads() - at.threads


def _held(home: Path) -> list[str]:
    store = SQLiteStore(home / "haimaker.sqlite")
    try:
        kinds = (store.accounts(kind, limit=100_000)[0] for kind in ("key", "team", "user"))
        return [balance.account.id for found in kinds for balance in found if balance.held_nanousd]
    finally:
        store.close()

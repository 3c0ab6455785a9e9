"""What hostile or blocked users must not reach: the other users' gateway, an administrator's rights, accounts for ever."""

import json
import time
from functools import partial
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from haimaker.accounts.kinds import END_USER
from haimaker.pricing.amounts import to_usd
from haimaker.upstream import image_fetcher
from haimaker.upstream.shares import Shares
from tests.contract.money_support import chat_body, error_of, serving
from tests.support import openai_wire
from tests.support.fake_upstream import FakeUpstream, Reply

OLD, NEW = "sk-hm-the-first-of-the-settings", "sk-hm-the-second-of-the-settings"


@pytest.mark.parametrize("change", [{"metadata": {}}, {"metadata": None}, {"metadata": {"source": "me"}}, {"key_alias": "x"}])
def test_the_settings_admin_key_ends_with_them(tmp_path, upstream: FakeUpstream, change: dict[str, Any]):
    with serving(tmp_path, upstream, HAIMAKER_ADMIN_KEY=OLD) as desk:
        own = desk.ask("GET", "/key/info", key=OLD).json()["info"]["token_id"]
        other = desk.ask("POST", "/key/generate", {}, key=OLD).json()["key"]
        changed = desk.ask("POST", "/key/update", {"key": own, **change}, key=OLD)
        assert changed.status_code == 200
        assert changed.json()["metadata"]["source"] == "HAIMAKER_ADMIN_KEY"
    with serving(tmp_path, upstream, HAIMAKER_ADMIN_KEY=NEW) as desk:
        assert desk.ask("GET", "/key/list", key=OLD).status_code == 401
        assert error_of(desk.ask("POST", "/key/regenerate", {"key": own}, key=NEW))[0] == 400
        assert desk.ask("GET", "/key/list", key=NEW).status_code == 200
        assert desk.ask("GET", "/models", key=other).status_code == 200


def test_nobody_can_take_another_key_for_one_of_the_settings(tmp_path, upstream: FakeUpstream):
    with serving(tmp_path, upstream) as desk:
        key = desk.key(metadata={"source": "HAIMAKER_ADMIN_KEY", "a": 1})
        assert desk.ask("GET", "/models", key=key).status_code == 200
        assert desk.info(key)["metadata"] == {"a": 1}


FILE = "file-hm" + "0" * 30
KINDS = ("", "/messages")
OF_RESPONSES = (("GET", ""), ("DELETE", ""), ("GET", "/input_items"), ("POST", "/cancel"))
EVERYWHERE = [
    ("GET", "/models", None),
    ("GET", "/models/openai/gpt-4o-mini", None),
    ("GET", "/key/info", None),
    ("GET", "/spend/logs", None),
    ("GET", "/spend/report", None),
    ("GET", "/spend/keys", None),
    ("GET", "/generation?id=x", None),
    ("POST", "/spend/calculate", {"model": "openai/gpt-4o-mini"}),
    ("POST", "/audio/uploads", {}),
    ("POST", "/route/simulate", chat_body()),
    ("POST", "/chat/completions", chat_body()),
    ("POST", "/chat/completions", {}),
    ("POST", "/key/generate", {}),
    ("GET", "/team/info", None),
    ("POST", "/files", {}),
    ("GET", "/files", None),
    *((method, f"/files/{FILE}{rest}", None) for method, rest in (("GET", ""), ("GET", "/content"), ("DELETE", ""))),
    ("POST", "/uploads", {}),
    *(("POST", f"/uploads/upload_hm1/{what}", {}) for what in ("parts", "complete", "cancel")),
    *((method, f"{kind}/batches", {"requests": []} if method == "POST" else None) for method in ("GET", "POST") for kind in KINDS),
    *(("GET", f"{kind}/batches/batch_hm1", None) for kind in KINDS),
    *(("POST", f"{kind}/batches/batch_hm1/cancel", {}) for kind in KINDS),
    ("DELETE", "/messages/batches/batch_hm1", None),
    ("GET", "/messages/batches/batch_hm1/results", None),
    ("GET", "/batch/list", None),
    ("POST", "/batch/batch_hm1/cancel", {}),
    *((method, f"/responses/resp_1{rest}", {} if method == "POST" else None) for method, rest in OF_RESPONSES),
    ("POST", "/responses/input_tokens", {"model": "openai/gpt-4o-mini", "input": "Hi"}),
    ("POST", "/messages/count_tokens", chat_body()),
    ("POST", "/models/openai/gpt-4o-mini:countTokens", {"contents": []}),
    ("POST", "/models/openai/gpt-4o-mini:predict", {}),
]


def told(answer: httpx.Response) -> tuple[int, str | None]:
    """The status and, in OpenAI's format, the code of an error."""
    error = answer.json()["error"]
    return answer.status_code, error.get("code") if isinstance(error.get("code"), str) else None


@pytest.mark.parametrize(
    ("known", "whose"),
    [(known, whose) for whose in ("key", "team") for known in (True, False)] + [(True, "deleted")],
    ids=lambda value: {True: "used before", False: "unknown yet"}.get(value, value),
)
def test_blocked_is_blocked_everywhere(tmp_path, upstream: FakeUpstream, whose: str, known: bool):
    """Also where this process knew the key as a good one until now."""
    upstream.answers(openai_wire.plays_openai())
    with serving(tmp_path, upstream) as desk:
        desk.admin("/team/new", team_id="t")
        key = desk.key(team_id="t")
        if known:
            assert desk.chat(key).status_code == 200
        remembered = {**desk.gateway.accounts._cached}
        of_key, of_team = {"key": key}, {"team_id": "t"}
        block = {"key": ("/key/block", of_key), "team": ("/team/block", of_team), "deleted": ("/key/delete", {"keys": [key]})}[
            whose
        ]
        desk.admin(block[0], **block[1])
        code = "invalid_api_key" if whose == "deleted" else f"{whose}_blocked"
        for method, path, body in EVERYWHERE:
            if path != "/chat/completions":  # whose reservation asks the store
                desk.gateway.accounts._cached.update(remembered)
            assert told(desk.ask(method, path, body, key=key)) in ((401, code), (401, None)), (method, path)
        if whose == "deleted":
            return
        unblock = {"key": ("/key/unblock", {"key": key}), "team": ("/team/unblock", {"team_id": "t"})}[whose]
        desk.admin(unblock[0], **unblock[1])
        assert desk.ask("GET", "/models", key=key).status_code == 200
        assert desk.chat(key).status_code == 200


@pytest.mark.parametrize("whose", ["key", "team"])
def test_what_a_blocked_key_sends_is_not_read(tmp_path, upstream: FakeUpstream, whose: str):
    """Its body is no JSON, which would be told first."""
    with serving(tmp_path, upstream) as desk:
        desk.admin("/team/new", team_id="t")
        key = desk.key(team_id="t")
        upstream.answers(openai_wire.plays_openai())
        assert desk.chat(key).status_code == 200
        desk.admin(f"/{whose}/block", **({"key": key} if whose == "key" else {"team_id": "t"}))
        assert desk.chat(key).status_code == 401
        answer = desk.http.post("/chat/completions", content=b"{" * 100, headers={"authorization": f"Bearer {key}"})
        assert error_of(answer) == (401, f"{whose}_blocked")


CHAT, MESSAGES, RESPONSES, GEMINI = "/chat/completions", "/messages", "/responses", "/v1beta/models/{}:generateContent"
PRICED, FREE = "openai/gpt-4o-mini", "demo/echo"
SPENT, OTHERS = {"max_budget": 0}, {"models": ["openai/gpt-4o"]}
MANY_BYTES = b'"x":[' + b"0," * 40_000
"""What follows is no JSON, which a body that is read is refused for."""
UNREAD = [
    *((SPENT, path, b'{"model":"openai/gpt-4o-mini",', 402) for path in (CHAT, MESSAGES, RESPONSES, "/completions", "/rerank")),
    (SPENT, "/embeddings", b'{"model" : "openai/text-embedding-3-small",', 402),
    (SPENT, GEMINI.format(PRICED), b"{", 402),
    (SPENT, "/openai/deployments/openai%2Fgpt-4o-mini/chat/completions", b"{", 402),
    ({"max_budget": 1e-9}, CHAT, b'{"model":"openai/gpt-4o-mini",', 402),
    ({"team_id": "spent"}, CHAT, b'{"model":"openai/gpt-4o-mini",', 402),
    ({"model_max_budget": {PRICED: 0}}, CHAT, b'{"model":"openai/gpt-4o-mini",', 402),
    ({"rpm_limit": 0}, CHAT, b'{"model":"demo/echo",', 429),
    ({"tpm_limit": 0}, CHAT, b'{"model":"openai/gpt-4o-mini",', 429),
    ({"max_parallel_requests": 0}, "/images/generations", b"{", 429),
    (OTHERS, CHAT, b'{"model":"openai/gpt-4o-mini",', 403),
    (OTHERS, GEMINI.format(PRICED), b"{", 403),
    ({}, CHAT, b'{"model":"nobody/knows",', 404),
    (SPENT, CHAT, b'{"model":"openai/gpt-4o-mini","input":{"model":"openai/gpt-4o"},', 402),
    # What may be another answer is read.
    ({}, CHAT, b'{"model":"openai/gpt-4o-mini",', 400),
    (SPENT, CHAT, b'{"model":"demo/echo",', 400),
    (SPENT, GEMINI.format(FREE), b"{", 400),
    (SPENT, CHAT, b'{"model":"openai/gpt-4o-mini","model":"demo/echo",', 400),
    (SPENT, CHAT, b'{"m\\u006fdel":"demo/echo",', 400),
    (SPENT, CHAT, b'{"model":"haimaker/auto",', 400),
    (SPENT, CHAT, b'{"model":"openai/gpt-4o-mini","provider":{"only":["demo"]},', 400),
    (OTHERS, CHAT, b'{"model":"openai/gpt-4o-mini","fallbacks":["openai/gpt-4o"],', 400),
    ({**SPENT, "aliases": {"mine": FREE}}, CHAT, b'{"model":"mine",', 400),
    ({**SPENT, "aliases": {"mine": PRICED}}, CHAT, b'{"model":"mine",', 402),
    ({"max_budget": 1e-4}, CHAT, b'{"model":"openai/gpt-4o-mini",', 400),
]  # fmt: skip


def test_a_large_body_is_not_read_of_who_can_pay_for_none(tmp_path, upstream: FakeUpstream):
    with serving(tmp_path, upstream, COHERE_API_KEY="sk-upstream") as desk:
        desk.admin("/team/new", team_id="spent", max_budget=0)
        asked_before = len(upstream.calls)
        for limits, path, head, status in UNREAD:
            key = desk.key(**limits)
            if path == "/rerank":
                head = head.replace(b"openai/gpt-4o-mini", b"cohere/rerank-v3.5")
            answer = desk.http.post(path, content=head + MANY_BYTES, headers={"authorization": f"Bearer {key}"})
            assert answer.status_code == status, (limits, path, head, answer.text)
            if path == MESSAGES:
                assert answer.json()["type"] == "error"
            assert desk.money(key) == (0, 0, 0)
        assert len(upstream.calls) == asked_before


@pytest.mark.parametrize(
    ("limits", "body", "status"),
    [
        ({"max_budget": 0}, {}, 402),
        ({"rpm_limit": 0}, {}, 429),
        ({"models": ["openai/other"]}, {}, 403),
        ({}, {"model": "nobody/knows"}, 404),
        ({}, {"messages": []}, 400),
        ({}, {"user": "u" * 513}, 400),
    ],
)
def test_who_is_refused_makes_no_account_of_a_user(tmp_path, upstream: FakeUpstream, limits: Any, body: Any, status: int):
    with serving(tmp_path, upstream, HAIMAKER_USER_BUDGET="1") as desk:
        key = desk.key(**limits)
        answer = desk.ask("POST", "/chat/completions", {**chat_body(user="eve"), **body}, key=key)
        assert answer.status_code == status
        assert desk.gateway.store.get(END_USER.account_id("eve")) is None
        assert desk.gateway.store.accounts("user")[0] == []
        upstream.answers(openai_wire.plays_openai())
        good = desk.key()
        assert desk.chat(good, user="eve").status_code == 200
        made = desk.gateway.store.get(END_USER.account_id("eve"))
        assert made is not None
        assert (to_usd(made.account.budget_nanousd or 0), made.reservations) == (1.0, 0)
        assert made.spend_nanousd == desk.money(good)[0] > 0


def test_a_users_name_of_any_letters_is_settled(tmp_path, upstream: FakeUpstream):
    upstream.answers(openai_wire.plays_openai())
    with serving(tmp_path, upstream) as desk:
        key = desk.key()
        assert desk.chat(key, user="\U0001f600" * 512).status_code == 200
        assert [record.status for record in desk.records(key)] == ["ok"]


@pytest.mark.parametrize("where", ["part", "tool", "modalities"])
def test_a_type_that_is_no_text_is_no_defect(tmp_path, upstream: FakeUpstream, where: str):
    part = {"type": [0] if where == "part" else "text", "text": "a"}
    body = chat_body("haimaker/auto", tools=[{"type": [0] if where == "tool" else "function"}])
    body |= {"messages": [{"role": "user", "content": [part]}], "modalities": [[0]] if where == "modalities" else ["text"]}
    with serving(tmp_path, upstream) as desk:
        upstream.answers(openai_wire.plays_openai())
        answer = desk.ask("POST", "/chat/completions", body, key=desk.key())
        assert answer.status_code < 500, answer.text


def test_a_large_malformed_body_costs_nobody_else_time(tmp_path, upstream: FakeUpstream):
    with serving(tmp_path, upstream) as desk:
        key = desk.key(max_budget=1)
        raw = b'{"model":"openai/gpt-4o-mini","messages":[' + b"{}," * 1_900_000 + b"{}]}"
        began_s = time.monotonic()
        answer = desk.http.post("/chat/completions", content=raw, headers={"authorization": f"Bearer {key}"})
        assert (answer.status_code, time.monotonic() - began_s < 3) == (400, True)
        assert len(json.dumps(answer.json())) < 1_000


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("answer", ["served", "failed"])
def test_fetched_images_are_held_until_the_answer(tmp_path, upstream: FakeUpstream, monkeypatch, stream: bool, answer: str):
    """Then another request of the key has room for its own; more than that at once is refused in words."""
    png = b"\x89PNG\r\n\x1a\n" + bytes(1_000)
    monkeypatch.setattr(image_fetcher, "HELD", Shares("bytes are held", total=5_000, each=2_500))
    with FakeUpstream() as web:
        web.answers(Reply.raw(200, png))
        opened = partial(image_fetcher.ImageFetcher, may_connect=lambda address: True, ports=frozenset(range(1, 65_536)))
        monkeypatch.setattr(image_fetcher, "ImageFetcher", opened)
        with serving(tmp_path, upstream, MOONSHOT_BASE_URL=upstream.url, MOONSHOT_API_KEY="sk-upstream") as desk:
            key = desk.key()

            def ask(number: int) -> httpx.Response:
                parts = [{"type": "image_url", "image_url": {"url": f"{web.url}/{each}"}} for each in range(number)]
                body = chat_body("moonshot/kimi-k2.5", stream=stream, messages=[{"role": "user", "content": parts}])
                return desk.ask("POST", "/chat/completions", body, key=key)

            upstream.answers(openai_wire.plays_openai() if answer == "served" else Reply.raw(400, b"{}"))
            for _ in range(3):
                assert ask(2).status_code == (200 if answer == "served" else 400)
            refused = ask(3)
            assert (error_of(refused), refused.headers["retry-after"]) == ((429, "gateway_busy"), "1")
            assert not image_fetcher.HELD._taken


@pytest.mark.parametrize(
    "name",
    [
        "openai/gpt-4o-mini\u200b",
        "openai/gpt-4o-mini ",
        " openai/gpt-4o-mini",
        "openai/gpt-4o-mini\x00",
        "openai/gpt-4o-mini\n",
        "openai/ｇpt-4o-mini",
        "openai/gpt‑4o‑mini",
        "OPENAI/gpt-4o-mini",
        "openai/GPT-4O-MINI",
        "openai//gpt-4o-mini",
        "openai/./gpt-4o-mini",
        "openai/../openai/gpt-4o-mini",
        "openai/gpt-4o-mini/../gpt-4o",
        "openai/gpt-4o-mini%2f..%2fgpt-4o",
        "openai/gpt-4o-mini?x=",
        "openai/gpt-4o-mini#",
        "openai\\gpt-4o-mini",
        "openai/gpt-4o-mini\ud800",
    ],
    ids=ascii,
)
def test_no_other_spelling_of_a_name_passes_for_it(tmp_path, upstream: FakeUpstream, name: str):
    """A key that may use one model has no more by another letter of the same look, be it by a path."""
    upstream.forget()
    upstream.answers(openai_wire.plays_openai())
    with serving(tmp_path, upstream) as desk:
        key = desk.key(models=["openai/gpt-4o-mini"], max_budget=1)
        answer = desk.ask("POST", "/chat/completions", chat_body(name), key=key)
        assert answer.status_code in (400, 403, 404), answer.text
        path = f"/deployments/{quote(name.encode('utf-8', 'surrogatepass'), safe='')}/chat/completions"
        assert desk.ask("POST", f"/openai{path}", chat_body(name), key=key).status_code in (400, 403, 404)
        assert upstream.calls == []
        assert desk.money(key) == (0, 0, 0)
        assert desk.chat(key).status_code == 200

"""A month of a small team's use, made up and always the same, for the console to show."""

import random
import time
from dataclasses import replace

from haimaker.accounts import keys as auth
from haimaker.billing.admission import reserve
from haimaker.http.values import JSON
from haimaker.store import Account, Granted, Record, Reservation, Store

DAY_S = 86_400
USD = 10**9
MODELS = (  # target, how often, nano-dollars per input and output token
    ("anthropic/claude-sonnet-4-5", 5, 3_000, 15_000),
    ("openai/gpt-4o-mini", 9, 150, 600),
    ("groq/llama-3.3-70b-versatile", 6, 590, 790),
    ("gemini/gemini-2.5-flash", 4, 300, 2_500),
    ("mistral/mistral-small-latest", 2, 100, 300),
)
KEYS = (  # alias, how often, budget in USD, team, tags
    ("support-bot", 8, 40, "product", ("prod",)),
    ("search-index", 5, 12, "product", ("prod", "batch")),
    ("ada", 3, 10, "research", ("dev",)),
    ("nightly-evals", 4, None, "research", ("batch",)),
    ("old-demo", 0, 1, None, ()),
)
FAILS = "groq"
"""Whose attempts fail at times; then another provider answers."""


def fill(store: Store, days: int = 30, per_day: int = 24) -> dict[str, str]:
    """Keys by their alias."""
    chance = random.Random(7)
    now_s = time.time()
    for team_id, budget in (("product", 100), ("research", 50)):
        store.put(Account(f"team#{team_id}", team_id, int(now_s), alias=team_id.title(), budget_nanousd=budget * USD))
    keys = {alias: auth.new_key() for alias, *_ in KEYS}
    accounts = {
        alias: Account(
            auth.account_id_of(keys[alias]), auth.display_name_of(keys[alias]), int(now_s) - (days + number) * DAY_S, alias=alias,
            budget_nanousd=None if budget is None else budget * USD, team_id=team, tags=tags, rpm_limit=60 if budget else None,
            models=("openai/*", "demo/*") if alias == "old-demo" else (),
        )
        for number, (alias, _, budget, team, tags) in enumerate(KEYS)
    }  # fmt: skip
    for account in accounts.values():
        store.put(account)
    moments = sorted(now_s - chance.random() ** 1.15 * days * DAY_S for _ in range(days * per_day))
    for number, started_s in enumerate(moments):
        [alias] = chance.choices([key[0] for key in KEYS], [key[1] for key in KEYS])
        _spend(store, accounts[alias], f"00000000-0000-4000-8000-{number:012d}", started_s, chance)
    store.update(replace(accounts["old-demo"], blocked=True))
    return keys


def _spend(store: Store, account: Account, request_id: str, started_s: float, chance: random.Random) -> None:
    [(target, _, input_rate, output_rate)] = chance.choices(MODELS, [model[1] for model in MODELS])
    prompt, answer = int(chance.lognormvariate(8.4, 0.9)), int(chance.lognormvariate(6.3, 0.7))
    attempts = []
    if target.startswith(FAILS) and chance.random() < 0.3:
        attempts.append(_attempt(target, 429, "rate_limit_exceeded", 180, None))
        target, _, input_rate, output_rate = MODELS[1]
    cost = prompt * input_rate + answer * output_rate
    duration_ms = int(chance.lognormvariate(7.2, 0.5))
    failed = chance.random() < 0.015
    if failed:
        cost, answer = 0, 0
    attempts.append(_attempt(target, *((503, "provider_overloaded") if failed else (200, None)), duration_ms, cost / USD))
    provider, _, model = target.partition("/")
    detail: JSON = {
        "operation": "chat", "asked_model": attempts[0]["target"], "stream": chance.random() < 0.6, "user": None,
        "team_id": account.team_id, "key_name": account.name, "key_alias": account.alias,
        "tags": list(account.tags), "provider": provider, "model": model,
        "input_tokens": prompt, "output_tokens": answer, "cached_tokens": prompt // 3, "cost_usd": cost / USD,
        "cost_estimated": False, "duration_ms": duration_ms, "first_token_ms": duration_ms // 4, "attempts": attempts,
        "error": "provider_overloaded" if failed else None,
    }  # fmt: skip
    billed = (account.id, f"team#{account.team_id}") if account.team_id else (account.id,)
    holds = [Reservation(request_id, payer, 1, cost, prompt, started_s, int(started_s) + 60, billed) for payer in billed]
    if isinstance(granted := reserve(store, holds), Granted):
        store.settle(
            granted.reservation, Record(request_id, account.id, started_s, "error" if failed else "ok", cost, detail), prompt
        )


def _attempt(target: str, status: int, code: str | None, duration_ms: int, cost_usd: float | None) -> JSON:
    first_byte_ms = duration_ms // 3 if status == 200 else duration_ms
    return {
        "target": target, "status": status, "code": code, "duration_ms": duration_ms, "first_byte_ms": first_byte_ms,
        "cost_usd": cost_usd or 0,
    }  # fmt: skip

"""Names of models: one for each however a host spells it, the one that leaves the choice to the gateway, lists of names. Pure."""

import re
from collections.abc import Collection
from datetime import date
from functools import lru_cache

AUTO = "haimaker/auto"
"""The name under which the gateway chooses the model itself."""
ROUTABLE = r"[^\s/]+(/\S+)?"
"""What a configuration may name as a model: a route, a bare name or `provider/model`."""
OWN_NAME = r"[^\s/]+(/\S+|( [^\s/]+)*)"
"""What it may call a route: also some words, which people are shown in a list of models."""

RUNS_TOOLS = re.compile(r"\bclaude\b")
READS_FREE = re.compile(r"\b(?:gemini|sonar)\b")
THINKS_BESIDE = re.compile(r"\bgemini\b")
HEARS_BESIDE = re.compile(r"\bvoxtral\b")
LABELS = re.compile(r"(?:(?:us-gov|[a-z][a-z0-9]*)\.)+(?=[a-z])")
"""A region, and the vendor, each before a full stop: Bedrock's ids, and `system.ai.` of Databricks."""
BARE = re.compile(r"[rv]\d")
"""A version without a name, which the vendor's gives it: `deepseek.r1-v1:0`."""
VENDORS = re.compile(
    r"(?:(?:alibaba|anthropic|amazon|azure|cc|coding|cohere|databricks|fw|google|mamba|meta|morph|openai|snowflake|spot|xai|zai)-)+"
    r"(?=[a-z])"
)
"""Vendors, hosts and plans of theirs that stand before a hyphen: `FW-` is Fireworks, in Azure AI Foundry, `spot-` a router of its,
`cc-` and `coding-` are AIHubMix's plans for coding; and the architecture of `mamba-codestral`."""
POINT = re.compile(r"(?<=\d)p(?=\d)|(?<=[a-z-]\d)-(?=\d{1,2}(?:$|[-:]))")
"""What stands for the point of a version: `glm-5p2` at Fireworks, `gemini-3-5-flash` at Databricks, `llama3-3-70b` at Bedrock."""
DATE = r"-20\d\d-?[01]\d-?[0-3]\d"
SNAPSHOT = re.compile(r"[-@](20\d\d)-?([01]\d)-?([0-3]\d)(?!\d)")
VERSION = re.compile(r"(?:@[\w.-]*|-maas|-v[01](?::\w+)*|(?<=\d):\d+(?::\w+)?)$")
"""`@20251101`, `-v1:0`, and `:0` of a name that has its version before that."""


@lru_cache(maxsize=512)
def canonical(provider: str, model: str, *, dated: bool = False) -> str:
    """The one name of a model that a provider calls `model`: without its region, vendor, path, date and revision.

    `us.zeta.zeta-9-v1:0`, `zeta-9@20260101`, `zeta/zeta-9-maas` and `accounts/a/models/zeta-9` are all `zeta-9`, and `zeta-9-1` and
    `zeta-9p1` are `zeta-9.1`. With `dated` the
    date stays. The name of a deployment, or of an application's inference profile, says nothing: it is given back as it is, and
    the deployer's `base_model` is to be asked for instead.
    """
    name = model.strip().lower().removeprefix(f"{provider}/")
    if name.startswith("ft:"):
        name = name.split(":")[1]
    name = name.partition("#")[0]  # what follows is a deployment of it, at Fireworks
    name = name.rstrip("/").removesuffix("/community").rpartition("/")[2] or name
    labels = LABELS.match(name)
    if labels:
        vendor = labels[0].rstrip(".").rpartition(".")[2]
        name = name[labels.end() :]
        name = f"{vendor}-{name}" if BARE.match(name) else name
    name = VENDORS.sub("", name, count=1) if VENDORS.match(name) else name
    name = POINT.sub(".", name)
    for _ in range(2):
        name = VERSION.sub("", name)
    name = re.sub(rf"({DATE})-v\d+(?::\w+)*$", r"\1", name)
    return name if dated else re.sub(rf"{DATE}(?=$|-|:)", "", name)


def snapshot_date(model: str) -> date | None:
    """The date of the snapshot that a name is of, where it says so."""
    found = SNAPSHOT.search(model)
    try:
        return date(*map(int, found.groups())) if found else None
    except ValueError:
        return None


def is_allowed(name: str, allowed: Collection[str]) -> bool:
    """Whether a list of names and `provider/*` patterns has the name; an empty list has all."""
    return (
        not allowed
        or name in allowed
        or "*" in allowed
        or any(pattern.endswith("/*") and name.startswith(pattern[:-1]) for pattern in allowed)
    )


def bills_turns_of_tools(model: str) -> bool:
    """Whether each turn of a tool that its vendor runs is another pass over the prompt, and billed:
    https://platform.claude.com/docs/en/agents-and-tools/tool-use/server-tools"""
    return bool(RUNS_TOOLS.search(model.lower()))


def reads_search_for_free(model: str) -> bool:
    """Whether what it finds in the web is no part of the prompt that is billed:
    https://ai.google.dev/gemini-api/docs/google-search#pricing, https://docs.perplexity.ai/getting-started/pricing"""
    return bool(READS_FREE.search(model.lower()))


def thinks_beside(model: str) -> bool:
    """Whether hosts that speak OpenAI's format count its reasoning beside the completion, not in it."""
    return bool(THINKS_BESIDE.search(model.lower()))


def hears_beside(model: str) -> bool:
    """Whether the tokens of sound that it hears are counted beside those of the prompt."""
    return bool(HEARS_BESIDE.search(model.lower()))

"""Builds the package's table of models from a price map: `make prices`, or with a file and what it is.

The input is LiteLLM's price map (MIT, https://github.com/BerriAI/litellm/blob/main/model_prices_and_context_window.json), fetched
from there where no file is named; `data/README.md` in the package describes the output, and how it can be given to a gateway that
is running. Rates keep the digits they are written with: no number with a fraction passes through a float.
What the snapshot leaves out or has wrong is in `vendor_prices.py`, each price with its page. Must not invent one.
"""

import argparse
import json
import re
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Context, Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from haimaker.providers import registry
from haimaker.providers.registry import INDEX
from scripts import vendor_prices

Row = dict[str, Any]

TABLE = Path(__file__).parents[1] / "shared" / "haimaker" / "models" / "data" / "models.tsv"

SOURCE = "https://raw.githubusercontent.com/BerriAI/litellm/main/model_prices_and_context_window.json"
MAX_BYTES = 50_000_000

MODES = re.compile(
    r"audio_speech|audio_transcription|chat|completion|embedding|image_edit|image_generation|moderation|rerank|responses"
)
PROVIDER = {
    "azure_text": "azure",
    "bedrock_converse": "bedrock",
    "cohere_chat": "cohere",
    "fireworks_ai-embedding-models": "fireworks_ai",
    "scx-ai": "scx_ai",
    "text-completion-inception": "inception",
    "text-completion-openai": "openai",
}
"""The snapshot's providers that are another name, or another API, of one of ours; `vertex_ai-...` is `vertex_ai`."""

NOT_A_MODEL = re.compile(r"-month-commitment/|(^|/)container$|^together-ai-")
"""Reserved capacity, sandboxes by the hour and price classes: nothing that a request can name."""

QUALIFIED = re.compile(
    r"(?P<qualifier>((low|medium|high|xhigh|max|standard|hd)/)?(\d+-x-\d+|max-x-max)(/(\d+|max)-steps)?)/(?P<model>.+)"
)
"""An image priced by quality, size and steps: `low/1024-x-1024/gpt-image-1` becomes `gpt-image-1#low/1024-x-1024`."""

LIMITS_AND_KIND = ("deprecation_date", "max_input_tokens", "max_output_tokens", "mode")

DROPPED_RATES = re.compile(
    r"(input|output)_dbu_cost_per_token|input_cost_per_token_cache_hit"
    r"|output_cost_per_image_(512|1024|1536)|(in|out)put_cost_per_video_per_second.*|output_cost_per_character"
)
"""Not in USD; a second name of `cache_read_input_token_cost`; of what no operation here makes or reads: bodies in three dimensions,
videos by the second, and a retired model that was billed by the letters it wrote."""

RESOLUTIONS = {"0.5K": 512, "1K": 1024, "2K": 2048, "4K": 4096}
"""Of an image priced by its resolution, which becomes a line for that size."""

SEARCHES_ALWAYS = re.compile(r"openai/gpt-.*-search-(preview|api)")
"""Each request to these is billed as a search: https://platform.openai.com/docs/pricing"""
IN_REGION = re.compile(r"bedrock/((?:anthropic\.claude-|openai\.gpt-\d|amazon\.nova-2).*)")
"""A bare name is called in one region, which costs what a group of regions does, not what all regions together do:
https://aws.amazon.com/bedrock/pricing/, https://platform.claude.com/docs/en/about-claude/pricing"""

OF_TOKENS = re.compile(r"cost_per(_\w+)?_token|_token_cost")
"""Names of prices of tokens."""

ORDINARY = {
    "input_cost_per_audio_token": "input_cost_per_token",
    "input_cost_per_image_token": "input_cost_per_token",
    "output_cost_per_audio_token": "output_cost_per_token",
    "output_cost_per_image_token": "output_cost_per_token",
    "output_cost_per_reasoning_token": "output_cost_per_token",
}
"""Rates of special tokens that say nothing where they equal the ordinary rate, and would hide its service tiers."""

MINUTES_PER_DAY = 24 * 60
DIGITS_OF_A_DOUBLE = 15
"""That are surely right."""


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.build_prices", description="Builds the table of models.")
    parser.add_argument("file", nargs="?", type=Path, help="a price map; without, LiteLLM's newest is fetched")
    parser.add_argument("--source", default="main branch", help="which one of LiteLLM's it is, for the note")
    parser.add_argument("--vendors", action="store_true", help="fetch nothing: put the prices of vendor_prices.py into the table")
    parser.add_argument("--to", type=Path, default=TABLE, help="where to write the table")
    asked = parser.parse_args(arguments)
    if asked.vendors:
        table = with_vendors(read_table(asked.to))
    else:
        models = json.loads(asked.file.read_bytes() if asked.file else fetched(), parse_float=str)
        table = build_table(models, datetime.now(UTC).date().isoformat(), f"LiteLLM's price map ({asked.source}, MIT)")
    asked.to.write_text("".join(lines(table)), encoding="utf-8")
    print(f"{asked.to.name}: {asked.to.stat().st_size:,} bytes, of {table['#']['date']}")


def fetched() -> bytes:
    with urllib.request.urlopen(SOURCE, timeout=60) as answer:
        body: bytes = answer.read(MAX_BYTES)
    return body


def build_table(models: Mapping[str, Row], date: str, source: str) -> dict[str, Row]:
    """The table's rows by name; the one of `#` says where the facts come from, and when."""
    return {"#": {"date": date, "note": source}} | {name: to_row(row) for name, row in merged(models).items()}


def read_table(file: Path) -> dict[str, Row]:
    rows = (line.split("\t") for line in file.read_text("utf-8").splitlines())
    return {name: json.loads(row) for name, row in rows}


def with_vendors(table: Mapping[str, Row]) -> dict[str, Row]:
    """The table with what `vendor_prices` says now, and all else as it was."""
    said = {name: to_row(row) for name, row in with_own_lines(replaced({})).items()}
    ours = {name: {field: value for field, value in row.items() if value} for name, row in said.items()}
    by_size = {name.partition("#")[0] for name in ours if "#" in name}
    kept = {name: row for name, row in table.items() if "#" not in name or name.partition("#")[0] not in by_size}
    found = kept | {name: {"supports": [], **kept.get(name, {}), **row} for name, row in ours.items()}
    return {name: row if name in ours or name == "#" else with_more_rates(name, row) for name, row in found.items()}


def with_more_rates(name: str, row: Row) -> Row:
    """A line of the table with the fees of its kind of models, and their rates of service tiers."""
    return {**row, "rates": {**to_rates(more_rates(name, {**row, **row["rates"]})), **row["rates"]}}


def lines(table: Mapping[str, Row]) -> Iterator[str]:
    """The table's lines, sorted by name in the order of bytes."""
    for name in sorted(table, key=str.encode):
        yield f"{name}\t{json.dumps(table[name], sort_keys=True, separators=(',', ':'))}\n"


def merged(models: Mapping[str, Row]) -> dict[str, Row]:
    """Rows by our name. Where a bare and a prefixed row mean one model, fields of the prefixed one win."""
    rows: dict[str, Row] = {}
    served = {key: row for key, row in models.items() if is_served(key, row)}
    for key in sorted(served, key=lambda key: (key.startswith(f"{to_provider(provider_of(served[key]))}/"), key)):
        name = to_name(key, provider_of(served[key]))
        said = {field: value for field, value in served[key].items() if not is_empty(value)}
        rows[name] = rows.get(name, {}) | said
    return with_own_lines(by_resolution(replaced(corrected(with_newer(rows)))))


def with_newer(rows: Mapping[str, Row]) -> dict[str, Row]:
    """With the models that came after the snapshot, prices that changed after it, and none retired that is not."""
    found = dict(rows)
    for newer in vendor_prices.NEWER:
        if newer.name not in rows and newer.like in rows:
            other = {field: value for field, value in rows[newer.like].items() if field != "deprecation_date"}
            kept = {field: value for field, value in other.items() if not (newer.rates and OF_TOKENS.search(field))}
            found[newer.name] = {**multiplied(kept, newer.factor), **(newer.rates or {}), **(newer.facts or {})}
    for name in vendor_prices.NOT_RETIRED.keys() & found.keys():
        found[name] = {field: value for field, value in found[name].items() if field != "deprecation_date"}
    for change in vendor_prices.CHANGES:
        for name, row in found.items():
            old = row.get("input_cost_per_token")
            if old and re.fullmatch(change.models, name) and Decimal(str(old)) == Decimal(change.was):
                found[name] = multiplied(row, change.factor)
    return found


def multiplied(row: Row, factor: Decimal) -> Row:
    """A row with its prices of tokens multiplied."""
    return {
        field: f"{(Decimal(str(value)) * factor).normalize():f}" if factor != 1 and OF_TOKENS.search(field) else value
        for field, value in row.items()
    }


def is_served(key: str, row: Row) -> bool:
    """Whether the gateway serves it, and has no other provider's name for its prices."""
    provider = to_provider(provider_of(row))
    ours = provider in INDEX and not registry.get(provider).catalog.priced_as
    return ours and bool(MODES.fullmatch(row.get("mode") or "")) and not NOT_A_MODEL.search(key)


def provider_of(row: Row) -> str:
    return str(row.get("litellm_provider") or "")


def is_empty(value: Any) -> bool:
    """Whether it says nothing: the source writes zero also for what it does not know."""
    if value is None or isinstance(value, bool):
        return not value
    try:
        return not isinstance(value, list | dict) and Decimal(str(value)) == 0
    except InvalidOperation:
        return not value


def corrected(rows: Mapping[str, Row]) -> dict[str, Row]:
    """The rows with what holds for kinds of models and the source has wrong, or not at all."""
    found = {}
    for name, row in rows.items():
        made, regional = dict(row), IN_REGION.fullmatch(name)
        if regional and (group := rows.get(f"bedrock/us.{regional[1]}")):
            made |= {field: value for field, value in group.items() if "cost" in field}
        made = {**more_rates(name, made), **made}
        if SEARCHES_ALWAYS.fullmatch(name):
            made["input_cost_per_request"] = next(iter(searches(made["search_context_cost_per_query"]).values()))
        found[name] = made
    return found


def more_rates(name: str, row: Row) -> Row:
    """The fees of its kind of models, and the rates of service tiers that are a multiple of the ordinary one: of chat."""
    found: Row = {}
    if "chat" not in row["mode"]:
        return found
    for fee in vendor_prices.FEES:
        if re.fullmatch(fee.models, name):
            found |= fee.rates
    for uplift in vendor_prices.UPLIFTS:
        if re.fullmatch(uplift.models, name):
            found |= uplifted(row, uplift)
    return found


def uplifted(row: Row, uplift: vendor_prices.Uplift) -> Row:
    """The rates of a service tier that is a multiple of the ordinary one."""
    ordinary = {field: Decimal(str(value)) for field, value in row.items() if field.endswith(("_cost_per_token", "_token_cost"))}
    return {f"{field}_{uplift.tier}": f"{(value * uplift.factor).normalize():f}" for field, value in ordinary.items()}


def by_resolution(rows: Mapping[str, Row]) -> dict[str, Row]:
    found = {}
    for name, row in rows.items():
        prices = {size: row[field] for size in RESOLUTIONS if (field := f"output_cost_per_image_{size}") in row}
        kept = {field: value for field, value in row.items() if field.removeprefix("output_cost_per_image_") not in RESOLUTIONS}
        found[name] = kept
        for size, price in prices.items():
            side = RESOLUTIONS[size]
            found[f"{name}#{side}-x-{side}"] = {"mode": row["mode"], "output_cost_per_image": price}
    return found


def replaced(rows: Mapping[str, Row]) -> dict[str, Row]:
    """The rows with the prices of the vendors' own pages in the place of the snapshot's; other facts of a model stay."""
    ours = dict(vendor_prices.rows())
    by_size = {name.partition("#")[0] for name in ours if "#" in name}
    rows = {name: row for name, row in rows.items() if "#" not in name or name.partition("#")[0] not in by_size}
    for name, priced in ours.items():
        kept = {field: value for field, value in rows.get(name, {}).items() if "cost" not in field}
        rows[name] = {**kept, **priced}
    return rows


def with_own_lines(rows: Mapping[str, Row]) -> dict[str, Row]:
    """A model that is priced by quality and size only, or by those that a vendor's page names, has on its own line the dearest."""
    found = dict(rows)
    for name, row in rows.items():
        model = name.partition("#")[0]
        if model != name and not any("per_token" in field for field in found.get(model, {})):
            own = found.get(model, {field: value for field, value in row.items() if "cost" not in field})
            costs = {field: dearest(own.get(field), value) for field, value in row.items() if "cost" in field}
            found[model] = {**own, **costs}
    return found


def dearest(known: Any, price: Any) -> Any:
    return price if known is None or Decimal(str(price)) > Decimal(str(known)) else known


def to_provider(source: str) -> str:
    return "vertex_ai" if source.startswith("vertex_ai-") else PROVIDER.get(source, source)


def to_name(key: str, source: str) -> str:
    """`provider/model` in our names; one prefix is stripped, since a model's own name may repeat it (`perplexity/sonar`)."""
    provider = to_provider(source)
    model = key.removeprefix(f"{source if key.startswith(f'{source}/') else provider}/")
    qualified = QUALIFIED.fullmatch(model)
    if not qualified:
        return f"{provider}/{model}"
    return f"{provider}/{qualified['model'].removeprefix(f'{provider}/')}#{qualified['qualifier']}"


def to_row(row: Row) -> Row:
    """One model's facts: limits, what it supports, rates as decimal strings by name, and cheaper hours if it has any."""
    facts: Row = {field: row[field] for field in LIMITS_AND_KIND if field in row}
    facts["supports"] = sorted(field.removeprefix("supports_") for field in row if field.startswith("supports_") and row[field])
    facts["rates"] = to_rates(row)
    if "off_peak_pricing" in row:
        facts["off_peak"] = to_off_peak(row["off_peak_pricing"])
    return facts


def to_rates(row: Row) -> dict[str, str]:
    rates = {
        field: without_noise(str(value))
        for field, value in row.items()
        if ("cost" in field or "multiplier" in field) and isinstance(value, str | int) and not DROPPED_RATES.fullmatch(field)
    }
    if "input_cost_per_token_cache_hit" in row:
        rates.setdefault("cache_read_input_token_cost", str(row["input_cost_per_token_cache_hit"]))
    rates |= searches(row.get("search_context_cost_per_query", {}))
    rates |= tiers(row.get("tiered_pricing", []))
    rates |= {f"{what}_multiplier": str(row["provider_specific_entry"][what]) for what in multipliers(row)}
    for special, ordinary in ORDINARY.items():
        plain = not any(field.startswith(f"{special}_") for field in rates)
        if plain and special in rates and rates[special] == rates.get(ordinary):
            del rates[special]
    return rates


def without_noise(rate: str) -> str:
    """A price without the last digits that a computation with doubles left: `1.0000000000000001e-07`."""
    if not rate[:1].isdigit() or len(Decimal(rate).as_tuple().digits) <= DIGITS_OF_A_DOUBLE:
        return rate
    return str(Context(prec=DIGITS_OF_A_DOUBLE).create_decimal(rate).normalize()).lower()


def multipliers(row: Row) -> list[str]:
    """What multiplies all rates of a row: Anthropic's fast mode, inference in the US."""
    return [what for what in ("fast", "us") if what in row.get("provider_specific_entry", {})]


def searches(by_size: Mapping[str, str]) -> dict[str, str]:
    """One rate where all sizes of the search context cost the same, as nearly always, else one for each size."""
    if len(set(by_size.values())) == 1:
        return {"search_context_cost_per_query": str(by_size["search_context_size_medium"])}
    sizes = {size.removeprefix("search_context_size_"): str(rate) for size, rate in by_size.items()}
    return {f"search_context_cost_per_query_{size}": rate for size, rate in sizes.items()}


def tiers(ranges: list[Row]) -> dict[str, str]:
    """Ranges of prompt sizes in the other way of writing them: the first is the base, the others `..._above_Nk_tokens`."""
    rates: dict[str, str] = {}
    for tier in ranges:
        start = int(float(tier["range"][0]))
        if start % 1000:
            raise ValueError(f"a tier starts at {start} tokens, which is not a whole number of thousands")
        suffix = f"_above_{start // 1000}k_tokens" if start else ""
        rates |= {f"{field}{suffix}": str(rate) for field, rate in tier.items() if "cost" in field}
    return rates


def to_off_peak(pricing: Row) -> Row:
    """Rates, and when they apply: [start, end) in minutes of the week, which begins on Monday at 00:00 UTC."""
    minutes: list[list[int]] = []
    for window in pricing["windows"]:
        hours = window["hours_utc"]
        for day in window["weekdays"]:
            for span in [hours] if isinstance(hours, str) else hours:
                start, end = (to_minutes(time) for time in span.split("-"))
                offset = (day - 1) * MINUTES_PER_DAY
                minutes.append([offset + start, offset + (end or MINUTES_PER_DAY)])
    return {"minutes": sorted(minutes), "rates": {field: str(rate) for field, rate in pricing.items() if "cost" in field}}


def to_minutes(time: str) -> int:
    hours, minutes = time.split(":")
    return int(hours) * 60 + int(minutes)


if __name__ == "__main__":
    main(sys.argv[1:])

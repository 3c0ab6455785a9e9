"""`haimaker models`: what a key may ask for, with prices and limits."""

from decimal import Decimal
from typing import Any

from .context import Context

TITLES = ("model", "mode", "input $/M", "output $/M", "context", "longest answer", "can")
MILLION = 1_000_000


def add(commands: Any) -> None:
    parser = commands.add_parser("models", help="what can be asked for, with prices and limits", description=__doc__)
    parser.add_argument("part", nargs="?", default="", help="only those with this in their name")
    parser.add_argument("--provider", help="only this provider's")
    parser.set_defaults(run=list_models)


def list_models(context: Context) -> int:
    part, provider = context.arguments.part, context.arguments.provider
    models = [
        model
        for model in context.api_client().get("/models")["data"]
        if part in model["id"] and provider in (None, model["id"].partition("/")[0])
    ]
    rows = (
        (
            model["id"],
            model.get("mode"),
            _per_million(model.get("input_cost_per_token")),
            _per_million(model.get("output_cost_per_token")),
            model.get("max_input_tokens"),
            model.get("max_output_tokens"),
            " ".join(model.get("capabilities", ())),
        )
        for model in models
    )
    context.terminal.show(
        models, TITLES, rows, empty="None is served under this name; haimaker doctor shows which providers are on."
    )
    return 0


def _per_million(usd_per_token: float | None) -> str:
    return "" if usd_per_token is None else f"{(Decimal(repr(usd_per_token)) * MILLION).normalize():f}"

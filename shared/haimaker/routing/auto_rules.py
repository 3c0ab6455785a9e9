"""The definition of an automatic router: its rules, as `gateway.toml` and `/auto-router/…` write them. Pure values.

    name, model         what the rule is called, and the model or route that it chooses
    examples            texts that the last user message must be like, by an embedding model; `match_threshold`
    keywords            words, one of which must be in it
    keys, tags          aliases or ids of keys; tags of keys or of the request
    metadata            fields of the key's metadata, all of which must be so
    budget_used         the share of the key's budget that must have been spent
    required_capabilities, initial_turn_only, enabled, rule_order

A rule holds when all that it says does.
"""

from collections.abc import Mapping

from haimaker.lean_dataclasses import dataclass, field
from haimaker.models.names import AUTO, ROUTABLE
from haimaker.validation.toml_table import TomlTable

MAX_RULES = 100
MAX_EXAMPLES = 50
MATCH_THRESHOLD = 0.8
CAPABILITIES = ("vision", "function_calling", "response_schema", "audio_input", "pdf_input", "web_search", "reasoning")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. A condition that is empty or None is always met."""

    name: str
    model: str
    id: str = ""
    examples: tuple[str, ...] = ()
    match_threshold: float = MATCH_THRESHOLD
    keywords: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    budget_used: float | None = None
    required_capabilities: tuple[str, ...] = ()
    initial_turn_only: bool = False
    enabled: bool = True
    rule_order: int = 0

    @property
    def trigger(self) -> str:
        """What kind of condition decides, in a word, for a record."""
        said = (
            ("example", self.examples), ("keyword", self.keywords), ("key", self.keys), ("tag", self.tags),
            ("metadata", self.metadata), ("budget", self.budget_used is not None),
        )  # fmt: skip
        return next((name for name, value in said if value), "always")


@dataclass(frozen=True, slots=True)
class AutoRouterDefinition:
    """The rules of an auto router, and the model that it chooses when no rule matches."""

    name: str = ""
    source: str = ""
    """Where it was written: `gateway.toml`, or the router's id."""
    default_model: str | None = None
    embedding_model: str | None = None
    rules: tuple[Rule, ...] = ()


NO_RULES = AutoRouterDefinition()


def read_definition(table: TomlTable, source: str) -> AutoRouterDefinition:
    """A definition from a table of TOML or JSON. Raises TomlError, which names the field."""
    name = table.get_str("router_name", source)
    default = table.pop("default_model")
    embedding = table.pop("embedding_model")
    for field_name, value in (("default_model", default), ("embedding_model", embedding)):
        if value is not None and (not isinstance(value, str) or not value or len(value) > 512 or value == AUTO):
            raise table.error(field_name, "must be a model's name")
    rules = table.get_tables("rules", read_rule)
    if len(rules) > MAX_RULES:
        raise table.error("rules", f"must be at most {MAX_RULES}")
    if any(rule.examples for rule in rules) and not embedding:
        raise table.error("embedding_model", "must name the embedding model that the rules' examples are compared by")
    return AutoRouterDefinition(name, source, default, embedding, tuple(rules))


def read_rule(table: TomlTable) -> Rule:
    model = table.get_str("model", pattern=ROUTABLE, example="openai/gpt-4o-mini")
    if model == AUTO:
        raise table.error("model", "can't be a router itself")
    capabilities = table.get_strs("required_capabilities", pattern="|".join(CAPABILITIES), example=CAPABILITIES[0])
    examples = table.get_strs("examples", example="a message", pattern=r"(?s).{1,2000}")
    if len(examples) > MAX_EXAMPLES:
        raise table.error("examples", f"must be at most {MAX_EXAMPLES}")
    budget_used = table.pop("budget_used")
    if budget_used is not None and (
        isinstance(budget_used, bool) or not isinstance(budget_used, int | float) or not 0 <= budget_used <= 1
    ):
        raise table.error("budget_used", "must be a share from 0 to 1")
    metadata = TomlTable((*table.place, "metadata"), table.pop("metadata", {}))
    return Rule(
        name=table.get_str("name", model),
        model=model,
        id=table.get_str("id", "-", pattern=r"[\w-]{1,64}"),
        examples=examples,
        match_threshold=table.get_float("match_threshold", MATCH_THRESHOLD, 1),
        keywords=table.get_strs("keywords"),
        keys=table.get_strs("keys"),
        tags=table.get_strs("tags"),
        metadata={name: metadata.get_str(name) for name in sorted(metadata.own)},
        budget_used=budget_used,
        required_capabilities=capabilities,
        initial_turn_only=table.get_bool("initial_turn_only"),
        enabled=table.get_bool("enabled", True),
        rule_order=table.get_int("rule_order", 0, -1_000_000, 1_000_000),
    )

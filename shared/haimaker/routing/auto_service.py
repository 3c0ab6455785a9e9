"""Reads what `haimaker/auto` needs for its choice: the router of a key, the budget, vectors of texts.

`auto_router.py` chooses. This module is imported when it is first needed, and caches definitions for a minute.
"""

import json
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from threading import Lock

from haimaker.http.errors import APIError, BadGatewayError, BadRequestError
from haimaker.http.request_ids import new_request_id
from haimaker.http.sse import dumps
from haimaker.http.values import Request, Response
from haimaker.lean_dataclasses import dataclass, field
from haimaker.operations.operation import OperationRequest
from haimaker.routing.auto_router import AutoChoice, AutoRouter, RuleInput
from haimaker.routing.auto_rules import NO_RULES, AutoRouterDefinition, read_definition
from haimaker.routing.context import RoutingContext
from haimaker.routing.preferences import NO_PREFERENCES
from haimaker.routing.router import Router
from haimaker.routing.routing_request import RoutingRequest
from haimaker.store import Account, Store
from haimaker.validation.toml_table import TomlTable, read_whole

ROUTER_DOCUMENTS = "router"
"""The kind of the documents in the store that hold definitions of routers."""
CACHE_S = 60.0
MAX_CACHED = 1_000

Answer = Callable[[Request, RoutingRequest, Account], Response]
"""Answers a request of a key as the gateway does. Raises APIError."""


@dataclass(slots=True)
class AutoRouterService:
    """Chooses models for one set of providers."""

    router: Router
    store: Store
    answer: Answer
    clock: Callable[[], float] = time.monotonic
    _auto_router: AutoRouter = field(init=False)
    _definitions: dict[str, tuple[float, AutoRouterDefinition | None]] = field(default_factory=dict)
    _vectors: OrderedDict[tuple[str, str], Sequence[float]] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self._auto_router = AutoRouter(self.router)

    def choose(
        self,
        asked: OperationRequest,
        account: Account,
        context: RoutingContext,
        tags: frozenset[str],
        definition: AutoRouterDefinition | None,
    ) -> AutoChoice:
        """The model for a request, by `definition` or else by the key's own router. Raises BadRequestError if no model can do it,
        StoreUnavailable."""
        if not asked.is_text:
            raise BadRequestError("Only a chat or a completion can leave the choice of a model to the gateway.", param="model")
        definition = definition or self._definition(account)
        rule_input = RuleInput(
            asked.body,
            frozenset(filter(None, (account.alias, account.name, account.id.partition("#")[2]))),
            tags | frozenset(account.tags),
            account.metadata,
            lambda: self._budget_used(account),
        )

        def embed(texts: Sequence[str]) -> Sequence[Sequence[float]] | None:
            return self._embed(definition.embedding_model or "", account, texts)

        choice = self._auto_router.choose(definition, rule_input, context, embed)
        if choice is None:
            required = f" with {', '.join(sorted(context.required))}" if context.required else ""
            message = (
                f"No model that this key may use, and that is on here, can do this{required} for {context.prompt_tokens} tokens."
            )
            raise BadRequestError(message, param="model", code="no_capable_model")
        return choice

    def _definition(self, account: Account) -> AutoRouterDefinition:
        """The key's router; without one, or if that was deleted, the one of `gateway.toml`."""
        router_id = account.routing.get("auto_router_id")
        found = self._cached_definition(str(router_id)) if router_id else None
        return found or self.router.config.auto or NO_RULES

    def _cached_definition(self, router_id: str) -> AutoRouterDefinition | None:
        known = self._definitions.get(router_id)
        if known is None or self.clock() >= known[0]:
            document = self.store.documents.get(ROUTER_DOCUMENTS, router_id)
            known = (self.clock() + CACHE_S, parse_definition(router_id, document.body) if document else None)
            self._definitions[router_id] = known
        return known[1]

    def _budget_used(self, account: Account) -> float:
        balance = self.store.get(account.id) if account.budget_nanousd else None
        return balance.spend_nanousd / account.budget_nanousd if balance and account.budget_nanousd else 0.0

    def _embed(self, model: str, account: Account, texts: Sequence[str]) -> Sequence[Sequence[float]] | None:
        """The vectors of the texts, from the cache where it has them; None if the embedding model failed."""
        missing = [text for text in dict.fromkeys(texts) if (model, text) not in self._vectors]
        if missing:
            try:
                found = self._fetch_vectors(model, account, missing)
            except APIError:
                return None
            with self._lock:
                self._vectors.update(zip(((model, text) for text in missing), found, strict=True))
        vectors = [self._vectors[model, text] for text in texts]
        alike = len({len(vector) for vector in vectors}) == 1
        with self._lock:
            while len(self._vectors) > MAX_CACHED:
                self._vectors.popitem(last=False)
        return vectors if alike else None

    def _fetch_vectors(self, model: str, account: Account, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """Asks the router's embedding model and charges the key for it. The key's list of models need not have that model."""
        from haimaker.adapters.vectors import vectors_of
        from haimaker.operations.embeddings import parse

        request = Request(new_request_id(), body=dumps({"model": model, "input": list(texts)}))
        routing_request = RoutingRequest(parse(request), NO_PREFERENCES, request.id, "", time.time(), any_model_allowed=True)
        response = self.answer(request, routing_request, account)
        raw = response.body if isinstance(response.body, bytes) else b"".join(response.body)
        found = json.loads(raw).get("data")
        vectors = vectors_of([each["embedding"] for each in found] if isinstance(found, list) else None)
        if len(vectors) != len(texts):
            raise BadGatewayError("The embedding model did not answer for each text.", code="invalid_provider_response")
        return vectors


def parse_definition(router_id: str, body: dict[str, object]) -> AutoRouterDefinition:
    """A stored definition; it was validated when it was written. Raises TomlError."""
    return read_whole(TomlTable((), body), partial(read_definition, source=router_id))

"""What `haimaker/auto` needs from outside to choose: the router of a key, its budget, vectors of texts.

`auto.py` chooses. This module is imported when that is asked for; what it has read it keeps for a minute.
"""

import json
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from threading import Lock

from haimaker.http.errors import APIError, BadGatewayError, BadRequestError
from haimaker.http.sse import dumps
from haimaker.http.values import Request, Response
from haimaker.operations.operation import OperationRequest
from haimaker.routing.auto_router import Choice, Chooser, Subject
from haimaker.routing.auto_rules import NO_RULES, Definition, read
from haimaker.routing.context import Situation
from haimaker.routing.decider import Question
from haimaker.routing.preferences import NONE
from haimaker.routing.router import Router
from haimaker.store import Account, Store
from haimaker.validation.toml_table import Table, whole

KIND = "router"
"""Of documents in the store."""
KEPT_S = 60.0
MOST_KEPT = 1_000

Answer = Callable[[Request, Question, Account], Response]
"""The gateway's way to answer a request of a key."""


@dataclass(slots=True)
class Choosing:
    """Chooses for one set of providers."""

    router: Router
    store: Store
    answer: Answer
    clock: Callable[[], float] = time.monotonic
    _chooser: Chooser = field(init=False)
    _definitions: dict[str, tuple[float, Definition | None]] = field(default_factory=dict)
    _vectors: OrderedDict[tuple[str, str], Sequence[float]] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self._chooser = Chooser(self.router)

    def choose(
        self, asked: OperationRequest, account: Account, at: Situation, tags: frozenset[str], definition: Definition | None
    ) -> Choice:
        """By a definition, or else that of the key. Raises BadRequestError if nothing can do it, StoreUnavailable."""
        if not asked.is_text:
            raise BadRequestError("Only a chat or a completion can leave the choice of a model to the gateway.", param="model")
        definition = definition or self._definition(account)
        subject = Subject(
            asked.body,
            frozenset(filter(None, (account.alias, account.name, account.id.partition("#")[2]))),
            tags | frozenset(account.tags),
            account.metadata,
            lambda: self._budget_used(account),
        )

        def embed(texts: Sequence[str]) -> Sequence[Sequence[float]] | None:
            return self._embedded(definition.embedding_model or "", account, texts)

        choice = self._chooser.choose(definition, subject, at, embed)
        if choice is None:
            needs = f" with {', '.join(sorted(at.needs))}" if at.needs else ""
            message = f"No model that this key may use, and that is on here, can do this{needs} for {at.prompt_tokens} tokens."
            raise BadRequestError(message, param="model", code="no_capable_model")
        return choice

    def _definition(self, account: Account) -> Definition:
        """The key's router; where it has none, or that one is gone, what `gateway.toml` says."""
        router_id = account.routing.get("auto_router_id")
        found = self._kept(str(router_id)) if router_id else None
        return found or self.router.config.auto or NO_RULES

    def _kept(self, router_id: str) -> Definition | None:
        known = self._definitions.get(router_id)
        if known is None or self.clock() >= known[0]:
            document = self.store.documents.get(KIND, router_id)
            known = (self.clock() + KEPT_S, definition_of(router_id, document.body) if document else None)
            self._definitions[router_id] = known
        return known[1]

    def _budget_used(self, account: Account) -> float:
        balance = self.store.get(account.id) if account.budget_nanousd else None
        return balance.spend_nanousd / account.budget_nanousd if balance and account.budget_nanousd else 0.0

    def _embedded(self, model: str, account: Account, texts: Sequence[str]) -> Sequence[Sequence[float]] | None:
        """Vectors, those that are known from before; None if they can't be had."""
        missing = [text for text in dict.fromkeys(texts) if (model, text) not in self._vectors]
        if missing:
            try:
                found = self._vectors_of(model, account, missing)
            except APIError:
                return None
            with self._lock:
                self._vectors.update(zip(((model, text) for text in missing), found, strict=True))
        vectors = [self._vectors[model, text] for text in texts]
        alike = len({len(vector) for vector in vectors}) == 1
        with self._lock:
            while len(self._vectors) > MOST_KEPT:
                self._vectors.popitem(last=False)
        return vectors if alike else None

    def _vectors_of(self, model: str, account: Account, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """An embedding of the deployer's choice, so the key need not have its model in its list; it is charged like any other."""
        from haimaker.adapters.vectors import vectors_of
        from haimaker.operations.embeddings import parse

        request = Request(str(uuid.uuid4()), body=dumps({"model": model, "input": list(texts)}))
        question = Question(parse(request), NONE, request.id, "", time.time(), trusted=True)
        response = self.answer(request, question, account)
        raw = response.body if isinstance(response.body, bytes) else b"".join(response.body)
        found = json.loads(raw).get("data")
        vectors = vectors_of([each["embedding"] for each in found] if isinstance(found, list) else None)
        if len(vectors) != len(texts):
            raise BadGatewayError("The embedding model did not answer for each text.", code="invalid_provider_response")
        return vectors


def definition_of(router_id: str, body: dict[str, object]) -> Definition:
    """A stored definition; it was checked when it was written. Raises Mistake."""
    return whole(Table((), body), partial(read, source=router_id))

"""Batches of providers' own for the lines of ours: which lines may be in one, the calls about one, and what its answers cost.

An answer of such a batch is the answer of an ordinary request that was sent already: it goes through the path of every request from
its reservation on, which draws from the pool of our batch, and is refused by nothing.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING

from haimaker import adapters
from haimaker.accounts.cache import BilledAccounts
from haimaker.adapters.batch_formats import LINK
from haimaker.api import formats
from haimaker.batches.native import NativeCall
from haimaker.billing import admission, estimates
from haimaker.billing.estimates import Affordable
from haimaker.billing.reservations import reservations_for
from haimaker.http.errors import APIError, ServiceUnavailableError
from haimaker.http.json import as_object
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, Request, UpstreamRequest, UpstreamResponse
from haimaker.lean_dataclasses import dataclass, replace
from haimaker.operations.attempt import Attempt
from haimaker.operations.client_format import ClientFormat
from haimaker.operations.operation import OperationRequest
from haimaker.providers.provider import BatchAccount, NativeBatches
from haimaker.routing.config import BatchSettings
from haimaker.routing.planner import Decision, Planner
from haimaker.routing.routing_request import RoutingRequest
from haimaker.store import NO_LIMIT, UNLIMITED, Account, Granted, Reservation
from haimaker.upstream.call import forwarded_headers
from haimaker.upstream.single_call import open_link, open_once

if TYPE_CHECKING:
    from haimaker.services import Services

LASTS_S = 86_400
"""Of what a line reserves while its answer is read; the same however often that is tried."""
CALL_S = 300.0
"""Of a call with many requests or answers in it."""
ELSEWHERE = ("previous_response_id", "conversation", "background")
"""Fields of a request to Responses that lead to something besides its answer."""


@dataclass(frozen=True, slots=True)
class ProviderBatches:
    services: "Services"
    read: Callable[[Request, Account, ClientFormat], tuple[Request, RoutingRequest]]
    """Reads a request of a key with all that it names. Raises APIError."""

    @property
    def settings(self) -> BatchSettings:
        return self.services.settings.config.batches

    def are_on(self) -> bool:
        """Whether any provider that is on has batches."""
        return self.settings.native and any(provider.batches for provider in self.services.runtime().router.providers)

    def rules(self, provider: str) -> NativeBatches:
        """Raises ServiceUnavailableError where the provider is gone."""
        definition = self.services.runtime().router.definition(provider)
        if definition is None or definition.batches is None:
            raise ServiceUnavailableError(f"The provider {provider!r} is not configured any more.")
        return definition.batches

    def to_call(self, operation: str, request: Request, account: Account) -> NativeCall | None:
        """The call that asks a line's first target; None where it can't be in a batch of its provider's, or costs no less there.
        Raises APIError."""
        read, routing_request = self.read(request, account, formats.find(operation))
        asked = routing_request.asked
        if read.body is not request.body or (asked.original and any(asked.original.body.get(name) for name in ELSEWHERE)):
            return None
        runtime = self.services.runtime()
        billed = self.services.accounts.billed_accounts(account, asked.fields.user)
        attempt = runtime.planner.plan(routing_request, billed).plan.attempts[0]
        definition = runtime.router.definition(attempt.provider.name)
        rules = definition.batches if definition else None
        if rules is None or not _at_batch_rates(attempt, rules).model_info.has_batch_rates:
            return None
        deployment = self.settings.deployments.get(attempt.target, "")
        if (
            (rules.needs_deployment and not deployment)
            or not self._has_all(attempt.provider.name, rules)
            or (asked.inlines_images(attempt) and _has_links(asked))
        ):
            return None
        sent = _sent_alone(asked, attempt)
        if sent is None:
            return None
        told, _ = forwarded_headers(attempt.provider.dialect, sent.headers, request.headers)
        return _in_batch(replace(sent, headers={**sent.headers, **told}), attempt, rules, deployment)

    def send(self, provider: str, call: UpstreamRequest, headers: Mapping[str, str]) -> UpstreamResponse:
        """Raises APIError where there is no answer; TransportError while its body is read."""
        runtime, rules = self.services.runtime(), self.rules(provider)
        definition = runtime.router.definition(provider)
        if definition is None or provider not in runtime.clients.access:
            raise ServiceUnavailableError(f"The provider {provider!r} is not configured any more.")
        if call.host == LINK:
            return open_link(runtime.clients, definition, call, CALL_S)
        if call.host:
            host = rules.hosts[call.host]
            return open_once(
                runtime.clients, replace(definition, endpoint=host.endpoint, auth=host.auth), call, Request(""), CALL_S
            )
        place = replace(definition.endpoint, path=rules.path or definition.endpoint.path)
        call = replace(call, headers={**headers, **call.headers})
        return open_once(runtime.clients, replace(definition, endpoint=place), call, Request(""), CALL_S)

    def _has_all(self, provider: str, rules: NativeBatches) -> bool:
        """Whether the deployer named all that the provider's batches need, and gave credentials that open it."""
        named = self.settings.accounts.get(provider, BatchAccount())
        if not all(getattr(named, name) for name in rules.needs):
            return False
        return not rules.needs_signature or self.services.runtime().clients.access[provider].api_key is None

    def reserve(
        self, request: Request, routing_request: RoutingRequest, account: Account, planner: Planner
    ) -> tuple[Decision, BilledAccounts, Granted, Affordable]:
        """Reserves for a line that was answered. It is the same reservation however often it is tried, and none once there is a
        record. Raises NotFoundError."""
        services, asked, batch = self.services, routing_request.asked, request.batch
        assert batch
        assert batch.answer
        try:
            billed = services.accounts.billed_accounts(account, asked.fields.user)
        except APIError:  # whoever else would pay is gone
            billed = BilledAccounts(account, None, None)
        decision = planner.plan_target(routing_request, billed, batch.answer.target)
        attempts = [_at_batch_rates(attempt, self.rules(attempt.provider.name)) for attempt in decision.plan.attempts]
        decision = decision._replace(plan=replace(decision.plan, attempts=tuple(attempts)))
        full_name, told_s = planner.router.full_name, batch.answer.told_s
        wanted = [
            _answered(reservation)
            for reservation in reservations_for(
                asked,
                attempts,
                names={asked.model, full_name(asked.model)},
                full_name=full_name,
                billed=billed,
                request_id=request.id,
                now_s=told_s,
                deadline_s=int(told_s) + LASTS_S,
                default_output_tokens=services.settings.default_max_output_tokens,
                pool=batch.batch_id,
            )
        ]
        first, *others = wanted
        whole, record = replace(first, siblings=tuple(others)), services.store.record(request.id)
        if record:
            services.store.settle(whole, record, 0)  # who wrote it may have died before all was charged
        elif isinstance(outcome := admission.reserve(services.store, wanted), Granted):
            return decision, billed, outcome, estimates.NO_LIMITS
        return decision, billed, Granted(whole, UNLIMITED, UNLIMITED), estimates.NO_LIMITS


def _at_batch_rates(attempt: Attempt, rules: NativeBatches) -> Attempt:
    percent = rules.percent if not rules.models or attempt.model in rules.models else 0
    return replace(attempt, model_info=attempt.model_info.with_batch_rates(percent, cached_as_input=rules.cached_as_input))


class _Linked(Exception):
    """A request has an image that is a link."""


def _has_links(asked: OperationRequest) -> bool:
    """Whether it has images that would be fetched for its provider, and again when its answer is read."""

    def fetch(url: str, param: str) -> str:
        raise _Linked

    try:
        asked.with_inline_images(fetch)
    except _Linked:
        return True
    return False


def _sent_alone(asked: OperationRequest, attempt: Attempt) -> UpstreamRequest | None:
    """The one call that a request is, whose answer comes whole; None if it is anything else."""
    adapter = adapters.find(asked, attempt)
    most_at_once = getattr(adapter, "most_at_once", None)
    parts = asked.split(attempt, most_at_once(attempt) if most_at_once else None)
    if len(parts) != 1 or asked.response != "json" or hasattr(adapter, "from_bytes"):
        return None
    return adapter.to_upstream(parts[0], attempt)


def _in_batch(sent: UpstreamRequest, attempt: Attempt, rules: NativeBatches, deployment: str) -> NativeCall | None:
    body = json.loads(sent.body)
    if sent.version or not sent.path.endswith(rules.takes) or any(body.get(name) is not None for name in rules.lacks):
        return None
    if deployment:
        body["model"] = deployment
    headers = {name: value for name, value in sent.headers.items() if name != "content-type"}
    if headers and rules.hosts:
        return None  # its lines have none
    provider, model = attempt.provider.name, deployment or attempt.model
    alike = _digest(body, rules.alike) if rules.alike else ""
    given = body.get("input") if rules.most_inputs else None
    inputs = len(given) if isinstance(given, list) and given and not isinstance(given[0], int) else 1
    wanted = dumps(body) if deployment else sent.body
    return NativeCall(provider, attempt.target, sent.path, model, headers, wanted, inputs, alike)


def _digest(body: JSON, names: Sequence[str]) -> str:
    """A digest of these fields of a body; `a.b` is a field of an object."""
    found = []
    for name in names:
        value: object = body
        for field in name.split("."):
            value = as_object(value).get(field)
        found.append(value)
    return blake2b(dumps(found), digest_size=8).hexdigest()  # type: ignore[arg-type]


def _answered(reservation: Reservation) -> Reservation:
    models = tuple(replace(hold, tokens=0, requests=0, limit=NO_LIMIT) for hold in reservation.models)
    return replace(reservation, answered=True, version=0, tokens=0, models=models)

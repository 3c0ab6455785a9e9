"""What every operation works with: the settings, the store, who has a key, and which providers are on."""

import time
from abc import abstractmethod
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from haimaker.accounts.cache import AccountCache, BilledAccounts
from haimaker.accounts.keys import admin_id
from haimaker.content.content import ContentLogging
from haimaker.credentials.access import ProviderConnection
from haimaker.credentials.sources import Credentials
from haimaker.http.client import HTTPClient
from haimaker.http.errors import APIError
from haimaker.http.values import Request, Response
from haimaker.lean_dataclasses import dataclass, field
from haimaker.models.catalog import Place
from haimaker.models.table import Table, current_table
from haimaker.observability.observer import Observer
from haimaker.observability.refusals import RefusalCounter
from haimaker.operations.client_format import ClientFormat
from haimaker.providers.registry import NAMES, ONLINE, get
from haimaker.routing.circuit_breaker import CircuitBreaker
from haimaker.routing.health import Health
from haimaker.routing.planner import Decision, Planner
from haimaker.routing.router import Router
from haimaker.routing.routing_request import RoutingRequest
from haimaker.routing.shared_health import SharedHealth
from haimaker.settings.price_updates import PriceUpdates
from haimaker.settings.settings import Settings
from haimaker.store import Account, Granted, Store
from haimaker.upstream.clients import ProviderClients

if TYPE_CHECKING:
    from haimaker.accounts.oidc import IdentityProvider
    from haimaker.batches import BatchService
    from haimaker.billing.unsettled import Unsettled
    from haimaker.routing.auto_service import AutoRouterService
    from haimaker.upstream.exchange import Exchange


class Runtime(NamedTuple):
    """What the credentials allow: where a model may be served, and how to get there."""

    router: Router
    clients: ProviderClients
    planner: Planner
    prices: Table


@dataclass(slots=True)
class Services:
    """What every operation works with, in one process or one environment of a function."""

    settings: Settings
    store: Store
    credentials: Credentials
    observer: Observer = field(default_factory=Observer)
    accounts: AccountCache = field(init=False)
    content: ContentLogging = field(init=False)
    refusals: RefusalCounter = field(init=False)
    prices: PriceUpdates = field(init=False)
    batches: "BatchService | None" = field(default=None, repr=False)
    """What works on batches."""
    unsettled: "Unsettled | None" = field(default=None, repr=False)
    """What settles requests that the store failed, in a process that goes on."""
    writes_everywhere: bool = False
    """Whether every operation may write to the store: in a process of its own, not in a function with a role."""
    public_catalog: tuple[Runtime, bytes] | None = field(default=None, repr=False)
    """What anybody may be shown of a runtime's models, made once."""
    identity_provider: "IdentityProvider | None" = None
    """Where people sign in to the console, once somebody did."""
    _runtime: Runtime | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.observer.alert_webhook, self.observer.proxies = self.settings.alert_webhook, self.settings.proxies
        self.accounts = AccountCache(self.store, admin_id(self.settings.admin_key), self.settings.user_budget)
        self.content = ContentLogging(self.settings, self.observer)
        self.refusals = RefusalCounter(self.store.documents)
        self.prices = PriceUpdates(self.store.documents, self.observer)

    def runtime(self) -> Runtime:
        """The providers that are on now, and the newest prices. Raises ServiceUnavailableError if credentials can't be read."""
        self.prices.refresh_in_background()
        access = self.credentials.current()
        runtime = self._runtime
        if runtime is None or runtime.clients.access is not access or runtime.prices is not current_table():
            on = [get(name) for name in NAMES if name in access or (self.settings.demo and name not in ONLINE)]
            on += [account.definition for name, account in self.settings.config.accounts.items() if name in access]
            http_client, health = (
                (runtime.clients.http_client, runtime.clients.health)
                if runtime
                else (HTTPClient(self.settings.proxies), self._health())
            )
            self._runtime = runtime = self._build_runtime(
                Router(self.settings.config, on, _places(access)), ProviderClients(http_client, access, health, self.settings)
            )
        return runtime

    def _health(self) -> Health:
        shared = SharedHealth(self.store.documents)
        return Health(CircuitBreaker(self.settings.config.circuit_breaker, shared, self._tell_of_circuit))

    def _tell_of_circuit(self, target: str, until_s: float, is_first: bool) -> None:
        """Tells the log each time, and the webhook once."""

        def is_told() -> bool:
            from haimaker.observability.alerts import claim_circuit

            return is_first and claim_circuit(self.store.documents, target, time.time())

        self.observer.circuit_opened(target, until_s, is_told)

    def _build_runtime(self, router: Router, clients: ProviderClients) -> Runtime:
        @cache
        def auto_service() -> "AutoRouterService":
            from haimaker.routing.auto_service import AutoRouterService

            return AutoRouterService(router, self.store, self.answer)

        planner = Planner(router, clients.health, self.settings.default_max_output_tokens, auto_service)
        return Runtime(router, clients, planner, current_table())

    def places(self) -> Mapping[str, Place]:
        """The places of the providers that are on; none where the credentials can't be read."""
        try:
            return _places(self.credentials.current())
        except APIError:
            return {}

    @property
    def is_function(self) -> bool:
        """Whether this is a function of AWS, whose invocations end after a while."""
        return bool(self.settings.function_name)

    @abstractmethod
    def exchange(
        self,
        request: Request,
        routing_request: RoutingRequest,
        billed: BilledAccounts,
        decision: Decision,
        admitted: Granted,
        client_format: ClientFormat,
        runtime: Runtime,
        begun_s: float,
    ) -> "tuple[Exchange, float, float]":
        """What is to be done for an admitted request that was begun at a time, and until when it has to begin and to end, all
        monotonic. The runtime is the one that it was planned with."""

    @abstractmethod
    def answer(self, request: Request, routing_request: RoutingRequest, account: Account) -> Response:
        """A request of a key that the gateway makes itself, in the format of its operation. Raises APIError."""


def _places(access: Mapping[str, ProviderConnection]) -> dict[str, Place]:
    return {name: found.place for name, found in access.items()}

"""The path of a request, top to bottom. Read this first.

    1 identify   accounts            whose key is it
    2 validate   operations          is it a request
    3 plan       routing             which targets, in which order
    4 admit      billing, store      one conditional write for each payer reserves the worst case
    5 translate  adapters            to the provider's format
    6 send       upstream, http      the next target on a retryable failure, until the first byte of an answer
    7 translate  adapters            back to OpenAI's
    8 settle     billing, store      one record, one charge; then the end of the answer is told

Steps 5 to 8 are an `Exchange`; a `Relay` stands between it and the door.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from haimaker.accounts.directory import Accounts, Payers, check_usable, refusal, unavailable
from haimaker.api import keys, models, uploads
from haimaker.api.dispatch import OPERATIONS
from haimaker.billing import admission
from haimaker.billing import estimates as limits
from haimaker.billing.estimates import Reservation
from haimaker.billing.settlement import Settlement
from haimaker.content.content import Content
from haimaker.credentials.access import Access
from haimaker.credentials.sources import Constant, Credentials, Stored
from haimaker.http.client import Cancel, Transport
from haimaker.http.errors import APIError, InternalServerError
from haimaker.http.responses import error_response, json_response
from haimaker.http.sse import dumps
from haimaker.http.values import Request, Response
from haimaker.models.catalog import Place
from haimaker.observability.observer import Observer
from haimaker.operations.chat import Accepted, Asked
from haimaker.operations.parsers import Parse
from haimaker.providers.provider import Provider
from haimaker.providers.registry import NAMES, ONLINE, all_providers, get
from haimaker.routing import deadlines as waits
from haimaker.routing import decider as deciding
from haimaker.routing.decider import Decider, Decision, Question
from haimaker.routing.health import Health
from haimaker.routing.plan import Plan
from haimaker.routing.router import Router
from haimaker.routing.shared_health import SharedHealth
from haimaker.settings.settings import Settings
from haimaker.store import UNLIMITED, Account, Admitted, Hold, Refused, Store, StoreUnavailable
from haimaker.upstream.attempts import Sender
from haimaker.upstream.call import Caller, Upstreams
from haimaker.upstream.exchange import Exchange
from haimaker.upstream.relay import ClientLeft, Relay

if TYPE_CHECKING:
    from haimaker.routing.auto_service import Choosing

LATE_S = 10
"""How long after a request's last moment its hold counts as lost."""
ADMISSION_TRIES = 3


class Reach(NamedTuple):
    """What the credentials allow: where a model may be served, and how to get there."""

    router: Router
    upstreams: Upstreams
    decider: Decider


@dataclass(slots=True)
class Gateway:
    """Every operation, for every door."""

    settings: Settings
    store: Store
    credentials: Credentials
    observer: Observer = field(default_factory=Observer)
    accounts: Accounts = field(init=False)
    content: Content = field(init=False)
    _reach: Reach | None = field(default=None, repr=False)
    _hub: tuple[Reach, bytes] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.accounts = Accounts(self.store, keys.admin_id(self.settings), self.settings.user_budget)
        self.content = Content(self.settings, self.observer)

    @classmethod
    def local(cls, settings: Settings) -> "Gateway":
        """A gateway in a process of its own: a laptop's or a container's. Raises SettingsError, StoreUnavailable."""
        from haimaker.settings.store import open_store

        store = open_store(settings)
        keys.install_admin(store, settings)
        return cls.over(settings, store)

    @classmethod
    def over(cls, settings: Settings, store: Store) -> "Gateway":
        return cls(settings, store, Constant(settings.access))

    @classmethod
    def from_environment(cls) -> "Gateway":
        """A gateway in a Lambda function: nothing is connected or read before the first request. Raises SettingsError."""
        settings = Settings.deployed()
        if settings.aws is None:
            return cls.local(settings)
        from haimaker.settings.store import stack_store

        observer = Observer(settings.service, metrics_on=True, dimensions=settings.metric_dimensions)
        credentials: Credentials = Constant(settings.access)
        if settings.providers_parameter:
            credentials = Stored(
                settings.providers_parameter, settings.aws, settings.environment, observer, accounts=settings.config.accounts
            )
        return cls(settings, stack_store(settings), credentials, observer)

    def handle(self, operation: str, request: Request) -> Response:
        """Answers a request of any kind; never raises."""
        try:
            return OPERATIONS[operation](self, request)
        except APIError as error:
            return self._refused(operation, request, error)
        except StoreUnavailable as error:
            self.observer.problem(str(error), request_id=request.id)
            return self._refused(operation, request, unavailable(error))
        except ClientLeft:
            return Response(499, {}, b"")
        except Exception as error:
            self.observer.crash(error, request_id=request.id)
            defect = InternalServerError("The gateway failed; this is a defect of ours.", code="internal_error")
            return self._refused(operation, request, defect)

    def _refused(self, operation: str, request: Request, error: APIError) -> Response:
        if not error.attempts:  # else it was admitted, and its record is told
            self.observer.refusal(operation, request.id, error)
        return error_response(error)

    def generate(self, request: Request, parse: Parse) -> Response:
        account = self.accounts.identify(request.headers)
        request = uploads.readable(request, self.settings)
        return self.answer(request, deciding.question(parse(request), request, time.time()), account)

    def answer(self, request: Request, question: Question, account: Account) -> Response:
        """An accepted request of a key. Raises APIError."""
        reach, asked, started_s = self.reach(), question.asked, question.now_s
        begun_s = time.monotonic()
        payers = self.accounts.payers(account, asked.fields.user)
        decision, payers, admitted = self._admit(question, payers, request, reach.decider)
        longest_s = waits.longest_s(request, decision.plan.timeout_s)
        end_s = begun_s + longest_s
        deadline_s = begun_s + min(longest_s, waits.patience_s(request))
        settlement = Settlement(self.store, admitted.hold, {**_about(asked, payers), **decision.told()}, started_s)
        making, telling = _classes(asked)
        caller = making(reach.upstreams, asked, request.headers, deadline_s, Cancel(), 0.0 if asked.form == "json" else end_s)
        sender = Sender(caller, decision.plan, reach.upstreams.health, settlement.trials)
        sender.hurried = question.wishes.hurries or waits.patience_s(request) < longest_s
        if payers.have_a_budget():
            default = self.settings.default_max_output_tokens
            sender.covers = lambda attempt: settlement.covers(limits.reserve(asked, [attempt], default).amount_nanousd)
        headers = _limit_headers(payers.key, admitted, started_s) | decision.headers()
        exchange = telling(sender, settlement, self.observer, headers)
        exchange.transcript = self.content.transcript(asked.body, payers.key, request.id)
        return Relay(request, exchange, deadline_s, end_s).response()

    def reach(self) -> Reach:
        """The providers that are on now. Raises ServiceUnavailableError if their credentials can't be read."""
        access = self.credentials.current()
        reach = self._reach
        if reach is None or reach.upstreams.access is not access:
            on = [get(name) for name in NAMES if name in access or (self.settings.demo and name not in ONLINE)]
            on += [account.row for name, account in self.settings.config.accounts.items() if name in access]
            transport, health = (reach.upstreams.transport, reach.upstreams.health) if reach else (Transport(), self._health())
            self._reach = reach = self._reached(
                Router(self.settings.config, on, _places(access)), Upstreams(transport, access, health, self.settings)
            )
        return reach

    def _health(self) -> Health:
        return Health(self.settings.config.resting, SharedHealth(self.store.documents))

    def _reached(self, router: Router, upstreams: Upstreams) -> Reach:
        @cache
        def choosing() -> "Choosing":
            from haimaker.routing.auto_service import Choosing

            return Choosing(router, self.store, self.answer)

        decider = Decider(router, upstreams.health, self.settings.default_max_output_tokens, choosing)
        return Reach(router, upstreams, decider)

    def _rows(self) -> Sequence[Provider]:
        """All providers that there are, also those that are off."""
        return (*all_providers(), *(account.row for account in self.settings.config.accounts.values()))

    def calculate(self, request: Request) -> Response:
        """Prices are known of providers that are off as well, at their default locations."""
        from haimaker.api import calculate  # nothing else needs it

        payers = self.accounts.payers(self.accounts.identify(request.headers, fresh=True))
        check_usable(payers.key, time.time())
        router = Router(self.settings.config, self._rows(), self._known_places())
        allowed = payers.models(router.full_name)
        return json_response(calculate.calculated(router, allowed, request, self.settings.default_max_output_tokens))

    def _known_places(self) -> Mapping[str, Place]:
        try:
            return _places(self.credentials.current())
        except APIError:
            return {}

    def hub(self) -> bytes:
        """The public catalogue; made once, since anybody may ask for it."""
        reach = self.reach()
        if self._hub is None or self._hub[0] is not reach:
            self._hub = (reach, dumps(models.hub(reach.router)))
        return self._hub[1]

    def _admit(self, question: Question, payers: Payers, request: Request, decider: Decider) -> tuple[Decision, Payers, Admitted]:
        """Plans and reserves; again if a payer was changed meanwhile, or if the rest of a budget pays for a shorter answer."""
        asked, affordable = question.asked, None
        for _ in range(ADMISSION_TRIES):
            try:
                decision = decider.decide(question, payers, affordable)
            except APIError:
                kept, payers = payers, self.accounts.payers(payers.key, asked.fields.user, fresh=True)
                if payers.versions() == kept.versions():
                    raise
                continue
            plan = decision.plan
            reservation = limits.reserve(asked, plan.all(), self.settings.default_max_output_tokens)
            admitted = admission.admit(self.store, _holds(request, payers, reservation, plan, question.now_s))
            if isinstance(admitted, Admitted):
                return decision, payers, admitted
            if admitted.account:
                self.accounts.keep(admitted.account)  # one that was blocked meanwhile is refused before its next request is read
            if admitted.reason in ("version", "unknown"):
                payers = self.accounts.payers(payers.key, asked.fields.user, fresh=True, new_user=True)
            elif not (affordable := self._affordable(asked, plan, admitted, affordable)):
                raise refusal(admitted, reservation.amount_nanousd, reservation.tokens)
        raise refusal(Refused("parallel", payers.key, retry_after_s=1), 0, 0)

    def _affordable(self, asked: Accepted, plan: Plan, refused: Refused, tried: int | None) -> int:
        """Output tokens that a second try could ask for; 0 if a shorter answer would not help."""
        if refused.reason != "budget" or tried is not None or not isinstance(asked, Asked) or asked.max_output_tokens is not None:
            return 0
        return limits.affordable_output_tokens(asked, plan.all(), refused.remaining_nanousd)


def _places(access: Mapping[str, Access]) -> dict[str, Place]:
    return {name: found.place for name, found in access.items()}


def _classes(asked: Accepted) -> tuple[type[Caller], type[Exchange]]:
    """What makes the calls of an operation, and what tells their answers."""
    if isinstance(asked, Asked):
        return Caller, Exchange
    from haimaker.upstream.operation_call import TaskCaller  # a function that generates text never needs them
    from haimaker.upstream.operation_exchange import TaskExchange

    return TaskCaller, TaskExchange


def _holds(request: Request, payers: Payers, reservation: Reservation, plan: Plan, now_s: float) -> list[Hold]:
    """The same on each account."""
    lasts_s = min(request.seconds_left(), plan.timeout_s + waits.MARGIN_S)
    deadline_s = int(now_s + lasts_s) + LATE_S
    amount, tokens, accounts = reservation.amount_nanousd, reservation.tokens, payers.all()
    ids = tuple(account.id for account in accounts) if len(accounts) > 1 else ()
    return [
        Hold(request.id, account.id, account.version, amount, tokens, now_s, deadline_s, ids, account.soft_budget_nanousd)
        for account in accounts
    ]


def _about(asked: Accepted, payers: Payers) -> Mapping[str, object]:
    """What a record says of the request itself; nothing of its content."""
    account, *others = payers.all()
    return {
        "operation": asked.operation,
        "asked_model": asked.model,
        "stream": asked.streams,
        "user": asked.fields.user,
        "key_name": account.name,
        "key_alias": account.alias,
        "team_id": account.team_id,
        "tags": list(account.tags),
        **({"charged": [other.id for other in others]} if others else {}),
    }


def _limit_headers(account: Account, admitted: Admitted, now_s: float) -> dict[str, str]:
    """https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers"""
    reset = f"{60 - int(now_s) % 60}s"
    headers = {}
    for name, limit, left in (
        ("requests", account.rpm_limit, admitted.requests_left),
        ("tokens", account.tpm_limit, admitted.tokens_left),
    ):
        if limit is not None and left < UNLIMITED:
            headers[f"x-ratelimit-limit-{name}"] = str(limit)
            headers[f"x-ratelimit-remaining-{name}"] = str(max(0, left))
            headers[f"x-ratelimit-reset-{name}"] = reset
    return headers

"""The path of a request, top to bottom. Read this first.

    1 identify   accounts            whose key is it
    2 validate   operations          is it a request
    3 plan       routing             which targets, in which order
    4 admit      billing, store      for each account that pays one conditional write reserves the worst case
    5 translate  adapters            to the provider's format
    6 send       upstream, http      the next target on a retryable failure, until the first byte of an answer
    7 translate  adapters            back to OpenAI's
    8 settle     billing, store      one record, one charge; then the end of the answer is told

Steps 5 to 8 are an `Exchange`; a `Relay` stands between it and the door. From there to the socket it is eight functions in four
files (`tests/unit/test_journey.py`):

    Gateway.handle → Gateway._answer                        gateway.py               1 to 4
    Exchange.run → AttemptLoop.first_success                upstream/exchange.py     which target, and 8
    UpstreamCall.open → UpstreamCall._send                  upstream/call.py         5 and 7
    HTTPClient.send → _exchange                             http/client.py           6
"""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from haimaker.accounts import keys as auth
from haimaker.accounts.cache import BilledAccounts
from haimaker.accounts.errors import check_usable, denied_error, store_error
from haimaker.api import formats, uploads
from haimaker.api.dispatch import CHANGING, HANDLERS, KEYLESS, TELLS_PRICES
from haimaker.api.file_references import with_files
from haimaker.api.paths import MODEL_OPERATIONS, with_key_of_query
from haimaker.billing import admission, estimates, model_limits
from haimaker.billing.estimates import Affordable
from haimaker.billing.reservations import reservations_for
from haimaker.billing.settlement import AttemptLog, Settlement
from haimaker.credentials.sources import Credentials, SSMCredentials, StaticCredentials
from haimaker.http.client import CancelToken
from haimaker.http.errors import APIError, InternalServerError
from haimaker.http.values import Request, Response
from haimaker.lean_dataclasses import dataclass, replace
from haimaker.observability.observer import Observer
from haimaker.operations.client_format import ClientFormat
from haimaker.operations.operation import TELEMETRY_NAMES, OperationRequest
from haimaker.routing import deadlines
from haimaker.routing.plan import Plan
from haimaker.routing.planner import Decision, Planner
from haimaker.routing.routing_request import RoutingRequest, read_routing_request
from haimaker.services import Runtime, Services
from haimaker.settings.settings import Settings
from haimaker.store import MAX_MODELS_HELD, UNLIMITED, Account, Denied, Granted, Store, StoreUnavailable
from haimaker.upstream.call import UpstreamCall
from haimaker.upstream.exchange import AttemptLoop, Exchange
from haimaker.upstream.relay import ClientLeft, Relay

if TYPE_CHECKING:
    from haimaker.api.provider_batches import ProviderBatches

LATE_S = 10
"""How long after a request's last moment its reservation counts as lost."""
ADMISSION_TRIES = 3
NOT_ALLOWED = (401, 403, 429)
LARGE_BYTES = 64 * 1024
"""Of a body that costs more to read than to ask whether its key may send any."""


@dataclass(slots=True)
class Gateway(Services):
    """Every operation, for every door."""

    @classmethod
    def local(cls, settings: Settings) -> "Gateway":
        """A gateway in a process of its own: a laptop's or a container's. Raises SettingsError, StoreUnavailable."""
        from haimaker.api import keys  # a function has no key in its settings
        from haimaker.billing.unsettled import Unsettled
        from haimaker.credentials.own_process import ProcessCredentials
        from haimaker.observability.provider_calls import ProviderCalls
        from haimaker.settings.store import open_store

        lost: list[int] = []
        store = open_store(settings, lost.append)
        keys.install_admin(store, settings)
        credentials = ProcessCredentials(
            settings.environment, settings.access, settings.config.accounts, settings.credentials_file, settings.file_variables
        )
        gateway = cls(settings, store, credentials)
        gateway.writes_everywhere = True
        gateway.unsettled = Unsettled(store, gateway.observer.settled_late)
        if settings.stored_folder:
            from haimaker.api.files import stored_files
            from haimaker.batches.runner import BatchRunner

            files, folder = stored_files(settings, store), settings.stored_folder / "batches"
            gateway.batches = BatchRunner(store, files, folder, gateway, gateway.observer)
        gateway.observer.provider_calls = ProviderCalls(store.documents)
        if settings.metrics_token:
            from haimaker.observability.prometheus import PrometheusMetrics

            gateway.observer.prometheus = PrometheusMetrics()
        for requests in lost:
            gateway.observer.reservations_lost(requests)
        if any(name.startswith("OTEL_") for name in settings.environment):
            from haimaker.observability import otlp

            gateway.observer.otlp = otlp.open_telemetry(settings.environment, settings.version, gateway.observer.error)
        return gateway

    @classmethod
    def from_store(cls, settings: Settings, store: Store) -> "Gateway":
        return cls(settings, store, StaticCredentials(settings.access))

    @classmethod
    def from_environment(cls) -> "Gateway":
        """A gateway in a Lambda function: nothing is connected or read before the first request. Raises SettingsError."""
        settings = Settings.deployed()
        if settings.aws is None:
            return cls.local(settings)
        from haimaker.settings.store import stack_store

        observer = Observer(settings.service, metrics_on=True, dimensions=settings.metric_dimensions)
        credentials: Credentials = StaticCredentials(settings.access)
        if settings.providers_parameter:
            credentials = SSMCredentials(
                settings.providers_parameter, settings.aws, settings.environment, observer, accounts=settings.config.accounts,
                takes=settings.takes_credentials,
            )  # fmt: skip
        return cls(settings, stack_store(settings, observer.access_denied), credentials, observer)

    def handle(self, operation: str, request: Request, account: Account | None = None) -> Response:
        """Answers a request of any kind; never raises. The account is that of a request which carries no key: a batch's."""
        request = with_key_of_query(operation, request)
        try:
            if "content-encoding" in request.headers and operation not in KEYLESS:
                from haimaker.http.content_encoding import decode_body  # few clients compress

                self.accounts.authenticate(request.headers)
                request = decode_body(request)
            if operation not in MODEL_OPERATIONS:
                if operation in TELLS_PRICES:
                    self.prices.refresh_before_answer()
                return HANDLERS[operation](self, request)
            client_format = formats.find(operation, request)
            account = account or self.accounts.authenticate(request.headers)
            if len(request.body) > LARGE_BYTES and not self.is_function:
                from haimaker.api import early_refusals  # few bodies are

                early_refusals.check_body(self, operation, request, account)
            request, asked = self.read(request, account, client_format)
            return self._answer(request, asked, account, client_format)
        except APIError as error:
            return self._error_response(operation, request, error)
        except StoreUnavailable as error:
            self.observer.error(str(error), request_id=request.id)
            return self._error_response(operation, request, store_error(error))
        except ClientLeft:
            return Response(499, {}, b"")
        except Exception as error:
            self.observer.exception(error, request_id=request.id)
            defect = InternalServerError("The gateway failed; this is a defect of ours.", code="internal_error")
            return self._error_response(operation, request, defect)

    def read(self, request: Request, account: Account, client_format: ClientFormat) -> tuple[Request, RoutingRequest]:
        """A request of a key with all that it names, and what it asks. Raises APIError."""
        request = self._with_allowed_ids(request)
        request = with_files(self, account, uploads.with_uploads(request, self.settings, account.id))
        asked = read_routing_request(client_format.parse(request), request, time.time())
        if asked.asked.is_text:
            from haimaker.api.formats import account_ids  # the functions of what is no text begin without it

            account_ids.refuse_in_chat(asked.asked.body, request.allowed_ids)
            if (asked.asked.original or asked.asked).body.get("container") is not None:
                from haimaker.api import containers  # few requests have one

                asked = containers.resume(self, account, asked, request)
        if client_format.resumes and asked.asked.original:
            from haimaker.api import stored_responses  # few formats go on from an earlier answer

            asked = stored_responses.resume(self, account, asked, request, client_format)
        return request, asked

    def _with_allowed_ids(self, request: Request) -> Request:
        allowed_ids = self.settings.config.allowed_ids
        return replace(request, allowed_ids=allowed_ids) if allowed_ids else request

    @property
    def provider_batches(self) -> "ProviderBatches":
        """Providers' own batches, for lines of ours."""
        from haimaker.api.provider_batches import ProviderBatches  # one process works on batches

        return ProviderBatches(self, self.read)

    def accounts_of(self, account_id: str) -> tuple[Account, ...]:
        """The account that a key has now, also one that was made anew, and its team's. Raises APIError."""
        account = self.accounts.read_newest(account_id).account
        check_usable(account, time.time())
        billed = self.accounts.billed_accounts(account)
        return (billed.key, billed.team) if billed.team else (billed.key,)

    def payers(self, operation: str, request: Request, account: Account) -> tuple[Account, ...]:
        """The accounts that a request of a key is charged to. Raises APIError."""
        parsed = formats.find(operation).parse(self._with_allowed_ids(request))
        return self.accounts.billed_accounts(account, parsed.fields.user).all()

    def bound(self, operation: str, request: Request, account: Account) -> int:
        """The most that a request of a key may cost, in nano-dollars. Raises APIError."""
        parsed = formats.find(operation).parse(self._with_allowed_ids(request))
        asked = read_routing_request(parsed, request, time.time())
        decision = self.runtime().planner.plan(asked, self.accounts.billed_accounts(account, asked.asked.fields.user))
        return estimates.bound_cost(asked.asked, decision.plan.all(), self.settings.default_max_output_tokens).amount_nanousd

    def refuse_unread(self, operation: str, request: Request) -> APIError | None:
        """Why the body of a request is not worth reading: its key is none of this gateway's, is blocked, or over a rate.
        Never raises."""
        if operation in KEYLESS:
            return None
        request = with_key_of_query(operation, request)
        try:
            account = self.accounts.authenticate(request.headers)
            if operation in MODEL_OPERATIONS:
                from haimaker.api import early_refusals  # only where a body is large

                early_refusals.check_rates(self, account)
        except APIError as error:
            self._count_refusal(operation, request, error)
            return error
        return None

    def _error_response(self, operation: str, request: Request, error: APIError) -> Response:
        if not error.attempts:  # else it was admitted, and its record is told
            self._count_refusal(operation, request, error)
        return formats.refuse(error, request.id, request.headers, operation)

    def _count_refusal(self, operation: str, request: Request, error: APIError) -> None:
        """Logs a refusal, and counts it: every one of what models serve; of the rest those of who may not, where it may be written,
        as the stack's functions that only read may not."""
        self.observer.denied(operation, request.id, error, request.headers, is_traced=operation in MODEL_OPERATIONS)
        if error.status >= 500:
            return
        if operation not in MODEL_OPERATIONS and not (
            error.status in NOT_ALLOWED and (self.writes_everywhere or operation in CHANGING)
        ):
            return
        owner = auth.owner_of(request.headers)
        self.refusals.add(owner if self.accounts.has_seen(owner) else "", error.code or error.type, time.time())

    def answer(self, request: Request, routing_request: RoutingRequest, account: Account) -> Response:
        """A request of a key that the gateway makes itself, in the format of its operation. Raises APIError."""
        return self._answer(request, routing_request, account, formats.find(routing_request.asked.operation))

    def _answer(self, request: Request, routing_request: RoutingRequest, account: Account, client_format: ClientFormat) -> Response:
        """An accepted request of a key. Raises APIError."""
        runtime, asked, begun_s = self.runtime(), routing_request.asked, time.monotonic()
        if request.batch and request.batch.answer:
            reserve = self.provider_batches.reserve
            decision, billed, admitted, affordable = reserve(request, routing_request, account, runtime.planner)
        else:
            billed = self.accounts.billed_accounts(account, asked.fields.user)
            decision, billed, admitted, affordable = self._reserve(routing_request, billed, request, runtime.planner)
        exchange, deadline_s, end_s = self.exchange(
            request, routing_request, billed, decision, admitted, client_format, runtime, begun_s
        )
        if asked.original and asked.original.background:
            from haimaker.api import background  # few requests are

            return background.begin(self, request, exchange, billed.key.id, affordable)
        sent = asked.original.body if asked.original else asked.body
        exchange.transcript = self.content.begin_conversation(sent, billed.key, request.id)
        return Relay(request, exchange, deadline_s, end_s).response()

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
    ) -> tuple[Exchange, float, float]:
        """What is to be done for an admitted request that was begun at a time, and until when it has to begin and to end, all
        monotonic. The runtime is the one that it was planned with."""
        asked, started_s = routing_request.asked, routing_request.now_s
        self.prices.used = True
        longest_s = deadlines.request_timeout_s(request, decision.plan.timeout_s)
        end_s = begun_s + longest_s
        deadline_s = begun_s + min(longest_s, deadlines.client_timeout_s(request))
        settlement = Settlement(
            self.store, admitted.reservation, {**_request_fields(request, asked, billed), **decision.to_record()}, started_s
        )
        call = UpstreamCall(
            runtime.clients, asked, request.headers, deadline_s, CancelToken(), 0.0 if asked.response == "json" else end_s
        )
        if request.batch and request.batch.answer:
            call.answer, settlement.record = request.batch.answer, self.store.record(request.id)
        attempts = AttemptLoop(call, decision.plan, runtime.clients.health, settlement.attempt_logs)
        attempts.has_client_timeout = routing_request.preferences.has_timeouts or deadlines.client_timeout_s(request) < longest_s
        if billed.have_budget() or model_limits.have_budget(admitted.reservation):
            default = self.settings.default_max_output_tokens
            attempts.can_afford = lambda attempt: settlement.reserve_more(
                sum(estimates.bound_cost(part, [attempt], default).amount_nanousd for part in call.unanswered_parts(attempt))
            )
            call.can_go_on = lambda attempt, used: settlement.reserve_more(
                estimates.bound_cost(asked, [attempt], default).amount_nanousd
                + (AttemptLog(attempt, time.time(), tokens=used).cost_nanousd() or 0)
            )
        headers = _limit_headers(billed.key, admitted, started_s) | decision.response_headers()
        exchange = Exchange(attempts, client_format, settlement, self.observer, headers, unsettled=self.unsettled)
        return exchange, deadline_s, end_s

    def _reserve(
        self, routing_request: RoutingRequest, billed: BilledAccounts, request: Request, planner: Planner
    ) -> tuple[Decision, BilledAccounts, Granted, Affordable]:
        """Plans and reserves; again if an account was changed meanwhile, or if the rest of a budget pays for a shorter answer."""
        asked, affordable = routing_request.asked, estimates.NO_LIMITS
        used_up = set[str]()  # targets whose model is limited, and not the one that is asked for
        for _ in range(ADMISSION_TRIES + MAX_MODELS_HELD):
            try:
                decision = planner.plan(routing_request, billed, affordable)
            except APIError:
                kept, billed = billed, self.accounts.billed_accounts(billed.key, asked.fields.user, fresh=True)
                if billed.versions() == kept.versions():
                    raise
                continue
            decision = decision._replace(plan=decision.plan.without(used_up))
            now_s, full_name = routing_request.now_s, planner.router.full_name
            lasts_s = min(request.seconds_left(), decision.plan.timeout_s + deadlines.MARGIN_S)
            if asked.original and asked.original.background:
                from haimaker.api import background_reading, background_worker  # few requests are

                decision = decision._replace(plan=background_worker.plan_for(asked, decision.plan, in_function=self.is_function))
                lasts_s = decision.plan.timeout_s + background_reading.WAITING_S
            plan = decision.plan
            reservations = reservations_for(
                asked,
                plan.all(),
                names={asked.model, decision.name, full_name(decision.name)},
                full_name=full_name,
                billed=billed,
                request_id=request.id,
                now_s=now_s,
                deadline_s=int(now_s + lasts_s) + LATE_S,
                default_output_tokens=self.settings.default_max_output_tokens,
                pool=request.batch.batch_id if request.batch else "",
            )
            if surplus := model_limits.surplus_targets(reservations):
                used_up |= surplus
                continue
            admitted = admission.reserve(self.store, reservations)
            if isinstance(admitted, Granted):
                return decision, billed, admitted, affordable
            if admitted.account:
                self.accounts.keep(admitted.account)  # one that was blocked meanwhile is refused before its next request is read
            if admitted.reason in ("version", "unknown"):
                billed = self.accounts.billed_accounts(billed.key, asked.fields.user, fresh=True, new_user=True)
            elif spared := model_limits.targets_to_leave_out(admitted, reservations, decision.plan.attempts):
                used_up |= spared
            elif found := self._affordable(asked, decision.plan, admitted, affordable):
                affordable = found
            else:
                raise denied_error(admitted, *model_limits.denied_amounts(admitted, reservations))
        raise denied_error(Denied("parallel", billed.key, retry_after_s=1), 0, 0)

    def _affordable(self, request: OperationRequest, plan: Plan, refused: Denied, tried: Affordable) -> Affordable | None:
        """What a second try could ask for; None if less would not help."""
        if refused.reason != "budget" or tried != estimates.NO_LIMITS:
            return None
        return estimates.find_affordable(request, plan.all(), refused.remaining_nanousd, self.settings.default_max_output_tokens)


def _request_fields(request: Request, asked: OperationRequest, billed: BilledAccounts) -> Mapping[str, object]:
    """What a record says of the request itself; nothing of its content."""
    account, *others = billed.all()
    return {
        "operation": TELEMETRY_NAMES.get(asked.operation, asked.operation),
        **({"client_format": asked.original.format} if asked.original else {}),
        **(request.batch.to_record() if request.batch else {}),
        "asked_model": asked.model,
        "stream": asked.streams,
        "user": asked.fields.user,
        "key_name": account.name,
        "key_alias": account.alias,
        "team_id": account.team_id,
        "tags": list(account.tags),
        **({"charged": [other.id for other in others]} if others else {}),
    }


def _limit_headers(account: Account, admitted: Granted, now_s: float) -> dict[str, str]:
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

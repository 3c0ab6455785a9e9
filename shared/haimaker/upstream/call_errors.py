"""What goes wrong with a call, in words for its client. Every call has three such blocks, so none is a generator."""

from types import TracebackType
from typing import NamedTuple
from urllib.parse import urlsplit

from haimaker.billing.settlement import AttemptLog
from haimaker.http.client import AnswerTooLarge, CancelToken, TransportError
from haimaker.http.errors import APIError, APITimeoutError, BadGatewayError
from haimaker.operations.operation import OperationRequest
from haimaker.upstream.clients import ProviderClients


class CallErrors(NamedTuple):
    """Has transport errors of a block raised as API errors. A request that was probably served, though its answer is lost, is
    charged."""

    clients: ProviderClients
    cancel: CancelToken
    attempt_log: AttemptLog
    part: OperationRequest
    answered: bool
    """Whether the answer has begun."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        attempt = self.attempt_log.attempt
        if isinstance(error, APIError):
            if error.usage and (used := self.part.read_usage({"usage": error.usage}, attempt)):
                self.attempt_log.set_usage(used, estimated=False)
            access = self.clients.access.get(attempt.provider.name)
            for secret in (access.api_key, urlsplit(access.base_url).netloc) if access else ():
                error.message = error.message.replace(secret, "***") if secret else error.message
        elif isinstance(error, AnswerTooLarge):
            raise BadGatewayError(str(error), code="invalid_provider_response") from error
        elif isinstance(error, TransportError):
            cancelled = self.cancel.requested
            if error.sent and (self.answered or error.timed_out or cancelled):
                self.attempt_log.set_usage(self.part.estimate_usage(attempt), estimated=True)
            if cancelled:
                raise BadGatewayError("The request was given up.", code="cancelled") from error
            if not error.timed_out:
                code = "provider_connection_lost" if error.sent else "provider_unreachable"
                raise BadGatewayError(str(error), code=code) from error
            raise APITimeoutError(str(error), code="provider_timeout", headers={"x-should-retry": "false"}) from error

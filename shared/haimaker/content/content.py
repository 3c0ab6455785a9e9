"""Starts to keep a request's content if its key wants that and the deployer allows it. `log.py` and `responses.py` are imported
only then."""

from typing import TYPE_CHECKING

from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass, field
from haimaker.observability.observer import Observer
from haimaker.settings.settings import Settings
from haimaker.store import Account, Record

if TYPE_CHECKING:
    from haimaker.content.log import ContentLog
    from haimaker.content.responses import ResponseStore
    from haimaker.content.transcript import Conversation


@dataclass(slots=True)
class ContentLogging:
    settings: Settings
    observer: Observer
    _log: "ContentLog | None" = field(default=None, repr=False)
    _responses: "ResponseStore | None" = field(default=None, repr=False)

    def begin_conversation(self, asked: JSON, account: Account, request_id: str) -> "Conversation | None":
        """The conversation to add the answer to, or None where this request's content is not kept."""
        if not self.is_wanted(account) or not self.is_allowed:
            return None
        log = self._content_log()
        return log.begin(asked, request_id) if log else None

    def read(self, record: Record) -> JSON | None:
        """What is kept of a request, from a folder: a function may read none of it. None where nothing is. Raises BlobError."""
        log = self._content_log() if self.settings.content_folder else None
        return log.read(record) if log else None

    def _content_log(self) -> "ContentLog | None":
        if self._log is None:
            from haimaker.content.log import content_log

            self._log = content_log(self.settings, self.observer)
        return self._log

    @property
    def is_allowed(self) -> bool:
        """Whether the deployer allows content to be kept."""
        return bool(self.settings.content_bucket or self.settings.content_folder)

    def is_wanted(self, account: Account) -> bool:
        """Whether whoever issued a key wants its content to be kept."""
        return account.log_content or account.metadata.get("log_content") is True

    def responses(self) -> "ResponseStore | None":
        """The store of responses that their provider does not store; None where the deployer does not allow it."""
        if self._responses is None and self.is_allowed:
            from haimaker.content.responses import response_store

            self._responses = response_store(self.settings, self.observer)
        return self._responses

    def finish(self, timeout_s: float) -> None:
        """Waits until everything is written, up to `timeout_s`: a function is frozen after its answer."""
        if self._log:
            self._log.wait(timeout_s)

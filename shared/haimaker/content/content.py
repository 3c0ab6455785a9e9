"""Starts to keep a request's content if its key wants that and the deployer allows it. `log.py` is imported only then."""

from typing import TYPE_CHECKING

from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass, field
from haimaker.observability.observer import Observer
from haimaker.settings.settings import Settings
from haimaker.store import Account

if TYPE_CHECKING:
    from haimaker.content.log import ContentLog
    from haimaker.content.transcript import Conversation


@dataclass(slots=True)
class ContentLogging:
    settings: Settings
    observer: Observer
    _log: "ContentLog | None" = field(default=None, repr=False)

    def begin_conversation(self, asked: JSON, account: Account, request_id: str) -> "Conversation | None":
        """The conversation to add the answer to, or None where this request's content is not kept."""
        wanted = account.log_content or account.metadata.get("log_content") is True
        if not wanted or not (self.settings.content_bucket or self.settings.content_folder):
            return None
        if self._log is None:
            from haimaker.content.log import content_log

            self._log = content_log(self.settings, self.observer)
        return self._log.begin(asked, request_id) if self._log else None

    def finish(self, timeout_s: float) -> None:
        """Waits until everything is written, up to `timeout_s`: a function is frozen after its answer."""
        if self._log:
            self._log.wait(timeout_s)

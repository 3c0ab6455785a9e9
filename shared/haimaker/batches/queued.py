"""Batches that are worked on by functions, by messages of a queue: what is to be done, and how it is sent.

    look   sees to a batch: begins it, ends it, or starts again what stands still; one of a timer is sent again until it has ended
    part   asks the lines of one part
    follow looks at batches of providers that are due, and is sent again for the next look

A batch's parts are in lanes, as many as functions may work on it at a time: who has done a part of one sends its next, so that a
small batch is not behind all parts of a large one.
"""

from typing import NamedTuple

from haimaker.aws.client import AWSError
from haimaker.aws.queue import LONGEST_DELAY_S, MessageQueue
from haimaker.batches import QUEUE_HOME, Batch, BatchDirectory
from haimaker.batches.parts import PartDirectory
from haimaker.http.values import JSON
from haimaker.settings.settings import Settings
from haimaker.store import Store, StoreUnavailable

TIMER_S = LONGEST_DELAY_S


class Message(NamedTuple):
    owner: str
    batch_id: str
    part: int | None = None
    """None of what sees to the batch as a whole."""
    is_timer: bool = False
    is_follow: bool = False


class BatchQueue(NamedTuple):
    """Every method raises StoreUnavailable."""

    queue: MessageQueue
    directory: BatchDirectory
    parts: PartDirectory

    def send(self, message: Message, delay_s: float = 0) -> None:
        try:
            self.queue.send(message._asdict(), delay_s)
        except AWSError as error:
            raise StoreUnavailable(f"SQS {error}") from None

    def start(self, batch: Batch) -> None:
        """Has a batch begun, and then looked at until it has ended."""
        self.send(Message(batch.owner, batch.id, is_timer=True))

    def cancel(self, batch: Batch) -> None:
        """Has one seen to that was cancelled."""
        self.send(Message(batch.owner, batch.id))

    def with_progress(self, batch: Batch) -> Batch:
        return self.parts.with_progress(batch)


def batch_queue(settings: Settings, store: Store) -> BatchQueue | None:
    """The queue of a stack's batches; None where it has none."""
    if not settings.batch_queue or settings.aws is None:
        return None
    directory = BatchDirectory(store.documents, QUEUE_HOME)
    return BatchQueue(MessageQueue(settings.aws, settings.batch_queue), directory, PartDirectory(store.documents))


def read_message(body: JSON) -> Message:
    return Message(**{name: body[name] for name in Message._fields if name in body})

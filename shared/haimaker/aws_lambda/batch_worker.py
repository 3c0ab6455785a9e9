"""Messages of the queue of batches to what is to be done. A message that can't be seen to now is delivered again after a while.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting
"""

import json
from functools import partial
from typing import Any

from haimaker.api.files import stored_files
from haimaker.aws.client import AWSError
from haimaker.aws_lambda.handler import Context
from haimaker.batches.heart import Heart
from haimaker.batches.part_run import PartLost, Tools
from haimaker.batches.queued import batch_queue, read_message
from haimaker.batches.steps import Steps
from haimaker.blobs import BlobError
from haimaker.blobs.s3 import S3Blobs
from haimaker.gateway import Gateway
from haimaker.http.values import JSON
from haimaker.store import StoreUnavailable
from haimaker.validation.settings import SettingsError

FINISH_S = 4.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 30, 900
"""Before a message is delivered again that could not be seen to."""


class BatchWorker:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._tools: Tools | None = None

    def __call__(self, event: JSON, context: Context) -> JSON:
        failed = [record["messageId"] for record in event["Records"] if not self._see_to(record, context)]
        self._gateway.content.finish(FINISH_S)
        self._gateway.prices.finish(FINISH_S)
        return {"batchItemFailures": [{"itemIdentifier": name} for name in failed]}

    def _see_to(self, record: Any, context: Context) -> bool:
        """Whether a message needs no other delivery."""
        observer = self._gateway.observer
        try:
            workers = self._gateway.settings.batch_workers
            tools, seconds_left = self._get_tools(), lambda: context.get_remaining_time_in_millis() / 1000
            with Heart(partial(tools.queue.queue.hide, record["receiptHandle"]), tools.queue.directory) as heart:
                Steps(tools, workers, seconds_left, heart).do(read_message(json.loads(record["body"])))
            return True
        except PartLost as error:
            observer.error(f"Batches: another function has {error}")
            return True
        except (StoreUnavailable, BlobError) as error:
            observer.error(f"Batches: {error}")
        except Exception as error:
            observer.exception(error)
        times = int(record.get("attributes", {}).get("ApproximateReceiveCount", 1))
        try:
            self._get_tools().queue.queue.hide(record["receiptHandle"], min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (times - 1)))
        except AWSError as error:  # it is hidden for as long as the queue says
            observer.error(f"Batches: {error}")
        return False

    def _get_tools(self) -> Tools:
        if self._tools is None:
            gateway = self._gateway
            queue, files = batch_queue(gateway.settings, gateway.store), stored_files(gateway.settings, gateway.store)
            if queue is None or not isinstance(files.blobs, S3Blobs):
                raise SettingsError("HAIMAKER_BATCH_QUEUE and HAIMAKER_FILES_BUCKET are missing; template.yaml sets them.")
            self._tools = Tools(gateway.store, files, files.blobs, queue, gateway, gateway.observer)
        return self._tools

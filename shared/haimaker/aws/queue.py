"""Messages to a queue of SQS. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html

A message may be sent twice where an answer was lost, and SQS may deliver one twice: whoever reads it can bear that.
"""

import json

from haimaker.aws.access import AWSAccess
from haimaker.aws.client import AWSClient
from haimaker.http.values import JSON

LONGEST_DELAY_S = 900


class MessageQueue:
    """Every method raises AWSError."""

    def __init__(self, access: AWSAccess, url: str) -> None:
        self._client = AWSClient("sqs", access.region, access.credentials, access.sqs_endpoint)
        self._url = url

    def send(self, message: JSON, delay_s: float = 0) -> None:
        """Sends a message, to be delivered after a delay of 15 minutes at most."""
        delay = max(0, min(LONGEST_DELAY_S, round(delay_s)))
        self._client.call("SendMessage", {"QueueUrl": self._url, "MessageBody": json.dumps(message), "DelaySeconds": delay})

    def hide(self, receipt: str, seconds: int) -> None:
        """Has a message that could not be seen to delivered again after so long."""
        request = {"QueueUrl": self._url, "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
        self._client.call("ChangeMessageVisibility", request)

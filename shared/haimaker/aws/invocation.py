"""Calls a Lambda function without waiting for it. https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html"""

import json
import time

from haimaker.aws.access import AWSAccess
from haimaker.aws.client import AWSError
from haimaker.aws.sigv4 import sign
from haimaker.http.client import CancelToken, HTTPClient, Timeouts, TransportError, read_whole
from haimaker.http.values import JSON, UpstreamRequest

TIMEOUTS = Timeouts(connect_s=2, first_byte_s=5, between_s=5)
ACCEPTED = 202

_client = HTTPClient()


def invoke_later(access: AWSAccess, function_name: str, event: JSON) -> None:
    """Raises AWSError. It may have been accepted all the same: an event may come twice anyway."""
    path, body = f"/2015-03-31/functions/{function_name}/invocations", json.dumps(event).encode()
    suffix = "amazonaws.com.cn" if access.region.startswith("cn-") else "amazonaws.com"
    endpoint = access.lambda_endpoint or f"https://lambda.{access.region}.{suffix}"
    headers = {"content-type": "application/json", "x-amz-invocation-type": "Event"}
    credentials = access.credentials.current()
    signed = sign(credentials, "lambda", access.region, "POST", endpoint + path, headers, body, time.time())
    signed.pop("host")
    try:
        answer = _client.send(UpstreamRequest(path, body), endpoint, signed, TIMEOUTS, CancelToken())
        read_whole(answer.pieces)
    except TransportError as error:
        raise AWSError("Invoke", type(error).__name__, transient=True, lost=True) from None
    if answer.status != ACCEPTED:
        raise AWSError("Invoke", f"status {answer.status}")

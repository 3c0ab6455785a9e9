"""A conversation made shorter: by the provider where it can, else by a summary that the model writes. Pure.

https://platform.openai.com/docs/api-reference/responses/compact
"""

from haimaker.adapters import ADAPTERS
from haimaker.api.formats.responses import FORMAT as RESPONSES
from haimaker.api.formats.responses import with_cost
from haimaker.api.formats.responses_answers import to_usage
from haimaker.api.formats.responses_requests import find_refusal, to_chat
from haimaker.http.errors import BadGatewayError, BadRequestError
from haimaker.http.json import parse_json
from haimaker.http.sse import dumps
from haimaker.http.values import Request
from haimaker.lean_dataclasses import replace
from haimaker.operations.chat import translated_chat
from haimaker.operations.operation import RESPONSE_PREFIX, OperationRequest, Original, Result, pack_summary

SUMMARIZE = (
    "Summarize this conversation so that another assistant can go on with it: what was asked, what was decided and done, "
    "what is open, with all names, paths and figures that are still needed. Write the summary only."
)
SUMMARY = "The conversation so far, in short:\n\n"


def parse(request: Request) -> OperationRequest:
    """The request as a chat that asks for a summary, for models without a compaction of their own. Raises BadRequestError."""
    sent = parse_json(request.body)
    if not isinstance(sent.get("model"), str):
        raise BadRequestError("Missing required parameter: 'model'.", param="model", code="missing_required_parameter")
    body = {name: value for name, value in sent.items() if name not in ("stream", "tools", "tool_choice", "text")}
    chat, dropped = to_chat(body, request.allowed_ids)
    chat["messages"] = [*chat["messages"], {"role": "user", "content": SUMMARIZE}]
    original = Original("responses", {**sent, "stream": False}, ADAPTERS["responses"], dropped, find_refusal(body), compacts=True)
    return translated_chat(chat, request.body, original)


def render(request: OperationRequest, result: Result, request_id: str) -> tuple[str, bytes]:
    """Raises BadGatewayError."""
    if result.native is not None:
        return "application/json", dumps(with_cost(result.native, result.body["usage"]))
    summaries = [(choice.get("message") or {}).get("content") for choice in result.body["choices"]]
    summary = next(filter(None, summaries), None)
    if summary is None:
        raise BadGatewayError("The provider's answer has no summary.", code="invalid_provider_response")
    item = {"type": "compaction", "id": f"cmp_{request_id}", "encrypted_content": pack_summary(SUMMARY + summary)}
    told = {"id": f"{RESPONSE_PREFIX}{request_id}", "object": "response.compaction", "created_at": result.body.get("created")}
    return "application/json", dumps({**told, "output": [item], "usage": to_usage(result.body["usage"])})


FORMAT = replace(RESPONSES, parse=parse, render=render)

"""Rerank of Amazon Bedrock, a service of its agents' runtime.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_agent-runtime_Rerank.html
"""

from haimaker.adapters import ranking
from haimaker.adapters.bedrock.failures import read_error
from haimaker.adapters.openai.rerank import most_at_once
from haimaker.http.errors import from_upstream as error_from_upstream
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, UpstreamRequest
from haimaker.operations.attempt import Attempt
from haimaker.operations.operation import Result, UpstreamBody
from haimaker.operations.rerank import RerankRequest
from haimaker.pricing.usage import Usage

__all__ = ["from_upstream", "most_at_once", "read_error", "to_upstream"]

PATH = "/rerank"
ARN = "arn:{partition}:bedrock:{region}::foundation-model/{model}"
PARTITIONS = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
DEFAULT_REGION = "us-east-1"


def to_upstream(request: RerankRequest, attempt: Attempt) -> UpstreamRequest:
    fields, dropped = request.options("max_tokens_per_doc")
    configuration: JSON = {"modelConfiguration": {"modelArn": _arn(attempt)}}
    if fields:
        configuration["modelConfiguration"]["additionalModelRequestFields"] = fields
    if request.top_n is not None:
        configuration["numberOfResults"] = request.top_n
    sources = [
        {"type": "INLINE", "inlineDocumentSource": {"type": "TEXT", "textDocument": {"text": text}}} for text in request.texts
    ]
    body: JSON = {
        "queries": [{"type": "TEXT", "textQuery": {"text": request.query}}],
        "sources": sources,
        "rerankingConfiguration": {"type": "BEDROCK_RERANKING_MODEL", "bedrockRerankingConfiguration": configuration},
    }
    return UpstreamRequest(PATH, dumps(body), {"content-type": "application/json"}, dropped=dropped)


def from_upstream(answer: UpstreamBody, request: RerankRequest, attempt: Attempt) -> Result:
    body = answer.object()
    found = ranking.find_results(body)
    if found is None:
        raise error_from_upstream(502, read_error(body), {}) if "message" in body else ranking.unusable_ranking()
    units = request.sure_units()
    tokens = None if units is None else Usage(queries=units)
    return request.build_result({"id": attempt.request_id}, ranking.to_results(found, request), tokens)


def _arn(attempt: Attempt) -> str:
    if attempt.model.startswith("arn:"):
        return attempt.model
    region = attempt.region or DEFAULT_REGION
    partition = next((found for start, found in PARTITIONS.items() if region.startswith(start)), "aws")
    return ARN.format(partition=partition, region=region, model=attempt.model)

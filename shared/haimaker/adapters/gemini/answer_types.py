"""The types that Google's own SDK demands of an answer, which it reads strictly: of others it raises an error. Pure.

https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse, and
https://github.com/googleapis/python-genai/blob/main/google/genai/types.py. What is of another type is left out, unless it is the
answer itself (`adapters/openai_types.py`).
"""

import re
from typing import Any

from haimaker.adapters.openai_types import BASE64

_ARGUMENT: Any = {
    "jsonPath": str,
    "stringValue": str,
    "numberValue": float,
    "boolValue": bool,
    "nullValue": frozenset({"NULL_VALUE"}),
    "willContinue": bool,
}
_CALL: Any = {"id": str, "name": str, "args": dict, "partialArgs": [_ARGUMENT], "willContinue": bool}
_BLOB: Any = {"mimeType": str, "data": BASE64, "displayName": str}
_PART: Any = {
    "text": str,
    "thought": bool,
    "thoughtSignature": BASE64,
    "functionCall": _CALL,
    "functionResponse": {"id": str, "name": str, "response": dict},
    "inlineData": _BLOB,
    "fileData": {"mimeType": str, "fileUri": str, "displayName": str},
    "executableCode": {"language": str, "code": str},
    "codeExecutionResult": {"outcome": str, "output": str},
}
_RATING: Any = {
    "category": str,
    "probability": str,
    "severity": str,
    "blocked": bool,
    "probabilityScore": float,
    "severityScore": float,
}
_TOKEN: Any = {"token": str, "tokenId": int, "logProbability": float}
_SPAN: Any = {"startIndex": int, "endIndex": int, "partIndex": int, "text": str}
_WEB: Any = {"uri": str, "title": str, "domain": str}
_PLACE: Any = {"uri": str, "title": str, "text": str, "placeId": str}
_GROUNDING: Any = {
    "webSearchQueries": [str],
    "imageSearchQueries": [str],
    "retrievalQueries": [str],
    "searchEntryPoint": {"renderedContent": str, "sdkBlob": str},
    "groundingChunks": [{"web": _WEB, "maps": _PLACE, "retrievedContext": _PLACE}],
    "groundingSupports": [{"segment": _SPAN, "groundingChunkIndices": [int], "confidenceScores": [float]}],
    "googleMapsWidgetContextToken": str,
    "retrievalMetadata": {"googleSearchDynamicRetrievalScore": float},
}
_CANDIDATE: Any = {
    "content": {"parts": [_PART], "role": str},
    "finishReason": str,
    "finishMessage": str,
    "index": int,
    "tokenCount": int,
    "avgLogprobs": float,
    "safetyRatings": [_RATING],
    "citationMetadata": dict,
    "groundingMetadata": _GROUNDING,
    "urlContextMetadata": {"urlMetadata": [{"retrievedUrl": str, "urlRetrievalStatus": str}]},
    "logprobsResult": {"chosenCandidates": [_TOKEN], "topCandidates": [{"candidates": [_TOKEN]}], "logProbabilitySum": float},
}


def _in_both(shape: Any) -> Any:
    """A shape that knows both spellings of each name, since Google's JSON has both: `inlineData` and `inline_data`."""
    if isinstance(shape, list):
        return [_in_both(each) for each in shape]
    if not isinstance(shape, dict):
        return shape
    both = {name: _in_both(inner) for name, inner in shape.items()}
    return both | {re.sub("[A-Z]", lambda letter: "_" + letter[0].lower(), name): inner for name, inner in both.items()}


_COUNT: Any = [{"modality": str, "tokenCount": int}]
_COUNTS = ("promptTokenCount", "candidatesTokenCount", "cachedContentTokenCount", "thoughtsTokenCount", "toolUsePromptTokenCount")
_DETAILS = ("promptTokensDetails", "candidatesTokensDetails", "cacheTokensDetails", "toolUsePromptTokensDetails")
COUNTS = frozenset((*_COUNTS, "totalTokenCount"))
"""What in `usageMetadata` is a number."""
_USED: Any = {"usageMetadata": {**dict.fromkeys(COUNTS, int), **dict.fromkeys(_DETAILS, _COUNT), "trafficType": str}}
_CONTENTS: Any = {
    "candidates": [_CANDIDATE],
    **_USED,
    "promptFeedback": {"blockReason": str, "blockReasonMessage": str, "safetyRatings": [_RATING]},
    "modelVersion": str,
    "responseId": str,
    "createTime": str,
}
_VECTOR: Any = {"values": [float], "statistics": {"tokenCount": float, "truncated": bool}}
_EMBEDDINGS: Any = {
    "embedding": _VECTOR,
    "embeddings": [_VECTOR],
    "usageMetadata": {"promptTokenCount": int, "promptTokenDetails": _COUNT},
}
CONTENTS, USED, EMBEDDINGS = _in_both(_CONTENTS), _in_both(_USED), _in_both(_EMBEDDINGS)
"""The last is https://ai.google.dev/api/embeddings#v1beta.BatchEmbedContentsResponse"""

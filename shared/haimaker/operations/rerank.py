"""`POST /v1/rerank` and `/v2/rerank`: what is asked, the most that it may cost, and Cohere's shape of an answer. Pure.

https://docs.cohere.com/reference/rerank, and for what the first version has beside it https://docs.cohere.com/v1/reference/rerank
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Any, Self

from haimaker.http.errors import BadRequestError, invalid_parameter
from haimaker.http.json import parse_json
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, Request
from haimaker.lean_dataclasses import dataclass, replace
from haimaker.lean_pydantic import Field, StrictBool, StrictInt, ValidationError
from haimaker.operations.attempt import Attempt
from haimaker.operations.fields import OURS, CommonFields, raise_validation_error, with_model
from haimaker.operations.operation import OperationRequest, Result, sum_said_usage
from haimaker.pricing import usage
from haimaker.pricing.usage import Usage
from haimaker.validation.bounds import MAX_ITEMS, MAX_PARTS, Name, SomeText
from haimaker.validation.links import check_parts

TOO_MANY_CHUNKS = 10_000
"""Documents, times the chunks that each may have, must be fewer."""
UNIT_DOCUMENTS = 100
"""Of a search unit. A document that is longer than a chunk, with the query in it, counts as several: https://cohere.com/pricing"""
CHUNK_TOKENS = 500
PAIR_TOKENS = 128
"""What a model may be told around the query and a document; 70 were seen, of instructions."""
IMAGE_TOKENS = 50_000
"""No provider counts more for one image."""
IMAGE_FIELDS = ("image", "content")
OF_DOCUMENTS = ("documents", "rank_fields")

Count = Annotated[StrictInt, Field(ge=1, le=10**9)]


class RerankFields(CommonFields):
    """The fields that are read here."""

    query: SomeText
    documents: Annotated[list[SomeText | dict[str, Any]], Field(min_length=1, max_length=MAX_ITEMS, fail_fast=True)]
    top_n: Count | None = None
    return_documents: StrictBool | None = None
    rank_fields: Annotated[list[Name], Field(min_length=1, max_length=MAX_PARTS, fail_fast=True)] | None = None
    max_tokens_per_doc: Count | None = None
    max_chunks_per_doc: Count | None = None


@dataclass(frozen=True)
class RerankRequest(OperationRequest):
    """A query, and documents to be put into the order of how well they answer it."""

    fields: RerankFields
    start: int = 0
    """The position among all documents at which those of a part begin."""
    as_voyage: bool = False
    """Whether it names its limit as Voyage's clients do, which look for the results in `data`:
    https://docs.voyageai.com/reference/reranker-api"""

    @property
    def operation(self) -> str:
        return "rerank"

    @property
    def streams(self) -> bool:
        return False

    @property
    def query(self) -> str:
        return self.fields.query

    @cached_property
    def texts(self) -> list[str]:
        """The documents as models read them."""
        return [_text(document, self.fields.rank_fields) for document in self.fields.documents]

    def check(self) -> None:
        """Raises BadRequestError for too many documents, and for one that is empty."""
        if len(self.texts) * (self.fields.max_chunks_per_doc or 1) >= TOO_MANY_CHUNKS:
            message = f"Too many documents: times 'max_chunks_per_doc', there must be fewer than {TOO_MANY_CHUNKS:,} of them."
            raise BadRequestError(message, param="documents", code="invalid_value")
        if "" in self.texts:
            param = f"documents[{self.texts.index('')}]"
            raise invalid_parameter(param, "it has no text to rank")

    @property
    def top_n(self) -> int | None:
        """No more than there are documents, which some providers insist on."""
        asked = self.fields.top_n
        return None if asked is None else min(asked, len(self.fields.documents))

    def options(self, *taken: str) -> tuple[JSON, tuple[str, ...]]:
        """The client's other fields for a body of another shape, and the names of those that have no place in it."""
        named = set(RerankFields.model_fields) - {*taken} | OURS
        lost = [name for name in ("max_tokens_per_doc", "max_chunks_per_doc", "user") if name not in taken]
        kept = {name: value for name, value in self.body.items() if name not in named and value is not None}
        return kept, tuple(name for name in lost if self.body.get(name) is not None)

    def units(self, token_bytes: int = 4) -> int:
        """Search units, for tokens of so many bytes. A query takes at most half of a chunk."""
        query = min(usage.utf8_length(self.query) // token_bytes, CHUNK_TOKENS // 2)
        room = (CHUNK_TOKENS - query) * token_bytes
        chunks = sum(max(1, -(-usage.utf8_length(text) // room)) for text in self.texts)
        return -(-chunks // UNIT_DOCUMENTS)

    def sure_units(self) -> int | None:
        """None where only the provider's own count tells whether a document is a long one."""
        most = self.units(token_bytes=1)
        return most if most == -(-len(self.texts) // UNIT_DOCUMENTS) else None

    def max_usage(self, attempt: Attempt, default_output_tokens: int = 0) -> Usage:
        return self._most

    def estimate_usage(self, attempt: Attempt, sent_bytes: int = 0) -> Usage:
        return self._estimated

    @cached_property
    def _most(self) -> Usage:
        """The query is read with each document, and so is whatever else the client says; a token is at least one byte of it."""
        documents = self.fields.documents
        beside = len(dumps({name: value for name, value in self.body.items() if name not in OF_DOCUMENTS})) + PAIR_TOKENS
        images = sum(isinstance(each, dict) and any(each.get(name) for name in IMAGE_FIELDS) for each in documents)
        tokens = sum(map(usage.utf8_length, self.texts)) + beside * len(documents) + images * IMAGE_TOKENS
        return Usage(input=tokens, queries=self.units(token_bytes=1))

    @cached_property
    def _estimated(self) -> Usage:
        texts = sum(usage.estimate_tokens(usage.utf8_length(text)) for text in self.texts)
        query = usage.estimate_tokens(usage.utf8_length(self.query)) * len(self.texts)
        return Usage(input=texts + query, queries=self.units())

    def usage_from(self, used: JSON) -> Usage:
        """A price per search holds wherever a deployer gives one."""
        return replace(usage.from_openai(used), queries=self.units())

    def usage_object(self, tokens: Usage) -> JSON:
        return {"input_tokens": tokens.prompt, "output_tokens": 0, "total_tokens": tokens.prompt, "search_units": tokens.queries}

    def split(self, attempt: Attempt, at_once: int | None = None) -> Sequence[Self]:
        documents = self.fields.documents
        if at_once is None or len(documents) <= at_once:
            return [self]
        return [self._of(documents[start : start + at_once], start) for start in range(0, len(documents), at_once)]

    def merge(self, results: Sequence[Result]) -> Result:
        """A model gives each pair of query and document its own score, so that scores of several calls compare."""
        bodies: list[JSON] = [result.body for result in results if isinstance(result.body, dict)]
        head = {name: value for name, value in bodies[0].items() if name not in ("results", "data", "meta", "usage")}
        meta = {name: value for name, value in bodies[0]["meta"].items() if name not in ("billed_units", "tokens")}
        ranked = [result for body in bodies for result in body["results"]]
        return self.build_result({**head, "meta": meta}, ranked, sum_said_usage(results))

    def build_result(self, body: JSON, results: Sequence[JSON], tokens: Usage | None) -> Result:
        """Cohere's answer of results of any order, as the client asked for them; `body` is what else there is to say."""
        ranked = sorted(results, key=lambda result: -result["relevance_score"])
        shown = [self._show(result) for result in ranked[: self.top_n]]
        given = body.get("meta")
        meta = {"api_version": {"version": "2"}, **_to_usage(tokens), **(given if isinstance(given, dict) else {})}
        also = {"object": "list", "data": shown} if self.as_voyage else {}
        return Result({**body, **also, "results": shown, "meta": meta}, tokens)

    def _show(self, result: JSON) -> JSON:
        """A result with its document if that is wanted, and without if not; where nothing is said, as the provider has it."""
        wanted, kept = self.fields.return_documents, {name: value for name, value in result.items() if name != "document"}
        if wanted is False or (wanted is None and result.get("document") is None):
            return kept
        document = self.fields.documents[result["index"] - self.start]
        return {**kept, "document": document if isinstance(document, dict) else {"text": document}}

    def _of(self, documents: Sequence[Any], start: int) -> Self:
        fields = self.fields.model_copy(update={"documents": documents})
        return replace(self, fields=fields, body={**self.body, "documents": documents}, start=start)


def parse(request: Request) -> RerankRequest:
    """Raises BadRequestError."""
    body = with_model(parse_json(request.body), request.path.get("model"))
    as_voyage = "top_k" in body and body.get("top_n") is None
    if "top_k" in body:
        limit = body["top_k"] if as_voyage else body["top_n"]
        body = {**{name: value for name, value in body.items() if name != "top_k"}, "top_n": limit}
    check_parts(body.get("documents"), "documents")
    try:
        asked = RerankRequest(RerankFields.model_validate(body), body, len(request.body), as_voyage=as_voyage)
    except ValidationError as error:
        raise_validation_error(error)
    asked.check()
    return asked


def _text(document: str | JSON, rank_fields: Sequence[str] | None) -> str:
    """A string as it is; of an object the named fields in their order, else its `text`, else all of it, a line for each.

    https://docs.cohere.com/docs/reranking-best-practices: documents with fields are best sent as YAML.
    """
    if isinstance(document, str):
        return document
    if rank_fields is None and isinstance(document.get("text"), str):
        return str(document["text"])
    names = [name for name in (document if rank_fields is None else rank_fields) if document.get(name) not in (None, "")]
    texts = [value if isinstance(value := document[name], str) else dumps(value).decode() for name in names]
    return "\n".join(f"{name}: {text}" for name, text in zip(names, texts, strict=True))


def _to_usage(tokens: Usage | None) -> JSON:
    """Tokens where the provider counts them, else searches."""
    if tokens is None:
        return {}
    if tokens.prompt:
        return {"billed_units": {"input_tokens": tokens.prompt}, "tokens": {"input_tokens": tokens.prompt}}
    return {"billed_units": {"search_units": tokens.queries}} if tokens.queries else {}

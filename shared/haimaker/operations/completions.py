"""`POST /v1/completions`: one or more prompts to be gone on with, and the most that they may use. Pure.

https://platform.openai.com/docs/api-reference/completions/create
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, Self

from haimaker.http.errors import BadRequestError
from haimaker.http.json import MAX_TOKEN_IDS, parse_json
from haimaker.lean_dataclasses import dataclass, replace
from haimaker.lean_pydantic import Field, StrictInt, ValidationError
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import MAX_CHOICES, MAX_TOKENS, MESSAGE_TOKENS, TextFields, TextRequest
from haimaker.operations.fields import MAX_PROMPTS, ManyTokenIds, raise_validation_error, with_model
from haimaker.pricing import usage
from haimaker.validation.bounds import Text, TokenIds

COMPLETION_TOKENS = 16
"""What a legacy completion writes unless it says more: https://platform.openai.com/docs/api-reference/completions/create"""
NO_PROMPT = "<|endoftext|>"
"""What OpenAI's completions go on from where the prompt is null."""

Texts = Annotated[list[Text], Field(min_length=1, max_length=MAX_PROMPTS, fail_fast=True)]


class CompletionFields(TextFields):
    prompt: Text | Texts | TokenIds | ManyTokenIds
    max_tokens: Annotated[StrictInt, Field(ge=0, le=MAX_TOKENS)] | None = None
    """None of its own is of use with `echo` and `logprobs`: the prompt's are then all that is asked for."""
    best_of: Annotated[StrictInt, Field(ge=0, le=MAX_CHOICES)] | None = None
    logit_bias: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class CompletionRequest(TextRequest):
    """A legacy completion: one or more prompts, each a text or the ids of its tokens."""

    fields: CompletionFields

    @property
    def operation(self) -> str:
        return "completions"

    @property
    def prompts(self) -> list[str] | list[list[int]]:
        prompt: Any = self.fields.prompt
        one = isinstance(prompt, str) or isinstance(prompt[0], int)
        return [prompt] if one else prompt

    @property
    def choices(self) -> int:
        return len(self.prompts) * max(self.fields.n or 1, self.fields.best_of or 1)

    @property
    def max_output_tokens(self) -> int | None:
        """May be 0."""
        return max((most for most in (self.fields.max_tokens, self.fields.max_completion_tokens) if most is not None), default=None)

    def max_prompt_tokens(self, attempt: Attempt) -> int:
        bound = self.size + MESSAGE_TOKENS * len(self.prompts)
        return min(bound, (attempt.model_info.max_input_tokens or bound) * len(self.prompts))

    def output_limit(self, attempt: Attempt, default: int, affordable: int | None) -> int:
        """A budget never makes a completion longer than it would be without one."""
        default = min(default, COMPLETION_TOKENS) if attempt.completes else default
        return TextRequest.output_limit(self, attempt, default, affordable)

    def estimate_prompt_tokens(self) -> int:
        return sum(
            usage.estimate_tokens(usage.utf8_length(prompt)) if isinstance(prompt, str) else len(prompt) for prompt in self.prompts
        )

    def split(self, attempt: Attempt, at_once: int | None = None) -> Sequence[Self]:
        """One request, unless the target takes one prompt or gives one choice at a time."""
        requests = self._one_prompt_each if attempt.provider.limits.single_prompt or not attempt.completes else [self]
        return [part for each in requests for part in TextRequest.split(each, attempt)]

    def alike_parts(self, attempt: Attempt) -> Sequence[tuple[Self, int]]:
        """Parts of the same size are alike: with one prompt each, the most that they may use depends on nothing else."""
        if attempt.completes and not attempt.provider.limits.single_prompt:
            return TextRequest.alike_parts(self, attempt)
        choices = len(TextRequest.split(self, attempt))
        return [(part, number * choices) for part, number in self._by_size[choices > 1]]

    @cached_property
    def _by_size(self) -> Mapping[bool, list[tuple[Self, int]]]:
        """One prompt of each size and how many there are: as they are, and with one choice."""
        numbers = Counter(part.size for part in self._one_prompt_each)
        whole = {part.size: part for part in self._one_prompt_each}
        return {
            single: [(part._for_one_choice if single else part, numbers[size]) for size, part in whole.items()]
            for single in (False, True)
        }

    @cached_property
    def _one_prompt_each(self) -> list[Self]:
        """A request per prompt, whose size is an upper bound: that of all without what the other prompts have at least."""
        least = [usage.utf8_length(prompt) if isinstance(prompt, str) else len(prompt) for prompt in self.prompts]
        others = [sum(least) - own for own in least]
        requests = [self.with_fields({"prompt": prompt}) for prompt in self.prompts]
        return [replace(each, size=self.size - other) for each, other in zip(requests, others, strict=True)]


def parse_completion(raw: bytes, model: str | None = None) -> CompletionRequest:
    """The body of a legacy completion. Raises BadRequestError."""
    body = with_model(parse_json(raw, values=MAX_TOKEN_IDS), model)
    if "prompt" in body and body["prompt"] is None:
        body = {**body, "prompt": NO_PROMPT}
    try:
        request = CompletionRequest(CompletionFields.model_validate(body), body, len(raw))
    except ValidationError as error:
        raise_validation_error(error)
    if request.choices > MAX_PROMPTS:
        message = f"A request may have at most {MAX_PROMPTS} choices over all its prompts."
        raise BadRequestError(message, param="n", code="invalid_value")
    return request

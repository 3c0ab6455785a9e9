"""What some models want otherwise than the provider's other models, by patterns over their names. Data only."""

import re
from collections.abc import Mapping

from haimaker.lean_dataclasses import dataclass, field
from haimaker.providers.common import MAX_COMPLETION_TOKENS, PENALTIES


@dataclass(frozen=True, slots=True)
class ModelRule:
    """A rule that holds for the models whose name matches `pattern`, in addition to the provider's own."""

    pattern: str
    thinks_unasked: str = ""
    """A pattern of further models for which it holds unless the request's effort is `none`."""
    thinks_asked: str = ""
    """A pattern of further models for which it holds where the request names an effort other than `none`."""
    rename: Mapping[str, str] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    refuse: tuple[str, ...] = ()
    cache_control: str | None = None
    answer_tool: tuple[str, ...] = ()
    search_tool: str = ""

    def holds(self, model: str, effort: object = None) -> bool:
        """Whether it holds for a model that is asked to think with this effort; None where the request names none."""
        patterns = [self.pattern]
        if effort != "none":
            patterns += [self.thinks_unasked, self.thinks_asked if effort is not None else ""]
        return any(pattern and re.match(pattern, model) for pattern in patterns)


# https://platform.openai.com/docs/guides/structured-outputs: older models know JSON mode only.
BEFORE_SCHEMAS = ModelRule(
    r"(?:\w+/)?(?:gpt-3\.?5|gpt-4(?:$|-(?:turbo|32k|vision|0314|0613|1106|0125))|gpt-4o-2024-05-13)", answer_tool=("schema",)
)
THINKS_ASKED = r"(?:\w+/)?gpt-5\.[1-4](?!\d)(?!.*chat)"
THINKS_UNASKED = r"(?:\w+/)?gpt-(?:5\.(?:[5-9]|\d\d)|[6-9]|[12]\d)(?!.*chat)"
"""Models that no pattern knows are taken for newer ones, which think unless they are told not to."""
# https://platform.openai.com/docs/guides/latest-model#parameter-compatibility: since GPT-5.1 a model samples as it is told while it
# does not think, which is the default up to GPT-5.4.
OPENAI_REASONING = (
    ModelRule(r"(?:\w+/)?(?:o\d|gpt-(?!3|4)\d)", rename=MAX_COMPLETION_TOKENS),
    ModelRule(
        r"(?:\w+/)?(?:o\d|gpt-5(?:$|-(?!chat)))",
        THINKS_UNASKED,
        THINKS_ASKED,
        drop=("temperature", "top_p", "logit_bias", *PENALTIES),
        refuse=("logprobs", "top_logprobs"),
    ),
    # https://platform.openai.com/docs/api-reference/chat/create#chat_create-stop; GPT-5 says so itself:
    # https://github.com/huggingface/smolagents/issues/1671
    ModelRule(r"(?:\w+/)?(?:o3(?:$|-(?!mini))|o4-mini|gpt-5(?:$|-(?!chat)))", THINKS_UNASKED, THINKS_ASKED, refuse=("stop",)),
)
# https://platform.openai.com/docs/guides/function-calling#parallel-function-calling: they call one tool at a time.
ONE_TOOL_AT_A_TIME = ModelRule(r"(?:\w+/)?(?:o1|o3-mini)", drop=("parallel_tool_calls",))

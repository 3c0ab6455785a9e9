"""Families of models, and what each takes and refuses. The only place with patterns over models' names. Data.

A family is an entry: its name, a pattern of canonical names (see `names.py`) from their beginning, and the traits in which it
differs (see `traits.py`). All entries that match hold, and the later win, so that they stand from the general to the specific. The
most general is what the vendor's newest models are: **a name that no other entry knows is taken for a newer model of its family.**
A pattern that closes a range (`[0-5]`) says which models are older.

A new family is an entry here and a line in `tests/unit/models/matrix.py`.
"""

from collections.abc import Mapping

from haimaker.models.media_families import MEDIA_GROUPS
from haimaker.models.traits import ALWAYS, ASKED, EFFORTS, NEVER, UNASKED, Family, Groups

PENALTIES = ("presence_penalty", "frequency_penalty")
SAMPLING = ("temperature", "top_p", "logit_bias", *PENALTIES)
LOGPROBS = ("logprobs", "top_logprobs")
NO_EFFORTS: Mapping[str, str] = {}


def _efforts(none: str, minimal: str, low: str, medium: str, high: str, xhigh: str, most: str) -> Mapping[str, str]:
    return {"none": none, "minimal": minimal, "low": low, "medium": medium, "high": high, "xhigh": xhigh, "max": most}


UP_TO_HIGH = _efforts("low", "low", "low", "medium", "high", "high", "high")
UP_TO_XHIGH = _efforts("none", "low", "low", "medium", "high", "xhigh", "xhigh")
UP_TO_MAX = _efforts("none", "low", "low", "medium", "high", "xhigh", "max")
UP_TO_MAX_AT_LEAST_LOW = {**UP_TO_MAX, "none": "low"}

# https://platform.claude.com/docs/en/about-claude/models/overview, and each model's "What's new" and migration guide there:
# …/models/opus-5-5/whats-new-opus-5-5 has what came with the newest.
CLAUDE_BUDGETS = {"none": 0, "minimal": 1_024, "low": 1_024, "medium": 2_048, "high": 4_096, "xhigh": 8_192, "max": 16_384}
CLAUDE = (
    Family(
        "claude",
        r"claude",
        drops=("temperature", "top_p", "top_k"),
        thinks=ALWAYS,
        efforts=UP_TO_MAX_AT_LEAST_LOW,
        forces_tools=False,
        forces_tools_thinking=False,
        binds_thinking=True,
        system_turns=True,
        default_max_tokens=64_000,
    ),
    Family("claude-sonnet", r"claude-sonnet", thinks=UNASKED, thinking_off={"type": "between_tools"}),
    Family("claude-haiku", r"claude-haiku", thinks=UNASKED, thinking_off={"type": "disabled"}, forces_tools=True),
    # https://platform.claude.com/docs/en/about-claude/models/whats-new-opus-5
    Family("claude-mythos-5", r"claude-(?:fable|mythos)-5(?![.-]?\d)", forces_tools=True, binds_thinking=False),
    Family("claude-mythos-preview", r"claude-mythos-preview", binds_thinking=False, system_turns=False),
    Family(
        "claude-5",
        r"claude-(?:opus|sonnet|haiku)-5(?![.-]?\d)",
        thinks=UNASKED,
        thinking_off={"type": "disabled"},
        forces_tools=True,
        binds_thinking=False,
    ),
    Family("claude-opus-5", r"claude-opus-5(?![.-]?\d)"),
    # https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking: up to 4.8 they think when asked to.
    Family(
        "claude-4",
        r"claude-(?:\w+-)?4(?:[.-]\d)?(?!\d)",
        thinks=ASKED,
        thinking_off=None,
        forces_tools=True,
        binds_thinking=False,
    ),
    Family("claude-4.7", r"claude-(?:\w+-)?4(?:[.-][0-7])?(?![.-]?\d)", system_turns=False),
    Family(
        "claude-4.6",
        r"claude-(?:\w+-)?4(?:[.-][0-6])?(?![.-]?\d)",
        drops=(),
        samples_once=True,
        thinks_by_budget=True,
        efforts={**UP_TO_MAX_AT_LEAST_LOW, "xhigh": "high"},
    ),
    # https://platform.claude.com/docs/en/build-with-claude/extended-thinking
    Family(
        "claude-4.5",
        r"claude-(?:\w+-)?4(?:[.-][0-5])?(?![.-]?\d)",
        efforts=CLAUDE_BUDGETS,
        prefills=True,
        default_max_tokens=4_096,
    ),
    # https://platform.claude.com/docs/en/build-with-claude/structured-outputs
    Family("claude-4.1", r"claude-(?:\w+-)?4(?:[.-][0-4])?(?![.-]?\d)", schema=False),
    Family("claude-4.0", r"claude-(?:\w+-)?4(?:[.-]0)?(?![.-]?\d)", samples_once=False, chooses_none=False),
    Family(
        "claude-3",
        r"claude-(?:instant|v?[123](?!\d))",
        drops=(),
        thinks=ASKED,
        thinks_by_budget=True,
        efforts=CLAUDE_BUDGETS,
        forces_tools=True,
        binds_thinking=False,
        chooses_none=False,
        schema=False,
        prefills=True,
        system_turns=False,
        default_max_tokens=4_096,
    ),
    Family("claude-3.5", r"claude-(?:instant|v?[12](?!\d)|3(?![.-]7))", thinks=NEVER),
)

# https://platform.openai.com/docs/guides/latest-model#parameter-compatibility, …/guides/reasoning: since GPT-5.1 a model samples as
# it is told while it does not think, which is the default up to GPT-5.4. None takes `stop` while it thinks, as GPT-5 says itself:
# https://github.com/huggingface/smolagents/issues/1671. Since GPT-5.4 OpenAI's chat completions have functions with the effort
# `none` only, and Responses have both: https://github.com/openai/openai-openapi/issues/541. Since GPT-6.1 they have none at all:
# https://developers.openai.com/api/docs/models/gpt-6.1-terra.
GPT = (
    Family(
        "gpt",
        r"gpt-(?:(?:[5-9]|[1-9]\d)(?!\d)|chat-latest|daybreak|rosalind)|chat-latest",
        limit_name="max_completion_tokens",
        thinks=ALWAYS,
        efforts=UP_TO_MAX_AT_LEAST_LOW,
        thinking_drops=SAMPLING,
        thinking_refuses=(*LOGPROBS, "stop"),
        tools_need_responses=True,
    ),
    # …/guides/deployment-checklist#configure-reasoningeffort
    Family("gpt-6.1", r"gpt-[56](?!\d)", thinks=UNASKED, efforts=UP_TO_MAX, effort_with_tools="none"),
    Family("gpt-6", r"gpt-(?:5(?!\d)|6(?![.-]?\d))", tools_need_responses=False),
    # …/models/gpt-6-astra, …/models/gpt-6.2-sol, …/models/gpt-6-cyber: their reasoning can't be turned off.
    Family(
        "gpt-6-astra",
        r"gpt-6(?:[.-]\d)?-(?:astra|cyber|rosalind)|gpt-5[.-]6-cyber|gpt-6[.-][1-9]-sol|gpt-rosalind",
        thinks=ALWAYS,
        efforts=UP_TO_MAX_AT_LEAST_LOW,
    ),
    Family("gpt-5.5", r"gpt-5[.-][1-5](?!\d)", efforts=UP_TO_XHIGH),
    Family("gpt-5.4", r"gpt-5[.-][1-4](?!\d)", thinks=ASKED),
    Family("gpt-5.3", r"gpt-5[.-][1-3](?!\d)", effort_with_tools=""),
    Family("gpt-5.1", r"gpt-5[.-]1(?!\d)", efforts={**UP_TO_XHIGH, "xhigh": "high", "max": "high"}),
    Family(
        "gpt-5",
        r"gpt-5(?![.-]?\d)",
        thinks=ALWAYS,
        efforts=_efforts("minimal", "minimal", "low", "medium", "high", "high", "high"),
        effort_with_tools="",
    ),
    # …/models/gpt-5-pro, …/models/gpt-5.2-pro, …/models/gpt-5.3-codex: Responses only, and what they think can't be turned off.
    Family("gpt-codex", r"gpt-[5-9](?:[.-]\d)?-codex", thinks=ALWAYS, efforts={**UP_TO_XHIGH, "none": "low"}, responses_only=True),
    Family("gpt-5.1-codex", r"gpt-5(?:[.-]1)?-codex(?!-max)", efforts=UP_TO_HIGH),
    Family(
        "gpt-pro",
        r"gpt-\d+(?:[.-]\d)?-pro",
        thinks=ALWAYS,
        efforts=_efforts("medium", "medium", "medium", "medium", "high", "xhigh", "xhigh"),
        responses_only=True,
    ),
    Family("gpt-5-pro", r"gpt-5-pro", efforts=dict.fromkeys(EFFORTS, "high")),
    Family("gpt-daybreak", r"gpt-daybreak", thinks=UNASKED, efforts=UP_TO_MAX, responses_only=True),
    # …/models/chat-latest: it thinks as it likes, and takes no other effort.
    Family("gpt-chat", r"gpt-(?:\d+(?:[.-]\d)?-.*)?chat|chat-latest", thinks=NEVER, tools_need_responses=False),
    Family("gpt-4", r"(?:chat)?gpt-(?:3|4|audio)", thinks=NEVER),
    # https://platform.openai.com/docs/guides/structured-outputs: older models know JSON mode only.
    Family("gpt-3.5", r"gpt-3\.?5|gpt-4(?:$|-(?:turbo|32k|vision|0314|0613|1106|0125))", schema=False),
    Family("gpt-4o-2024-05-13", r"gpt-4o-2024-05-13", dated=True, schema=False),
    Family("gpt-3.5-turbo-instruct", r"gpt-3\.?5-turbo-instruct", completes=True),
    # https://developers.openai.com/cookbook/articles/openai-harmony
    Family("gpt-oss", r"gpt-oss", thinks=ALWAYS, efforts=UP_TO_HIGH),
    # https://platform.openai.com/docs/guides/image-generation#cost-and-latency
    Family("gpt-image", r"(?:chat)?gpt-image"),
    Family("gpt-image-2", r"gpt-image-2(?![.\d])"),
    Family("gpt-image-1", r"gpt-image-1(?!\d)|chatgpt-image", fixed_image_tokens=True),
)
O_SERIES = (
    Family(
        "o-series",
        r"o[1-9](?:$|-)|codex-mini",
        limit_name="max_completion_tokens",
        thinks=ALWAYS,
        efforts=UP_TO_HIGH,
        drops=SAMPLING,
        refuses=(*LOGPROBS, "stop"),
    ),
    # https://platform.openai.com/docs/api-reference/chat/create#chat_create-stop
    # https://platform.openai.com/docs/guides/function-calling#parallel-function-calling
    # …/models/o3-pro, …/models/o3-deep-research, …/models/codex-mini-latest
    Family("o-pro", r"o[1-9]-(?:pro|(?:mini-)?deep-research)|codex-mini", responses_only=True),
    Family("o1", r"o1|o3-mini", drops=(*SAMPLING, "parallel_tool_calls"), refuses=LOGPROBS),
)
OPENAI_OTHERS = (
    Family("davinci", r"davinci-002|babbage-002", completes=True),
    Family("dall-e-3", r"dall-e-3"),
    Family("dall-e-2", r"dall-e-2"),
)

# https://ai.google.dev/gemini-api/docs/models, …/docs/openai#thinking, …/docs/thinking, …/docs/function-calling
GEMINI_LEVELS = _efforts("minimal", "minimal", "low", "medium", "high", "high", "high")
GEMINI_BUDGETS = {"none": 0, "minimal": 1_024, "low": 1_024, "medium": 8_192, "high": 24_576, "xhigh": 24_576, "max": 24_576}
GEMINI = (
    Family(
        "gemini",
        r"gemini-|nano-banana",
        drops=PENALTIES,
        thinks=ALWAYS,
        efforts=UP_TO_HIGH,
        signs_calls=True,
        mixes_tools=True,
        bills_searches=True,
    ),
    # …/docs/thinking: these two as hard as `xhigh`.
    Family("gemini-4-neon", r"gemini-4-(?:hydrogen|neon)", efforts={**UP_TO_XHIGH, "none": "low"}),
    Family("gemini-3-flash", r"gemini-(?:3(?:\.[0-6])?-flash|.*flash-lite)", efforts=GEMINI_LEVELS),
    Family("gemini-3-pro", r"gemini-3-pro", efforts={**UP_TO_HIGH, "medium": "high"}),
    # …/docs/structured-output#structured_outputs_with_tools, …/docs/pricing: both since the third generation.
    Family(
        "gemini-2",
        r"gemini-(?:1|2|exp|gemma|pro$|pro-vision|robotics-er-1)",
        drops=(),
        signs_calls=False,
        mixes_tools=False,
        bills_searches=False,
        schema_with_tools=False,
        image_sizes=False,
        directed_in_text=True,
    ),
    Family("gemini-1", r"gemini-(?:1|2|exp|gemma|pro$|pro-vision)", thinks=NEVER),
    Family("gemini-2.5", r"gemini-2\.5|gemini-robotics-er-1", thinks=UNASKED, efforts=GEMINI_BUDGETS),
    Family("gemini-2.5-image", r"gemini-2\.5-(?:computer-use|flash-image|.*tts)|nano-banana(?!-)", thinks=NEVER),
    Family(
        "gemini-2.5-pro",
        r"gemini-2\.5-pro|gemini-3-pro-image|nano-banana-pro",
        efforts={**GEMINI_BUDGETS, "none": 128},
    ),
    # https://ai.google.dev/gemini-api/docs/speech-generation: later ones speak every word, and have a place of its own for how.
    Family("gemini-3.1", r"gemini-3\.1", directed_in_text=True),
    Family("gemini-embedding", r"gemini-embedding", one_input=True, embeds_content=True),
    Family("gemini-embedding-001", r"gemini-embedding-001", embeds_content=False),
)
# https://ai.google.dev/gemma/docs/core/prompt-structure
GEMMA = (Family("gemma", r"gemma"), Family("gemma-3", r"gemma-[123]|gemini-gemma", takes_system=False))
# https://api-docs.deepseek.com/guides/thinking_mode
DEEPSEEK = (
    Family("deepseek", r"deepseek", thinks=UNASKED, forces_tools_thinking=False, wants_reasoning_back=True),
    Family("deepseek-v3", r"deepseek[-_](?:chat|coder|v[23])", thinks=ASKED),
    Family("deepseek-chat", r"deepseek-(?:chat|coder)", wants_reasoning_back=False),
    Family("deepseek-reasoner", r"deepseek-reasoner", thinks=ALWAYS, refuses=LOGPROBS),
    # https://github.com/deepseek-ai/DeepSeek-R1: its prompt ends with the opening tag; what was distilled from it writes both.
    Family("deepseek-r1", r"deepseek-?r1", thinks=ALWAYS, thinking_tags="closing"),
    Family("deepseek-r1-distill", r"deepseek-?r1.*distill", thinking_tags="both"),
)
# https://www.alibabacloud.com/help/en/model-studio/deep-thinking
QWEN = (
    Family("qwen", r"qwen", thinks=UNASKED, forces_tools_thinking=False),
    Family("qwen3", r"qwen-?3", thinking_tags="both"),
    Family("qwen3.5", r"qwen-?3\.[5-9]"),
    Family("qwen-max", r"qwen-(?:plus|max|turbo|flash)|qwen-?3-(?:max|vl-(?:plus|flash))", thinks=ASKED),
    Family("qwen-instruct", r"qwen-?3-(?:coder|.*instruct)|qwen-?(?:v?[12]|coder|mt)", thinks=NEVER),
    Family("qwen3-thinking", r"qwen-?3.*thinking", thinks=ALWAYS, thinking_tags="closing"),
)
QWQ = (Family("qwq", r"(?:qwen-)?qwq", thinks=ALWAYS, thinking_tags="closing"),)
# https://platform.kimi.ai/docs/api/chat, …/docs/api/models-overview: what samples is fixed in models that think, which also want
# their reasoning back with their calls; https://platform.kimi.ai/docs/guide/use-kimi-k2-thinking-model. Since K3 they always think,
# with an effort: https://platform.kimi.ai/docs/guide/use-reasoning-effort.
KIMI = (
    Family(
        "kimi",
        r"kimi",
        drops=("temperature", "top_p", *PENALTIES),
        thinks=ALWAYS,
        efforts=_efforts("low", "low", "low", "high", "high", "max", "max"),
        wants_reasoning_back=True,
    ),
    Family("moonshot", r"moonshot-", thinks=NEVER),
    Family("kimi-k2.5", r"kimi-(?:k2|thinking|latest|vl|dev)", thinks=UNASKED, efforts=None, forces_tools_thinking=False),
    Family("kimi-k2", r"kimi-(?:k2(?!\.|-thinking)|latest|vl|dev)", drops=(), thinks="", wants_reasoning_back=False),
    Family("kimi-thinking", r"kimi-(?:k2-)?thinking|kimi-k2\.7-code", thinks=ALWAYS),
)
# https://docs.z.ai/api-reference/llm/chat-completion: older versions think or do not. Since 5.3 they always think, with an effort:
# https://docs.together.ai/docs/glm-5.3-quickstart.
GLM = (
    Family("glm", r"glm", thinks=ALWAYS, efforts=_efforts("low", "low", "low", "high", "high", "max", "max")),
    Family("glm-5.2", r"glm-(?:[1-4]|z1|5(?:\.[0-2])?(?![.-]?\d))", thinks=UNASKED, efforts=None),
    Family("glm-5.1", r"glm-(?:[1-4]|z1|5(?:[.-][01])?(?![.-]?\d))"),
    Family("glm-4.5", r"glm-(?:4\.[15]|z1)", thinking_tags="both"),
    Family("glm-4", r"glm-(?:[1-3]|4(?!\.[5-9]))", thinks=NEVER),
)
# https://docs.x.ai/developers/model-capabilities/text/reasoning: 4.3 may be told not to, 4.5 and later can't; 4.6 takes `xhigh`.
GROK = (
    Family("grok", r"grok", drops=PENALTIES, refuses=("stop",), thinks=ALWAYS, efforts={**UP_TO_XHIGH, "none": "low"}),
    Family("grok-4.5", r"grok-(?:[1-3]|4(?![.-][6-9]))", efforts=UP_TO_HIGH),
    Family("grok-4.3", r"grok-4[.-]3", efforts={**UP_TO_HIGH, "none": "none"}),
    Family("grok-4", r"grok-(?:4(?:[.-][01](?!\d))?(?!\.\d|-\d(?!\d)|\d)|4[.-]20|code|build)", efforts=NO_EFFORTS),
    Family("grok-3-mini", r"grok-3-mini", efforts={**UP_TO_HIGH, "medium": "high"}),
    Family("grok-non-reasoning", r"grok-(?:.*non-reasoning|[12]|3(?!-mini))", drops=(), refuses=(), thinks=NEVER),
    # https://docs.x.ai/developers/model-capabilities/text/multi-agent
    Family("grok-multi-agent", r"grok-.*multi-agent", efforts=UP_TO_XHIGH, responses_only=True),
    Family("grok-stt", r"grok-stt"),
)
# https://docs.mistral.ai/inference/conversations/reasoning: Large 4 always thinks, the others when they are told to.
MISTRAL = (
    Family("mistral", r"mistral|ministral|pixtral|codestral|devstral|open-mi[sx]tral|mixtral|voxtral", thinks=NEVER),
    Family(
        "mistral-reasoning",
        r"mistral-(?:small(?!-(?:2[45]|24b|3\.))|medium(?!-2[0-5])|large-(?:[4-9]|[1-9]\d(?!\d)|2[6-9])|code-agent|vibe)",
        thinks=ASKED,
        efforts=_efforts("none", "high", "high", "high", "high", "high", "high"),
    ),
    Family(
        "mistral-large-4",
        r"mistral-large-(?:[4-9]|[1-9]\d(?!\d)|2[6-9])",
        efforts=UP_TO_HIGH,
    ),
    # https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference-supported-models-features.html
    Family("mistral-7b", r"mistral-7b|mixtral", takes_system=False),
)
MAGISTRAL = (Family("magistral", r"magistral", thinks=ALWAYS, efforts=NO_EFFORTS, thinking_tags="both"),)
LLAMA = (
    Family("llama", r"llama", thinks=NEVER),
    Family("llama-4", r"llama-?4"),
    Family("llama-base", r"llama-3\.1-405b(?!-instruct)", completes=True),
)
# https://docs.aws.amazon.com/nova/latest/userguide/tool-use-definition.html, …/nova2-userguide/extended-thinking.html
NOVA = (
    Family("nova", r"nova", thinks=NEVER),
    Family(
        "nova-2",
        r"nova-2(?!-sonic|-multimodal)",
        thinks=ASKED,
        efforts=_efforts("none", "low", "low", "medium", "high", "high", "high"),
    ),
)
# https://docs.cohere.com/docs/models
COHERE = (
    Family("command", r"command"),
    Family("command-text", r"command-(?:light-)?text", takes_system=False),
)
# https://docs.ai21.com/reference/jamba-1-6-api-ref
JAMBA = (Family("jamba", r"jamba"), Family("j2", r"j2-", takes_system=False))
# https://docs.aws.amazon.com/bedrock/latest/userguide/titan-models.html
TITAN = (Family("titan-text", r"titan-t", takes_system=False),)
# https://docs.perplexity.ai/getting-started/models/models/sonar-reasoning-pro, https://docs.vllm.ai/en/latest/features/reasoning_outputs/
OTHERS_THAT_THINK = (
    Family("sonar-reasoning", r"sonar-reasoning", thinking_tags="both"),
    Family("r1-1776", r"r1-(?:1776|distill)", thinking_tags="both"),
    # https://platform.minimax.io/docs/guides/text-generation: since M3.1 they always think, as hard as they are told.
    Family("minimax", r"minimax-m", thinks=ALWAYS, efforts=UP_TO_MAX_AT_LEAST_LOW, thinking_tags="both"),
    Family("minimax-m3", r"minimax-m(?:1|2(?:[.-]\d)?|3)(?![.-]?\d)", thinks="", efforts=None),
    Family("nemotron", r".*nemotron", thinks="", thinking_tags="both"),
    Family("exaone-deep", r"exaone-deep", thinking_tags="both"),
    Family("smollm", r"smollm-?3", thinking_tags="both"),
    Family("phi-reasoning", r"phi-4.*reasoning", thinking_tags="both"),
    # https://dev.meta.ai/docs/protocols/chat-completions: it always reasons. `max` is not everywhere:
    # https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/partner-models/meta/muse-spark-1-3. The open one has no
    # `minimal`: https://console.groq.com/docs/model/meta-models/muse-spark-open
    Family("muse", r"muse-", thinks=ALWAYS, efforts={**UP_TO_XHIGH, "none": "minimal", "minimal": "minimal"}),
    Family("muse-open", r"muse-.*(?:open|glimmer)", efforts={**UP_TO_XHIGH, "none": "low"}),
    # https://www.volcengine.com/docs/82379/1494384: `max_tokens` does not count their reasoning.
    Family("doubao-seed", r"doubao-seed", limit_name="max_completion_tokens"),
    # https://platform.xiaomimimo.com/docs/en-US/api/chat/openai-api
    Family("mimo", r"mimo", thinks=UNASKED, wants_reasoning_back=True),
    # https://console.groq.com/docs/compound
    Family("compound", r"compound"),
)
ANY = (
    Family("thinking", r".*thinking", thinking_tags="both"),
    # Models that the catalogue has among those for chat, but that are made for one purpose.
    Family(
        "single-purpose",
        r".*(?:guard|shield|moderation|ocr|embed|rerank|transcribe|tts|computer-use|deep-research|-live|realtime)",
        assistant=False,
    ),
)

GROUPS: Groups = (
    *MEDIA_GROUPS,
    (("",), ANY),
    (("claude",), CLAUDE),
    (("gpt-", "chat-latest"), GPT),
    (("o1", "o2", "o3", "o4", "o5", "codex-mini"), O_SERIES),
    (("davinci", "babbage", "dall-e"), OPENAI_OTHERS),
    (("gemini", "nano-banana"), GEMINI),
    (("gemma",), GEMMA),
    (("deepseek",), DEEPSEEK),
    (("qwen",), QWEN),
    (("qwq",), QWQ),
    (("kimi", "moonshot-"), KIMI),
    (("glm",), GLM),
    (("grok",), GROK),
    (("mistral", "ministral", "mixtral", "pixtral", "codestral", "devstral", "voxtral"), MISTRAL),
    (("magistral",), MAGISTRAL),
    (("llama",), LLAMA),
    (("nova",), NOVA),
    (("command",), COHERE),
    (("jamba", "j2-"), JAMBA),
    (("titan",), TITAN),
    (("sonar", "r1-", "minimax", "nemotron", "exaone", "smollm", "phi-4", "doubao", "mimo", "compound", "muse"), OTHERS_THAT_THINK),
)

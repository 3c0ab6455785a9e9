"""Prices that the snapshot lacks or has wrong, each from its vendor's own page. Data only; `build_prices.py` puts them in.

Each entry replaces the snapshot's of the same name: the page, the mode, and the rates in USD as they are printed there; of a model
that the snapshot lacks its limits as well. `make prices ARGS=--vendors` puts them into the table and fetches nothing.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

Rates = Mapping[str, str | int]
"""What `data/README.md` of the package names: `input_cost_per_token` and others, and `max_input_tokens`, `max_output_tokens`."""


class Priced(NamedTuple):
    source: str
    mode: str
    rates: Mapping[str, Rates]
    """By name in the table, such as `openai/dall-e-3#hd/1024-x-1792`."""


class Fee(NamedTuple):
    """What a kind of models has, each of them, where the snapshot does not say otherwise."""

    source: str
    models: str
    """A pattern of their names in the table."""
    rates: Mapping[str, object]
    """As the snapshot writes them."""


# Rows of the snapshot that others have otherwise. ElevenLabs: 40 and 80 USD a million characters; who read the vendor's page in May
# and June 2026 had 50 and 100 (hail-hq/hail, developer.puter.com), and resellers of November ask for what 40 leads to (Venice)
# or for 100 (WaveSpeed). The plans, copied on 4 May 2026 (github.com/api-evangelist/elevenlabs), sell credits, a million
# of them for 165 to 200 USD.
FEES = (
    # Ten dollars a thousand, whichever model asks; not at Bedrock, where it does not search.
    Fee(
        "https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool#usage-and-pricing",
        r"(anthropic|azure_ai|vertex_ai)/claude-(?!3-haiku|3-opus|3-sonnet).*",
        {"search_context_cost_per_query": {"search_context_size_medium": "0.01"}},
    ),
    # "Built-in tools": a cent for each use.
    Fee(
        "https://docs.z.ai/guides/overview/pricing",
        r"zai/.*",
        {"search_context_cost_per_query": {"search_context_size_medium": "0.01"}},
    ),
    # Half a cent for each call of `$web_search` that the model makes, whether its client goes on or not.
    Fee(
        "https://platform.kimi.ai/docs/pricing/tools",
        r"moonshot/.*",
        {"search_context_cost_per_query": {"search_context_size_medium": "0.005"}},
    ),
    # Ten dollars a thousand in Singapore; a twentieth of it in China, where the table has the prices of Singapore as well.
    Fee(
        "https://www.alibabacloud.com/help/en/model-studio/web-search",
        r"dashscope/.*",
        {"search_context_cost_per_query": {"search_context_size_medium": "0.01"}},
    ),
    # A page that its browser opens, a dollar a thousand; the snapshot has what a search costs.
    Fee("https://groq.com/pricing", r"groq/openai/gpt-oss-.*", {"page_visit_cost_per_query": "0.001"}),
    *(
        Fee("https://docs.z.ai/guides/overview/pricing", rf"zai/glm-4\.5{name}", {"cache_read_input_token_cost": price})
        for name, price in {"v?": "0.00000011", "-air": "0.00000003", "-airx": "0.00000022", "-x": "0.00000045"}.items()
    ),
)


class Newer(NamedTuple):
    """A model that came after the snapshot: as another one is, but for its prices of tokens. The snapshot's own line is better."""

    source: str
    name: str
    like: str
    factor: Decimal = Decimal(1)
    """What the other's prices of tokens are multiplied by."""
    rates: Rates | None = None
    """Or the prices of tokens themselves."""
    facts: Mapping[str, object] | None = None
    """What else differs, as the snapshot writes it."""


CLAUDE_5_2 = "https://platform.claude.com/docs/en/about-claude/pricing"
GPT_6_2 = "https://developers.openai.com/api/docs/models/gpt-6.2-sol"
ASTRA_6_2 = "https://developers.openai.com/api/docs/models/gpt-6.2-astra"
GOOGLES = "https://ai.google.dev/gemini-api/docs/pricing", "https://cloud.google.com/vertex-ai/generative-ai/pricing"
MINIMAX = "https://platform.minimax.io/docs/guides/pricing-paygo"
Z_AI = "https://docs.z.ai/guides/overview/pricing"
FAST: Mapping[str, object] = {"provider_specific_entry": {"fast": "2", "us": "1.1"}}


def token_rates(read: str, write: str, cached: str, cache_write: str = "") -> Rates:
    """In USD a million, as pages print them."""
    printed = {
        "input_cost_per_token": read,
        "output_cost_per_token": write,
        "cache_read_input_token_cost": cached,
        "cache_creation_input_token_cost": cache_write,
    }
    return {name: f"{Decimal(price) / 1_000_000:f}" for name, price in printed.items() if price}


NEWER = (
    *(
        Newer(CLAUDE_5_2, f"anthropic/claude-{name}-5-2", f"anthropic/claude-{name}-5-1", Decimal("0.8"), facts=FAST)
        for name in ("fable", "mythos")
    ),
    Newer(
        "https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/partner-models/claude/fable-5-2",
        "vertex_ai/claude-fable-5-2",
        "vertex_ai/claude-fable-5-1",
        Decimal("0.8"),
        facts={"provider_specific_entry": {"fast": "2"}},
    ),
    *(
        Newer(
            "https://aws.amazon.com/bedrock/pricing/",
            f"bedrock/{area}anthropic.claude-fable-5-2",
            f"bedrock/{area}anthropic.claude-fable-5-1",
            Decimal("0.8"),
        )
        for area in ("", "us.", "eu.", "global.")
    ),
    Newer(GPT_6_2, "openai/gpt-6.2-sol", "openai/gpt-6.1-sol"),
    Newer(ASTRA_6_2, "openai/gpt-6.2-astra", "openai/gpt-6.1-sol", Decimal(4)),
    *(
        newer
        for provider, page in zip(("gemini", "vertex_ai"), GOOGLES, strict=True)
        for newer in (
            Newer(page, f"{provider}/gemini-4-carbon", f"{provider}/gemini-4-argon"),
            Newer(page, f"{provider}/gemini-4-neon", f"{provider}/gemini-4-hydrogen", Decimal(2)),
        )
    ),
    *(
        Newer(
            MINIMAX,
            f"minimax/MiniMax-M2.7{speed}",
            "minimax/MiniMax-M2.5",
            rates=token_rates(read, write, "0.06", "0.375"),
            facts={"max_input_tokens": 204_800, "max_output_tokens": 131_072},
        )
        for speed, read, write in (("", "0.3", "1.2"), ("-highspeed", "0.6", "2.4"))
    ),
    Newer(MINIMAX, "minimax/MiniMax-M3.1-Flash", "minimax/MiniMax-M3", rates=token_rates("0.15", "0.6", "0.015")),
    Newer("https://platform.kimi.ai/docs/pricing/chat", "moonshot/kimi-k2.7-code-highspeed", "moonshot/kimi-k2.7-code", Decimal(2)),
    Newer(Z_AI, "zai/glm-5-turbo", "zai/glm-5", rates=token_rates("1.2", "4", "0.24")),
    Newer(Z_AI, "zai/glm-5.3-flashx", "zai/glm-5.3-flash", rates=token_rates("0.37", "1.25", "0.075")),
    Newer(Z_AI, "zai/glm-4.7-flashx", "zai/glm-4.7", rates=token_rates("0.07", "0.4", "0.01")),
    Newer(Z_AI, "zai/glm-4.6v", "zai/glm-4.5v", rates=token_rates("0.3", "0.9", "0.05")),
    Newer(
        "https://docs.mistral.ai/models/devstral-2-25-12",
        "mistral/devstral-2512",
        "mistral/devstral-medium-latest",
    ),
    *(
        Newer(
            "https://developers.cloudflare.com/workers-ai/platform/pricing/",
            f"cloudflare/@cf/{name}",
            "cloudflare/@cf/zai-org/glm-5.2",
            rates=token_rates(*prices),
            facts={"max_input_tokens": 1_048_576, "max_output_tokens": 1_048_576},
        )
        for name, prices in {
            "deepseek-ai/deepseek-v4-flash-0731": ("0.44", "1.32", "0.014"),
            "deepseek-ai/deepseek-v4-pro-0813": ("1.32", "3.96", "0.044"),
            "deepseek-ai/deepseek-v4.1-flash-1017": ("0.3", "1.2", "0.006"),
            "zai-org/glm-5.3": ("1.4", "4.4", "0.26"),
            "zai-org/glm-5.3-flash": ("0.15", "0.5", "0.03"),
        }.items()
    ),
)


class Change(NamedTuple):
    """A price that a vendor changes after the snapshot, while that has the old one."""

    source: str
    models: str
    """A pattern of their names in the table."""
    was: str
    """What a token of the prompt costs there."""
    factor: Decimal
    """Of all prices of tokens."""


CHANGES = (
    # An introductory price until 30 November 2026.
    Change(
        "https://ai.google.dev/gemini-api/docs/generate-content/latest-model",
        r"(gemini|vertex_ai)/gemini-4-(argon|carbon)",
        "0.000002",
        Decimal(2),
    ),
)


class Uplift(NamedTuple):
    """What a service tier costs, as a multiple of the ordinary rates of tokens, where the snapshot has no rates of it."""

    source: str
    models: str
    """A pattern of their names in the table."""
    tier: str
    """As the endings of rates have it."""
    factor: Decimal


UPLIFTS = (
    # Billed only where an answer says that it was served at this tier.
    Uplift("https://deepinfra.com/blog/priority-service-tier", r"deepinfra/.*", "priority", Decimal("1.5")),
    # `performanceConfig` with a latency that is optimized, where an answer says that it was: 1.00 and 4.00 USD a million of Nova
    # Pro for 0.80 and 3.20, and likewise of the others.
    Uplift(
        "https://aws.amazon.com/bedrock/pricing/",
        r"bedrock/(us\.)?(amazon\.nova-pro-v1:0|anthropic\.claude-3-5-haiku-.*|meta\.llama3-1-(70b|405b)-instruct-v1:0)",
        "optimized",
        Decimal("1.25"),
    ),
)


NOT_RETIRED: Mapping[str, str] = {
    # The day before which it is surely served, which the snapshot has for the last one, in one place of seven.
    "bedrock/eu.anthropic.claude-haiku-4-5-20251001-v1:0": "https://docs.aws.amazon.com/bedrock/latest/userguide/model-lifecycle.html",
}
"""Models that have no day of retirement, and the page that says so."""


def images(provider: str, prices: Mapping[str, str]) -> dict[str, Rates]:
    return {f"{provider}/{name}": {"output_cost_per_image": price} for name, price in prices.items()}


IMAGEN = {
    "imagen-3.0-generate-001": "0.04",
    "imagen-3.0-generate-002": "0.04",
    "imagen-3.0-fast-generate-001": "0.02",
    "imagen-4.0-generate-001": "0.04",
    "imagen-4.0-fast-generate-001": "0.02",
    "imagen-4.0-ultra-generate-001": "0.06",
}
GROK = {
    "grok-imagine-image": "0.02",
    "grok-imagine-image-2026-03-02": "0.02",
    "grok-imagine-image-2.0": "0.06",
    "grok-imagine-image-2.0#low/1024-x-1024": "0.04",
    "grok-imagine-image-pro": "0.05",
    "grok-imagine-image-quality": "0.05",
    "grok-imagine-image-quality-20260403": "0.05",
    "grok-imagine-image-quality-latest": "0.05",
    "grok-2-image": "0.07",
    "grok-2-image-1212": "0.07",
}

PRICED = (
    # By the minute; who is told apart costs 40% more.
    Priced(
        "https://fireworks.ai/pricing",
        "audio_transcription",
        {
            "fireworks_ai/whisper-v3#plain": {"input_cost_per_second": "0.000025"},
            "fireworks_ai/whisper-v3#diarized": {"input_cost_per_second": "0.000035"},
            "fireworks_ai/whisper-v3-turbo#plain": {"input_cost_per_second": "0.000015"},
            "fireworks_ai/whisper-v3-turbo#diarized": {"input_cost_per_second": "0.000021"},
        },
    ),
    # What is asked in words is counted with the sound.
    Priced(
        "https://cloud.google.com/gemini-enterprise-agent-platform/generative-ai/pricing",
        "audio_transcription",
        {"vertex_ai/gemini-3.5-transcribe": {"input_cost_per_token": "0.000002", "output_cost_per_token": "0.000012"}},
    ),
    # Retired on 12 May 2026.
    Priced(
        "https://platform.openai.com/docs/models/dall-e-3",
        "image_generation",
        images(
            "openai",
            {
                "dall-e-3#standard/1024-x-1024": "0.04",
                "dall-e-3#standard/1024-x-1792": "0.08",
                "dall-e-3#standard/1792-x-1024": "0.08",
                "dall-e-3#hd/1024-x-1024": "0.08",
                "dall-e-3#hd/1024-x-1792": "0.12",
                "dall-e-3#hd/1792-x-1024": "0.12",
            },
        ),
    ),
    Priced(
        "https://platform.openai.com/docs/models/dall-e-2",
        "image_generation",
        images(
            "openai",
            {"dall-e-2#256-x-256": "0.016", "dall-e-2#512-x-512": "0.018", "dall-e-2#1024-x-1024": "0.02"},
        ),
    ),
    Priced("https://cloud.google.com/vertex-ai/generative-ai/pricing", "image_generation", images("vertex_ai", IMAGEN)),
    Priced(
        "https://cloud.google.com/vertex-ai/generative-ai/pricing",
        "image_generation",
        images("vertex_ai", {"imagegeneration@005": "0.02", "imagegeneration@006": "0.02", "imagen-3.0-capability-001": "0.04"}),
    ),
    Priced("https://ai.google.dev/gemini-api/docs/pricing", "image_generation", images("gemini", IMAGEN)),
    # The snapshot has what an image costs that is made under the name of one that is read.
    Priced("https://docs.x.ai/docs/models", "image_generation", images("xai", GROK)),
    # Up to 1024 x 1024, and above; https://docs.aws.amazon.com/nova/latest/userguide/image-gen-access.html
    Priced(
        "https://aws.amazon.com/bedrock/pricing/",
        "image_generation",
        images(
            "bedrock",
            {
                f"{name}#{line}": price
                for name in ("amazon.nova-canvas-v1:0", "us.amazon.nova-canvas-v1:0")
                for line, price in {
                    "standard/1024-x-1024": "0.04",
                    "premium/1024-x-1024": "0.06",
                    "standard/max-x-max": "0.06",
                    "premium/max-x-max": "0.08",
                }.items()
            },
        ),
    ),
    Priced(
        "https://aws.amazon.com/bedrock/pricing/",
        "image_generation",
        images(
            "bedrock",
            {
                f"{name}#{line}": price
                for name in ("amazon.titan-image-generator-v1", "amazon.titan-image-generator-v2:0")
                for line, price in {
                    "standard/512-x-512": "0.008",
                    "premium/512-x-512": "0.01",
                    "standard/max-x-max": "0.01",
                    "premium/max-x-max": "0.012",
                }.items()
            },
        ),
    ),
    Priced(
        "https://www.recraft.ai/docs/api-reference/pricing",
        "image_generation",
        images(
            "recraft",
            {
                "recraftv2": "0.022",
                "recraftv2_vector": "0.044",
                "recraftv3": "0.04",
                "recraftv3_vector": "0.08",
                "recraftv4_1": "0.035",
                "recraftv4_1_flash": "0.007",
            },
        ),
    ),
    # By the megapixel; the snapshot has none. Others say 0.0154 USD for an image of FLUX.1-dev in May 2026 (workflowlab.dev);
    # the page has 0.025 a megapixel, the dearer of the two. Who copied it on 8 May 2026 (github.com/api-evangelist/together-ai) has
    # only a range, 0.0006 to 0.134 USD an image, which these are within.
    Priced(
        "https://www.together.ai/pricing",
        "image_generation",
        {
            f"together_ai/black-forest-labs/{name}": {"output_cost_per_pixel": price}
            for name, price in {
                "FLUX.1-schnell": "0.0000000027",
                "FLUX.1-dev": "0.000000025",
                "FLUX.1.1-pro": "0.00000004",
                "FLUX.1-pro": "0.00000005",
                "FLUX.1-kontext-dev": "0.000000025",
                "FLUX.1-kontext-pro": "0.00000004",
                "FLUX.1-kontext-max": "0.00000008",
            }.items()
        },
    ),
    # Priced by the step, of which an image takes these by default: 30, 28 and 4. The snapshot takes steps for tokens. Who copied
    # the page on 7 October 2026 (github.com/api-evangelist/fireworks-ai) has no images, no sound and no rerankers of it.
    Priced(
        "https://fireworks.ai/pricing",
        "image_generation",
        images(
            "fireworks_ai/accounts/fireworks/models",
            {
                "SSD-1B": "0.0039",
                "japanese-stable-diffusion-xl": "0.0039",
                "playground-v2-1024px-aesthetic": "0.0039",
                "playground-v2-5-1024px-aesthetic": "0.0039",
                "stable-diffusion-xl-1024-v1-0": "0.0039",
                "flux-1-dev-fp8": "0.014",
                "flux-1-schnell-fp8": "0.0014",
                "flux-kontext-pro": "0.04",
                "flux-kontext-max": "0.08",
            },
        ),
    ),
    # A voice is a model, named after its generation; the snapshot has none of them. The page, and who copied it in May 2026
    # (github.com/api-evangelist/deepgram), agree.
    Priced(
        "https://deepgram.com/pricing",
        "audio_speech",
        {
            "deepgram/aura": {"input_cost_per_character": "0.000015"},
            "deepgram/aura-2": {"input_cost_per_character": "0.00003"},
        },
    ),
    # The kinds of voices besides Chirp's, which the snapshot has. Reports of 2024 have 16 USD a million for WaveNet's, up to 24 for
    # Neural2's; the page has 4 and 16 since, and SignalWire bills WaveNet's with the standard ones, too.
    Priced(
        "https://cloud.google.com/text-to-speech/pricing",
        "audio_speech",
        {
            "vertex_ai/neural2": {"input_cost_per_character": "0.000016"},
            "vertex_ai/standard": {"input_cost_per_character": "0.000004"},
            "vertex_ai/studio": {"input_cost_per_character": "0.00016"},
            "vertex_ai/wavenet": {"input_cost_per_character": "0.000004"},
        },
    ),
    # The snapshot has what it was before September 2024.
    Priced(
        "https://mistral.ai/pricing",
        "chat",
        {"mistral/open-mistral-nemo": {"input_cost_per_token": "0.00000015", "output_cost_per_token": "0.00000015"}},
    ),
    # Free; the snapshot leaves out what is zero.
    Priced(
        "https://platform.openai.com/docs/guides/moderation",
        "moderation",
        {
            f"openai/{name}": {"input_cost_per_token": "0"}
            for name in (
                "omni-moderation-2024-09-26",
                "omni-moderation-latest",
                "text-moderation-latest",
                "text-moderation-stable",
            )
        },
    ),
    # Resellers ask 0.05 USD a million (naga.ac) or so much a request; who quotes the page has 0.10 (hardais.com).
    Priced(
        "https://mistral.ai/pricing",
        "moderation",
        {f"mistral/mistral-moderation-{version}": {"input_cost_per_token": "0.0000001"} for version in ("2411", "2603", "latest")},
    ),
    # By the text of a thousand characters, and by the image. That of a text is Microsoft's own answer as well:
    # https://learn.microsoft.com/en-us/answers/questions/5533653/why-are-content-safety-input-tokens-so-expensive-h
    Priced(
        "https://azure.microsoft.com/pricing/details/cognitive-services/content-safety/",
        "moderation",
        {"azure_ai/content-safety": {"input_cost_per_query": "0.00038", "input_cost_per_image": "0.00075"}},
    ),
    # The most that a text of a thousand characters may cost: content, topics, personal data, grounding, and two policies of
    # reasoning. Each answer says which of them there were. 0.15 USD a thousand for content and for topics, since December 2024, and
    # 0.10 for personal data are what everybody has (techjacksolutions.com on 14 May 2026, too); grounding and reasoning stand
    # on the page alone.
    Priced(
        "https://aws.amazon.com/bedrock/pricing/",
        "moderation",
        {"bedrock/guardrail": {"input_cost_per_query": "0.00084", "input_cost_per_image": "0.00075"}},
    ),
    # Each model's own page says the same: 0.010 and 0.050 USD a million. Fireworks' smaller ones stand nowhere, and stay unpriced.
    Priced(
        "https://deepinfra.com/Qwen/Qwen3-Reranker-8B",
        "rerank",
        {
            "deepinfra/Qwen/Qwen3-Reranker-0.6B": {"input_cost_per_token": "0.00000001"},
            "deepinfra/Qwen/Qwen3-Reranker-8B": {"input_cost_per_token": "0.00000005"},
        },
    ),
    # One price of a token for all of its models.
    Priced(
        "https://jina.ai/reranker/",
        "rerank",
        {f"jina_ai/{name}": {"input_cost_per_token": "0.00000005"} for name in ("jina-reranker-m0", "jina-reranker-v3")},
    ),
)


def rows() -> Iterator[tuple[str, dict[str, object]]]:
    """The rows by name, as the snapshot writes them."""
    for priced in PRICED:
        for name, rates in priced.rates.items():
            yield name, {"mode": priced.mode, **rates}

"""One name for a model, however a host spells it."""

import pytest

from haimaker.models.names import canonical


@pytest.mark.parametrize(
    ("provider", "model", "name"),
    [
        ("bedrock", "us.zeta.zeta-9-v1:0", "zeta-9"),
        ("vertex_ai", "zeta-9@20260101", "zeta-9"),
        ("vertex_ai", "zeta-9@default", "zeta-9"),
        ("vertex_ai", "zeta/zeta-9-maas", "zeta-9"),
        ("fireworks_ai", "accounts/fireworks/models/zeta-9", "zeta-9"),
        ("bedrock", "us-gov.anthropic.claude-haiku-5-5", "claude-haiku-5.5"),
        ("bedrock", "us.anthropic.claude-opus-4-6-v1", "claude-opus-4.6"),
        ("bedrock", "anthropic.claude-3-5-sonnet-20241022-v2:0", "claude-3.5-sonnet"),
        ("bedrock", "anthropic.claude-v2:1", "claude-v2"),
        ("bedrock", "anthropic.claude-instant-v1", "claude-instant"),
        ("bedrock", "us.deepseek.r1-v1:0", "deepseek-r1"),
        ("bedrock", "amazon.nova-pro-v1:0:300k", "nova-pro"),
        ("bedrock", "amazon.titan-embed-text-v2:0", "titan-embed-text-v2"),
        ("bedrock", "cohere.embed-v4:0", "embed-v4"),
        ("bedrock", "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-opus-5-5", "claude-opus-5.5"),
        ("bedrock", "arn:aws:bedrock:us-east-1:1:inference-profile/eu.amazon.nova-lite-v1:0", "nova-lite"),
        ("bedrock", "arn:aws:bedrock:us-east-1:1:application-inference-profile/a1b2", "a1b2"),
        ("bedrock", "bedrock/us.anthropic.claude-opus-5-5", "claude-opus-5.5"),
        ("databricks", "databricks-claude-opus-5-5", "claude-opus-5.5"),
        ("databricks", "system.ai.gemini-4-carbon", "gemini-4-carbon"),
        ("openai", "ft:gpt-4o-mini-2024-07-18:org::id", "gpt-4o-mini"),
        ("openai", "gpt-5-2025-08-07", "gpt-5"),
        ("openai", "gpt-4-0613", "gpt-4-0613"),
        ("azure", "eu/gpt-5.5-2026-04-23", "gpt-5.5"),
        ("together_ai", "deepseek-ai/DeepSeek-R1-Distill-Llama-70B", "deepseek-r1-distill-llama-70b"),
        ("cerebras", "zai-glm-4.6", "glm-4.6"),
        ("cloudflare", "@cf/meta/llama-3.3-70b-instruct-fp8-fast", "llama-3.3-70b-instruct-fp8-fast"),
        ("hyperbolic", "meta-llama/Meta-Llama-3.1-405B", "llama-3.1-405b"),
        ("ollama", "qwen3:8b", "qwen3:8b"),
        ("gemini", "models/gemini-2.5-flash", "gemini-2.5-flash"),
        ("azure_ai", "FW-DeepSeek-V4.1-Flash", "deepseek-v4.1-flash"),
        ("aihubmix", "cc-glm-5.1", "glm-5.1"),
        ("aihubmix", "coding-kimi-k3", "kimi-k3"),
        ("morph", "morph-glm53flash", "glm53flash"),
        ("ovhcloud", "mamba-codestral-7B-v0.1", "codestral-7b-v0.1"),
        ("azure_ai", "Cohere-command-a-plus-05-2026", "command-a-plus-05-2026"),
        ("databricks", "databricks-meta-llama-3-3-70b-instruct", "llama-3.3-70b-instruct"),
        ("databricks", "databricks-gemini-2-5-pro", "gemini-2.5-pro"),
        ("databricks", "databricks-kimi-k2-7", "kimi-k2.7"),
        ("fireworks_ai", "accounts/fireworks/models/glm-5p2-fast", "glm-5.2-fast"),
        ("fireworks_ai", "accounts/fireworks/models/deepseek-v4p1-flash-1017", "deepseek-v4.1-flash-1017"),
        ("fireworks_ai", "accounts/fireworks/models/kimi-k3p1-pro#accounts/me/deployments/d1", "kimi-k3.1-pro"),
        ("bedrock", "us.meta.llama3-3-70b-instruct-v1:0", "llama3.3-70b-instruct"),
        ("azure_ai", "grok-4-20-non-reasoning", "grok-4.20-non-reasoning"),
        ("xai", "grok-4-0709", "grok-4-0709"),
        ("openai", "gpt-4-32k", "gpt-4-32k"),
        ("moonshot", "kimi-k2-0905", "kimi-k2-0905"),
        ("anthropic", "claude-3-7-sonnet-20250219", "claude-3.7-sonnet"),
        ("anthropic", "claude-sonnet-4-20250514", "claude-sonnet-4"),
        ("together_ai", "mistralai/Ministral-3-14B-Instruct-2512", "ministral-3-14b-instruct-2512"),
        ("deepinfra", "google/gemma-3-12b-it", "gemma-3-12b-it"),
        ("novita", "deepseek/deepseek-r1/community", "deepseek-r1"),
        ("x", "", ""),
    ],
)
def test_canonical(provider: str, model: str, name: str) -> None:
    assert canonical(provider, model) == name


def test_a_date_can_stay() -> None:
    assert canonical("openai", "gpt-4o-2024-05-13", dated=True) == "gpt-4o-2024-05-13"
    assert canonical("openai", "o3-2025-04-16", dated=True) == "o3-2025-04-16"

"""What the documentation lists of providers is what their definitions say."""

import re
from pathlib import Path

import pytest

from haimaker.providers.registry import all_providers

DOCS = Path(__file__).parents[3] / "docs"
NAMES = {
    "anthropic": "Anthropic",
    "azure": "Azure",
    "azure_ai": "Azure AI Foundry",
    "bedrock": "Bedrock",
    "databricks": "Databricks",
    "deepseek": "DeepSeek",
    "fireworks_ai": "Fireworks",
    "gemini": "Gemini",
    "bedrock_mantle": "Bedrock Mantle",
    "groq": "Groq",
    "huggingface": "Hugging Face",
    "minimax": "MiniMax",
    "mistral": "Mistral",
    "moonshot": "Moonshot",
    "openai": "OpenAI",
    "openrouter": "OpenRouter",
    "together_ai": "Together",
    "vertex_ai": "Vertex AI",
    "xai": "xAI",
    "zai": "Z.ai",
}
"""What pages call providers."""


def test_the_table_of_batches_has_each_provider_that_has_them_and_how_many_lines_it_takes() -> None:
    page = (DOCS / "batches.md").read_text("utf-8").partition("| provider | what is sent |")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines()[2:]]
    told, before = {}, ""
    for name, _, _, size in rows:
        told[name.removesuffix(" OpenAI")] = before = before if size == "the same" else size
    found = {}
    for provider in all_providers():
        if limits := provider.batches:
            least = f"{limits.least_lines} to " if limits.least_lines > 1 else ""
            size = f"{least}{limits.most_lines:,} lines, {limits.most_bytes // 1024**2} MB"
            found[NAMES[provider.name.removesuffix("_invoke")]] = size
    assert told == found


@pytest.mark.parametrize(
    ("operation", "begins"), [("messages", "Programs that speak Anthropic's"), ("responses", "- **As it is** at OpenAI and Azure")]
)
def test_the_page_of_formats_names_each_provider_that_speaks_one(operation: str, begins: str) -> None:
    [paragraph] = re.findall(rf"^{re.escape(begins)}.*$", (DOCS / "formats.md").read_text("utf-8"), re.MULTILINE)
    speak = [NAMES[provider.name] for provider in all_providers() if operation in provider.operations]
    assert len(speak) >= 5
    assert [name for name in speak if name not in paragraph] == []

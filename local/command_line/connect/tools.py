"""The tools that can be pointed at a gateway: what their configuration says, and where it is. Pure.

Each entry has the tool's own page. A tool without files is told in words or as code.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

Kind = Literal["json", "toml", "yaml", "env", "list"]


class Endpoint(NamedTuple):
    """What a tool is told."""

    url: str
    """With `/v1` at its end."""
    key: str
    model: str

    @property
    def root(self) -> str:
        """The address without `/v1`, for clients that add it themselves."""
        return self.url.removesuffix("/v1")


class File(NamedTuple):
    """A part of a tool's configuration: in JSON a tree of values, else values by their names at the top, and lines at the end."""

    kind: Kind
    path: str
    """Below the home folder, or below what the variable names."""
    values: Callable[[Endpoint], Mapping[str, Any]]
    lines: Callable[[Endpoint], Sequence[str]] = lambda endpoint: ()
    """In a list, the entry that is added to the one of `values`."""
    variable: str = ""
    """Of the environment: replaces the folder that `path` begins with."""


class Tool(NamedTuple):
    name: str
    page: str
    format: Literal["chat", "responses", "messages", "generate_content"]
    prefers: Sequence[str]
    """Models that it is meant for, the first that is there is taken; names as the gateway has them."""
    files: Sequence[File] = ()
    say: Callable[[Endpoint], str] | None = None
    """What is to be done by hand, or a program."""


GPT = ("openai/gpt-5.6", "openai/gpt-5.2-codex", "openai/gpt-5-codex", "openai/gpt-5")
CLAUDE = ("anthropic/claude-sonnet-5-5", "anthropic/claude-sonnet-5", "anthropic/claude-sonnet-4-6", "anthropic/claude-sonnet-4-5")
GEMINI = ("gemini/gemini-3.8-flash", "gemini/gemini-3.1-pro-preview", "gemini/gemini-2.5-pro")
ANY = (*CLAUDE, *GPT, *GEMINI)
DEMO = ("demo/agent", "demo/echo")
"""Where no provider is on."""


def _codex_provider(endpoint: Endpoint) -> Sequence[str]:
    return (
        "[model_providers.haimaker]",
        'name = "haimaker"',
        f"base_url = {json.dumps(endpoint.url)}",
        'wire_api = "responses"',
        f"experimental_bearer_token = {json.dumps(endpoint.key)}",
    )


def _opencode(endpoint: Endpoint) -> Mapping[str, Any]:
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "haimaker",
        "options": {"baseURL": endpoint.url, "apiKey": endpoint.key},
        "models": {endpoint.model: {"name": endpoint.model}},
    }
    return {"provider": {"haimaker": provider}, "model": f"haimaker/{endpoint.model}"}


def _claude(endpoint: Endpoint) -> Mapping[str, Any]:
    """One model for every size that it asks for: a name that the gateway does not know would fail in the middle of a task."""
    sizes = {f"ANTHROPIC_DEFAULT_{size}_MODEL": endpoint.model for size in ("OPUS", "SONNET", "HAIKU")}
    address = {"ANTHROPIC_BASE_URL": endpoint.root, "ANTHROPIC_AUTH_TOKEN": endpoint.key, "ANTHROPIC_MODEL": endpoint.model}
    return {"env": {**address, **sizes}}


def _continue(endpoint: Endpoint) -> Sequence[str]:
    return (
        "  - name: haimaker",
        "    provider: openai",
        f"    model: {json.dumps(endpoint.model)}",
        f"    apiBase: {json.dumps(endpoint.url)}",
        f"    apiKey: {json.dumps(endpoint.key)}",
    )


def _openai_form(endpoint: Endpoint) -> str:
    return "\n".join(
        (
            'API provider: "OpenAI Compatible"',
            f"Base URL:     {endpoint.url}",
            f"API key:      {endpoint.key}",
            f"Model ID:     {endpoint.model}",
        )
    )


def _open_webui(endpoint: Endpoint) -> str:
    return (
        f"docker run -d -p 3000:8080 -e OPENAI_API_BASE_URL={endpoint.url} -e OPENAI_API_KEY={endpoint.key} \\\n"
        "    -v open-webui:/app/backend/data --name open-webui ghcr.io/open-webui/open-webui:main\n\n"
        "From inside a container this machine is host.docker.internal, not 127.0.0.1; or set both in Admin Settings, Connections."
    )


def _langchain(endpoint: Endpoint) -> str:
    return f"""from langchain_openai import ChatOpenAI

model = ChatOpenAI(model={json.dumps(endpoint.model)}, base_url={json.dumps(endpoint.url)}, api_key={json.dumps(endpoint.key)})
print(model.invoke("Say hello").content)"""


def _ai_sdk(endpoint: Endpoint) -> str:
    return f"""import {{ createOpenAICompatible }} from "@ai-sdk/openai-compatible";
import {{ generateText }} from "ai";

const haimaker = createOpenAICompatible({{
  name: "haimaker",
  baseURL: {json.dumps(endpoint.url)},
  apiKey: {json.dumps(endpoint.key)},
}});
const {{ text }} = await generateText({{ model: haimaker({json.dumps(endpoint.model)}), prompt: "Say hello" }});
console.log(text);"""


def _openai_sdk(endpoint: Endpoint) -> str:
    return f"""from openai import OpenAI

client = OpenAI(base_url={json.dumps(endpoint.url)}, api_key={json.dumps(endpoint.key)})
answer = client.chat.completions.create(model={json.dumps(endpoint.model)}, messages=[{{"role": "user", "content": "Say hello"}}])
print(answer.choices[0].message.content)"""


def _anthropic_sdk(endpoint: Endpoint) -> str:
    return f"""from anthropic import Anthropic

client = Anthropic(base_url={json.dumps(endpoint.root)}, auth_token={json.dumps(endpoint.key)})
answer = client.messages.create(
    model={json.dumps(endpoint.model)}, max_tokens=100, messages=[{{"role": "user", "content": "Say hello"}}]
)
print(answer.content[0].text)"""


TOOLS: Mapping[str, Tool] = {
    tool.name: tool
    for tool in (
        Tool(
            "codex",
            "https://developers.openai.com/codex/config-reference",
            "responses",
            GPT,
            (
                File(
                    "toml",
                    ".codex/config.toml",
                    lambda endpoint: {"model": endpoint.model, "model_provider": "haimaker"},
                    _codex_provider,
                    variable="CODEX_HOME",
                ),
            ),
        ),
        Tool(
            "claude-code",
            "https://code.claude.com/docs/en/settings",
            "messages",
            CLAUDE,
            (File("json", ".claude/settings.json", _claude, variable="CLAUDE_CONFIG_DIR"),),
        ),
        Tool(
            "gemini-cli",
            "https://geminicli.com/docs/reference/configuration/",
            "generate_content",
            GEMINI,
            (
                File(
                    "env",
                    ".gemini/.env",
                    lambda endpoint: {
                        "GOOGLE_GEMINI_BASE_URL": endpoint.url,
                        "GEMINI_API_KEY": endpoint.key,
                        "GEMINI_MODEL": endpoint.model,
                    },
                ),
                File("json", ".gemini/settings.json", lambda endpoint: {"security": {"auth": {"selectedType": "gemini-api-key"}}}),
            ),
        ),
        Tool(
            "opencode",
            "https://opencode.ai/docs/config",
            "chat",
            ANY,
            (File("json", ".config/opencode/opencode.json", _opencode, variable="XDG_CONFIG_HOME"),),
        ),
        Tool(
            "continue",
            "https://docs.continue.dev/reference",
            "chat",
            ANY,
            (File("list", ".continue/config.yaml", lambda endpoint: {"models": None}, _continue),),
        ),
        Tool(
            "aider",
            "https://aider.chat/docs/config/aider_conf.html",
            "chat",
            ANY,
            (
                File(
                    "yaml",
                    ".aider.conf.yml",
                    lambda endpoint: {
                        "model": f"openai/{endpoint.model}",
                        "openai-api-base": endpoint.url,
                        "openai-api-key": endpoint.key,
                    },
                ),
            ),
        ),
        Tool("cline", "https://docs.cline.bot/provider-config/openai-compatible", "chat", ANY, say=_openai_form),
        Tool("open-webui", "https://docs.openwebui.com/reference/env-configuration", "chat", ANY, say=_open_webui),
        Tool("langchain", "https://docs.langchain.com/oss/python/integrations/chat/openai", "chat", ANY, say=_langchain),
        Tool("ai-sdk", "https://ai-sdk.dev/providers/openai-compatible-providers", "chat", ANY, say=_ai_sdk),
        Tool("openai-sdk", "https://github.com/openai/openai-python", "chat", ANY, say=_openai_sdk),
        Tool("anthropic-sdk", "https://github.com/anthropics/anthropic-sdk-python", "messages", ANY, say=_anthropic_sdk),
    )
}

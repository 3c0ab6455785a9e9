"""Writes shared/haimaker/providers/index.py from the modules of the providers, so that names are known without importing these.

make providers
"""

from importlib import import_module
from pathlib import Path
from types import ModuleType

from haimaker.providers import openai_compatible
from haimaker.providers.provider import Provider

PACKAGE = Path(__file__).resolve().parents[1] / "shared" / "haimaker" / "providers"
INDEX = PACKAGE / "index.py"
WIDTH = 132
FIRST = (
    *("openai", "azure", "azure_ai", "mistral", "codestral", "anthropic", "gemini", "vertex_ai"),
    *("bedrock", "bedrock_invoke", "bedrock_mantle", "cohere", "openrouter", "groq", "together_ai", "fireworks_ai"),
    *("deepseek", "xai", "perplexity", "cerebras", "github", "huggingface", "databricks", "cloudflare", "deepinfra"),
    *("sambanova", "nvidia_nim", "moonshot", "zai", "minimax", "dashscope"),
)
"""A bare model name goes to these first, in this order, then to the others by name; what the gateway itself answers is last."""
HEAD = '''"""Which module has a provider, and which variables turn it on. Written by scripts/provider_index.py; do not edit."""

from collections.abc import Mapping

INDEX: Mapping[str, tuple[str, tuple[str, ...]]] = {
'''


def modules() -> dict[str, str]:
    """The module of each provider by the provider's name."""
    found = dict.fromkeys(openai_compatible.ROWS, "openai_compatible")
    for path in sorted(set(PACKAGE.glob("*.py")) - {INDEX, PACKAGE / "registry.py"}):
        module: ModuleType = import_module(f"haimaker.providers.{path.stem}")
        if provider := getattr(module, "PROVIDER", None):
            if path.stem != provider.name:
                raise SystemExit(f"{path}: the provider {provider.name!r} belongs into {provider.name}.py.")
            found[provider.name] = path.stem
    return found


def definition(name: str, module: str) -> Provider:
    loaded = import_module(f"haimaker.providers.{module}")
    provider: Provider = loaded.definition(name) if module == "openai_compatible" else loaded.PROVIDER
    return provider


def variables(provider: Provider) -> tuple[str, ...]:
    """The variables of which one turns a provider on; none for one that needs no credentials. One whose calls are signed needs
    none."""
    prefix, auth = provider.name.upper(), provider.auth
    if provider.offline:
        return ()
    if not provider.endpoint.base_url:
        return (f"{prefix}_BASE_URL", *provider.endpoint.base_url_variables)
    google = (f"{prefix}_CREDENTIALS", "GOOGLE_APPLICATION_CREDENTIALS") if auth.takes_google_tokens else ()
    return (f"{prefix}_API_KEY", *auth.key_variables, *auth.token_variables, *google)


def render() -> str:
    """The text of the index."""
    found = modules()
    providers = {name: definition(name, module) for name, module in found.items()}
    names = [*FIRST, *sorted(found.keys() - set(FIRST), key=lambda name: (providers[name].offline, name))]
    lines = [_line(name, _quoted(found[name]), _tuple(variables(providers[name]))) for name in names]
    signed = ", ".join(_quoted(name) for name in names if providers[name].auth.signs_as)
    return f'{HEAD}{"".join(lines)}}}\nSIGNED = ({signed})\n"""Providers whose calls may be signed with AWS credentials."""\n'


def _line(name: str, module: str, variables: str) -> str:
    """An entry as ruff formats it."""
    line = f"    {_quoted(name)}: ({module}, {variables}),\n"
    return line if len(line) <= WIDTH + 1 else f"    {_quoted(name)}: (\n        {module},\n        {variables},\n    ),\n"


def _quoted(text: str) -> str:
    return f'"{text}"'


def _tuple(names: tuple[str, ...]) -> str:
    return f"({', '.join(map(_quoted, names))}{',' if len(names) == 1 else ''})"


if __name__ == "__main__":
    INDEX.write_text(render(), "utf-8")

"""What the local gateway says on the terminal: where it is, how to use it, or why it can't start. Pure."""

import errno
import socket
from collections.abc import Iterable, Mapping

EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
"""Addresses to listen at that are no address to go to, and one that is."""

FEW_CONNECTIONS = 32

DEMO_BODY = '{"model": "demo/echo", "messages": [{"role": "user", "content": "Hello"}]}'


def base_url(host: str, port: int) -> str:
    host = EVERYWHERE.get(host, host)
    return f"http://[{host}]:{port}/v1" if ":" in host else f"http://{host}:{port}/v1"


def welcome(url: str, admin_key: str | None, providers: Iterable[str], *, default_key: str, start: str = "make run") -> str:
    """Shows the admin key only if it is the default one, which is no secret."""
    shown_key, bearer = _admin_key(admin_key, default_key, start)
    shown_providers = ", ".join(providers)
    lines = [
        f"haimaker is ready at {url}   (base_url for the OpenAI SDK)",
        f"admin key   {shown_key}",
        f"providers   {shown_providers}  (from your environment and .env)"
        if shown_providers
        else "providers   none yet: put OPENAI_API_KEY=... into .env, or export it, and start again",
        "models      demo/... are built in to try the gateway: a demonstration, not an LLM",
        f"console     {url.removesuffix('/v1')}/console",
        f"try it      curl {url}/chat/completions -H {bearer} -H 'Content-Type: application/json' -d '{DEMO_BODY}'",
    ]
    return "\n".join(lines)


def misspelt_lines(found: Mapping[str, str]) -> list[str]:
    """A line for each variable that nothing reads, with the one that was meant, if any."""
    return [
        f"haimaker: {name} is set, but nothing reads it." + (f" Is it {meant}?" if meant else "") for name, meant in found.items()
    ]


def few_files_lines(files: int, connections: int) -> list[str]:
    """A line where so few files may be open that clients will be refused for it, 503 `too_many_connections`."""
    if connections >= FEW_CONNECTIONS:
        return []
    few = f"haimaker: {files} files may be open, enough for {connections} connections at once; more clients are refused."
    return [f"{few} Raise the limit: ulimit -n 4096"]


def cannot_listen(error: OSError, host: str, port: int, start: str = "make run") -> str:
    if error.errno == errno.EADDRINUSE:
        return f"haimaker: port {port} is in use. Take another one, such as: PORT={port + 1 if port < 65_535 else 8000} {start}"
    if error.errno == errno.EACCES:
        return f"haimaker: port {port} is not open to this user. Take one above 1023, such as: PORT=8000 {start}"
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"haimaker: HOST={host} is not an address of this machine. Take 127.0.0.1 or 0.0.0.0; with IPv6 alone ::1 or ::."
    return f"haimaker: cannot listen on {host}, port {port}: {error.strerror}. Set HOST and PORT."


def _admin_key(admin_key: str | None, default_key: str, start: str) -> tuple[str, str]:
    """The key as it is shown, and the header for curl."""
    if admin_key is None:
        return (
            f"none: {default_key} is for this machine only. Choose one and start again: HAIMAKER_ADMIN_KEY=... {start}",
            "'Authorization: Bearer <a key>'",
        )
    if admin_key == default_key:
        return default_key, f"'Authorization: Bearer {default_key}'"
    return "(from HAIMAKER_ADMIN_KEY)", '"Authorization: Bearer $HAIMAKER_ADMIN_KEY"'

import errno
import socket

import pytest

from local.welcome import base_url, cannot_listen, few_files_lines, welcome

URL = "http://127.0.0.1:8000/v1"


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", URL),
        ("0.0.0.0", URL),
        ("localhost", "http://localhost:8000/v1"),
        ("::1", "http://[::1]:8000/v1"),
        ("::", "http://[::1]:8000/v1"),
    ],
)
def test_base_url(host, url):
    assert base_url(host, 8000) == url


@pytest.mark.parametrize(
    ("admin_key", "providers", "said"),
    [
        (
            "sk-local",
            [],
            [
                "admin key   sk-local\n",
                "Bearer sk-local",
                "none yet: put OPENAI_API_KEY=... into .env",
                "not an LLM",
                f"curl {URL}/",
                "8000/console\n",
            ],
        ),
        ("sk-local", [], ["console     http://127.0.0.1:8000/console\n"]),
        ("sk-local", ["openai", "groq"], ["providers   openai, groq  (from your environment and .env)"]),
        ("secret", [], ["admin key   (from HAIMAKER_ADMIN_KEY)", '"Authorization: Bearer $HAIMAKER_ADMIN_KEY"']),
        (None, [], ["admin key   none", "HAIMAKER_ADMIN_KEY=... make run"]),
    ],
)
def test_welcome(admin_key, providers, said):
    text = welcome(URL, admin_key, providers, default_key="sk-local")
    assert text.startswith(f"haimaker is ready at {URL}   (base_url for the OpenAI SDK)\n")
    assert [part for part in said if part not in text] == []
    assert "secret" not in text


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.EADDRINUSE, "Address already in use"), "PORT=8001 make run"),
        (OSError(errno.EACCES, "Permission denied"), "PORT=8000 make run"),
        (OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address"), "HOST=nowhere"),
        (OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address"), "with IPv6 alone ::1 or ::"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "HOST=nowhere"),
        (OSError(errno.ENETDOWN, "Network is down"), "Network is down"),
    ],
)
def test_cannot_listen(error, said):
    text = cannot_listen(error, "nowhere", 8000)
    assert said in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("files", "connections", "said"), [(64, 1, True), (126, 31, True), (128, 32, False), (8_192, 4_064, False)]
)
def test_few_files(files, connections, said):
    text = "".join(few_files_lines(files, connections))
    parts = [f"{files} files", f"for {connections} connections", "ulimit -n"]
    assert [part for part in parts if part in text] == (parts if said else [])

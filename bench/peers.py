"""Other gateways on this machine, measured beside ours: those whose command is found, and none where there is none.

    pip install 'litellm[proxy]'          https://docs.litellm.ai/docs/proxy/quick_start
    npm install -g @portkey-ai/gateway    https://github.com/Portkey-AI/gateway

Anywhere on the PATH will do, such as in a folder of their own: PATH=/tmp/peers/bin:$PATH make bench. Each is as its documentation
starts it, with one model at the same upstream; neither keeps accounts so, as ours does.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory

from bench.client import MODEL, Target
from bench.servers import Server

READY_TIMEOUT_S = 120.0
KEY = "sk-bench-0123456789abcdef0123456789abcdef"
"""LiteLLM's own, without which it does not start."""
PORTKEY = Path("@portkey-ai", "gateway", "build", "start-server.js")


@contextmanager
def portkey(upstream: Server) -> Iterator[Target | None]:
    node, found = which("node"), Path(which("gateway") or ".").resolve()
    if node is None or not found.match(str(PORTKEY)):
        yield None
        return
    command = [node, str(found), "--port={port}", "--headless"]
    with Server("Portkey", {"TRUSTED_CUSTOM_HOSTS": "127.0.0.1"}, "/", command, READY_TIMEOUT_S) as server:
        headers = f"x-portkey-provider: openai\r\nx-portkey-custom-host: {upstream.url}/v1\r\n"
        yield Target("Portkey", server.url, headers=headers)


@contextmanager
def litellm(upstream: Server) -> Iterator[Target | None]:
    found = which("litellm")
    if found is None:
        yield None
        return
    model = {"model": MODEL, "api_base": f"{upstream.url}/v1", "api_key": "sk-upstream-test"}
    with TemporaryDirectory(prefix="haimaker-bench-") as folder:
        config = Path(folder, "config.yaml")
        config.write_text(json.dumps({"model_list": [{"model_name": MODEL, "litellm_params": model}]}))  # JSON is YAML
        environment = {"PYTHONPATH": "", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MASTER_KEY": KEY}
        command = [found, "--config", str(config), "--host", "127.0.0.1", "--port", "{port}"]
        with Server("LiteLLM", environment, "/health/liveliness", command, READY_TIMEOUT_S) as server:
            yield Target("LiteLLM", server.url, KEY)


PEERS = (portkey, litellm)

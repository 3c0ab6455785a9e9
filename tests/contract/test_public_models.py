"""The catalogue for anybody, where the deployer allows it."""

from pathlib import Path

import pytest

from tests.contract.money_support import serving
from tests.support.fake_upstream import FakeUpstream


@pytest.mark.parametrize("path", ["/v1/public/model_hub", "/public/model_hub"])
def test_the_hub_is_there_only_where_it_is_published(tmp_path: Path, path: str):
    with FakeUpstream() as upstream:
        for published, status in (("false", 404), ("true", 200)):
            with serving(tmp_path, upstream, HAIMAKER_PUBLIC_MODELS=published) as desk:
                response = desk.http.get(desk.url.removesuffix("/v1") + path)
                assert response.status_code == status
                assert response.headers["x-request-id"]
                if status == 404:
                    assert response.json()["error"]["code"] == "unknown_url"
                    continue
                models = response.json()
                assert response.headers["cache-control"] == "public, max-age=300"
                assert {"openai/gpt-4o-mini", "demo/echo"} <= {model["id"] for model in models}
                listed = {model["id"] for model in desk.ask("GET", "/models").json()["data"]}
                assert {model["id"] for model in models} <= listed
                assert len(listed) > 100
                assert desk.http.get(desk.url.removesuffix("/v1") + path).json() == models
        assert upstream.calls == []

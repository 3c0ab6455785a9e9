"""Every command and program of docs/endpoints.md is run, against a gateway that `make run` serves."""

import json
import re
import subprocess
import sys
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.documentation import ADDRESS, Guide, Served, run, serve, shape

GUIDE = Guide.read("docs/endpoints.md")


def curl(path: str) -> str:
    """The first command that asks for it."""
    return next(text for text in GUIDE.written_in("sh") if text.startswith("curl") and f"/{path}" in text)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    yield from serve(tmp_path_factory.mktemp("home"))


@pytest.mark.parametrize("path", ["v1/completions", "v1/embeddings", "v1/images/generations", "v1/rerank", "v1/moderations"])
def test_operations_answer_as_the_guide_shows(served: Served, path: str) -> None:
    assert shape(json.loads(run(curl(path), served))) == shape(json.loads(GUIDE.after(curl(path))))


def test_the_file_that_is_spoken_plays(served: Served, tmp_path: Path) -> None:
    run(curl("v1/audio/speech").replace("hello.wav", str(tmp_path / "hello.wav")), served)
    with wave.open(str(tmp_path / "hello.wav")) as spoken:
        assert spoken.getnframes() > 0
    heard = json.loads(run(curl("v1/audio/transcriptions").replace("hello.wav", str(tmp_path / "hello.wav")), served))
    assert shape(heard) == shape(json.loads(GUIDE.after(curl("v1/audio/transcriptions"))))
    [program] = [text for text in GUIDE.written_in("python") if "/audio/uploads" in text]
    command = [sys.executable, "-c", program.replace(ADDRESS, served.address)]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60).stdout == heard["text"] + "\n"


def test_models_are_published_by_the_setting_that_the_guide_names(served: Served, tmp_path: Path) -> None:
    assert "error" in json.loads(run(curl("public/model_hub"), served))
    [setting] = re.findall(r"`(HAIMAKER_PUBLIC_MODELS)=true`", GUIDE.text)
    for published in serve(tmp_path, **{setting: "true"}):
        assert "demo/echo" in [model["id"] for model in json.loads(run(curl("public/model_hub"), published))]

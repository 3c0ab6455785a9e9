"""What becomes of each parameter of OpenAI's other operations, and of Cohere's rerank, at each provider that serves them.

`python -m tests.unit.adapters.operation_parameters` writes `operation_parameters.json` anew; read what changed in it before you
commit it. A parameter that is new in an SDK's types needs values here, and with them an answer of every provider.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from haimaker import adapters
from haimaker.demo.images import Size, png
from haimaker.http import multipart
from haimaker.http.errors import APIError
from haimaker.http.multipart import UploadedFile
from haimaker.http.values import JSON, Request
from haimaker.models.catalog import ModelInfo, find_model
from haimaker.operations.attempt import Attempt
from haimaker.operations.completions import parse_completion
from haimaker.operations.operation import OperationRequest
from haimaker.providers.registry import all_providers, definition_for
from tests.support import sounds
from tests.wire import task_case

GOLDEN = Path(__file__).with_name("operation_parameters.json")
PICTURE = UploadedFile("a.png", "image/png", png(b"", Size(16, 16)))
SOUND = UploadedFile("a.wav", "audio/wav", sounds.wav(0.5))
IMAGES: Mapping[str, Sequence[Any]] = {
    "background": ["opaque"],
    "complexity": ["low"],
    "frame_count": [4],
    "frame_duration_ms": [100],
    "model": ["m"],
    "n": [1, 2],
    "output_compression": [50],
    "output_format": ["png", "webp"],
    "partial_images": [1],
    "prompt": ["A cat"],
    "quality": ["auto", "high"],
    "response_format": ["url", "b64_json"],
    "safety_identifier": ["u"],
    "size": ["1024x1024", "1536x1024"],
    "stream": [True],
    "svg": [{"model": "gpt-6-sol"}],
    "user": ["u"],
}
VALUES: Mapping[str, Mapping[str, Sequence[Any]]] = {
    "completions": {
        "best_of": [1, 2],
        "echo": [True],
        "frequency_penalty": [0, 0.5],
        "logit_bias": [{"50256": -100}],
        "logprobs": [2],
        "max_tokens": [100],
        "model": ["m"],
        "n": [1, 2],
        "presence_penalty": [0, 0.5],
        "prompt": ["Hi"],
        "seed": [7],
        "stop": ["x"],
        "stream": [True],
        "stream_options": [{"include_usage": True}],
        "suffix": ["z"],
        "temperature": [0.5],
        "top_p": [0.5],
        "user": ["u"],
    },
    "embeddings": {
        "dimensions": [256],
        "encoding_format": ["float", "base64"],
        "input": ["Hi", ["Hi", "Ho"]],
        "model": ["m"],
        "user": ["u"],
    },
    "images_generations": {**IMAGES, "moderation": ["low"], "style": ["vivid"]},
    "images_edits": {
        **IMAGES,
        "image": [PICTURE],
        "input_fidelity": ["high"],
        "markup": [PICTURE],
        "mask": [PICTURE],
    },
    "images_variations": {name: IMAGES[name] for name in ("model", "n", "response_format", "size", "user")} | {"image": [PICTURE]},
    "audio_speech": {
        "input": ["Hi"],
        "instructions": ["Softly"],
        "model": ["m"],
        "response_format": ["mp3", "wav"],
        "speed": [1, 1.5],
        "stream_format": ["audio", "sse"],
        "voice": ["alloy"],
    },
    "audio_transcriptions": {
        "chunking_strategy": ["auto"],
        "file": [SOUND],
        "include": [["logprobs"]],
        "keywords": [["Bern"]],
        "known_speaker_names": [["Ada"]],
        "known_speaker_references": [["data:audio/wav;base64,AA=="]],
        "language": ["en"],
        "languages": [["en", "de"]],
        "model": ["m"],
        "prompt": ["A talk"],
        "response_format": ["json", "verbose_json"],
        "stream": [True],
        "temperature": ["0.5"],
        "timestamp_granularities": [["word"]],
    },
    "audio_translations": {
        "file": [SOUND],
        "model": ["m"],
        "prompt": ["A talk"],
        "response_format": ["json", "verbose_json"],
        "temperature": ["0.5"],
    },
    "moderations": {"input": ["Hi"], "model": ["m"]},
    "rerank": {
        "documents": [["a", "b"]],
        "max_tokens_per_doc": [100],
        "model": ["m"],
        "priority": [1],
        "query": ["Hi"],
        "relevant_spans": [{"max_spans": 2}],
        "top_n": [1],
    },
}
NEEDED: Mapping[str, JSON] = {
    "completions": {"prompt": "Hi"},
    "embeddings": {"input": "Hi"},
    "images_generations": {"prompt": "A cat"},
    "images_edits": {"prompt": "A cat", "image": PICTURE},
    "images_variations": {"image": PICTURE},
    "audio_speech": {"input": "Hi", "voice": "alloy"},
    "audio_transcriptions": {"file": SOUND},
    "audio_translations": {"file": SOUND},
    "moderations": {"input": "Hi"},
    "rerank": {"query": "Hi", "documents": ["a", "b"]},
}
BESIDE: Mapping[str, JSON] = {
    "frame_duration_ms": {"output_format": "gif"},
    "frame_count": {"output_format": "gif"},
    "partial_images": {"stream": True},
    "stream_options": {"stream": True},
    "svg": {"output_format": "svg"},
    "timestamp_granularities": {"response_format": "verbose_json"},
    "known_speaker_references": {"known_speaker_names": ["Ada"]},
}
HERE: Mapping[str, Sequence[str]] = {
    "embeddings": ("encoding_format",),
    "images_generations": ("response_format", "stream", "partial_images", "n"),
    "images_edits": ("response_format", "stream", "partial_images", "n"),
    "images_variations": ("response_format", "n"),
    "audio_speech": ("response_format", "stream_format"),
    "audio_transcriptions": ("response_format", "stream", "timestamp_granularities"),
    "audio_translations": ("response_format",),
    "rerank": ("top_n",),
    "completions": ("stream", "n", "best_of", "stream_options"),
}
"""Parameters that the gateway follows itself, of an answer that comes otherwise: nothing of them need be sent."""
SAYS_NOTHING: Sequence[Any] = (0, 1, "auto", "m", "1024x1024", "png", "mp3", "audio", "float")


def documented() -> Mapping[str, set[str]]:
    """By operation, the parameters of the SDKs' types."""
    import inspect

    from cohere.v2.client import V2Client
    from openai.types import completion_create_params as completions
    from openai.types import embedding_create_params as embeddings
    from openai.types import image_create_variation_params as variations
    from openai.types import image_edit_params as edits
    from openai.types import image_generate_params as generations
    from openai.types import moderation_create_params as moderations
    from openai.types.audio import speech_create_params as speech
    from openai.types.audio import transcription_create_params as transcriptions
    from openai.types.audio import translation_create_params as translations

    return {
        "completions": {*completions.CompletionCreateParamsStreaming.__annotations__},
        "embeddings": {*embeddings.EmbeddingCreateParams.__annotations__},
        "images_generations": {*generations.ImageGenerateParamsStreaming.__annotations__},
        "images_edits": {*edits.ImageEditParamsStreaming.__annotations__},
        "images_variations": {*variations.ImageCreateVariationParams.__annotations__},
        "audio_speech": {*speech.SpeechCreateParams.__annotations__},
        "audio_transcriptions": {*transcriptions.TranscriptionCreateParamsStreaming.__annotations__},
        "audio_translations": {*translations.TranslationCreateParams.__annotations__},
        "moderations": {*moderations.ModerationCreateParams.__annotations__},
        "rerank": {*inspect.signature(V2Client.rerank).parameters} - {"self", "request_options"},
    }


def targets(operation: str) -> Iterator[Attempt]:
    """One of each provider that serves an operation, of a model that nothing is known of, or of one that is served."""
    for provider in all_providers():
        if provider.offline:
            continue
        model = provider.catalog.models[0] if provider.catalog.models and not provider.adapter else "m"
        definition = definition_for(provider, model, operation)
        if adapters.serves(definition, operation):
            known = find_model(provider.name, model) or ModelInfo.unknown(provider.name, model)
            yield Attempt("r", 0, definition, model, known)


def outcome(operation: str, tried: Attempt, name: str, value: Any) -> str:
    """One of passed, translated, dropped (and named), refused, here (followed by the gateway), left out (says nothing), lost."""
    beside = {**NEEDED[operation], **{key: value for key, value in BESIDE.get(name, {}).items() if key in VALUES[operation]}}
    made = sent(operation, tried, {**beside, name: value})
    if made is None:
        return "refused"
    bodies, dropped = made
    if name in dropped:
        return "dropped"
    if all(name in body and body[name] in _spellings(value) for body in bodies):
        return "passed"
    plain = sent(operation, tried, {key: each for key, each in beside.items() if key != name or key in NEEDED[operation]})
    if plain is None or plain[0] != bodies or name in NEEDED[operation]:
        return "translated"
    if name in HERE.get(operation, ()):
        return "here"
    return "left out" if value in SAYS_NOTHING else "lost"


def _spellings(value: Any) -> tuple[Any, ...]:
    """In JSON and in a form, whose fields are texts."""
    if isinstance(value, UploadedFile):
        return ([replace(value, name="", content_type="")],)
    return (value, [value], [json.dumps(value)])


def sent(operation: str, tried: Attempt, fields: JSON) -> tuple[list[Any], tuple[str, ...]] | None:
    """The bodies of all calls, and what they lose; None of a request that is refused."""
    try:
        request = parse(operation, {"model": "m", **fields})
        adapter: Any = adapters.find(request, tried)
        most_at_once = getattr(adapter, "most_at_once", None)
        parts = request.split(tried, most_at_once(tried)) if most_at_once else request.split(tried)
        made = [adapter.to_upstream(part, tried) for part in parts]
    except APIError:
        return None
    return [{"path": each.path, **_read(each.headers, each.body)} for each in made], made[0].dropped


def parse(operation: str, fields: JSON) -> OperationRequest:
    if operation == "completions":
        return parse_completion(json.dumps(fields).encode())
    files = [(name, file) for name, file in fields.items() if isinstance(file, UploadedFile)]
    if not files and not operation.startswith("audio_tr"):
        body = json.dumps(fields).encode()
        return task_case.parse(operation, Request("r", {"content-type": "application/json"}, body))
    texts = [
        (name, each if isinstance(each, str) else json.dumps(each))
        for name, value in fields.items()
        if not isinstance(value, UploadedFile)
        for each in (value if isinstance(value, list) else [value])
    ]
    content_type, raw = multipart.encode(texts, files)
    return task_case.parse(operation, Request("r", {"content-type": content_type}, raw))


def _read(headers: Mapping[str, str], body: bytes) -> JSON:
    """JSON, a form, or anything else as it is."""
    kind = headers.get("content-type", "")
    if kind.startswith("multipart/"):
        form = multipart.decode(kind, body)
        fields: JSON = {}
        for name, value in (*form.fields, *((name, replace(file, name="", content_type="")) for name, file in form.files)):
            fields.setdefault(re.sub(r"\[\]$", "", name), []).append(value)
        return fields
    try:
        found = json.loads(body)
    except ValueError:
        found = body
    return found if isinstance(found, dict) else {"": found}


def table() -> JSON:
    """By operation, parameter and value, what is not passed as it is, and where."""
    made: JSON = {}
    for operation, parameters in VALUES.items():
        providers = list(targets(operation))
        for name, values in parameters.items():
            for value in values:
                found: dict[str, list[str]] = {}
                for tried in providers:
                    came = outcome(operation, tried, name, value)
                    if came != "passed":
                        found.setdefault(came, []).append(tried.provider.name)
                shown = "a file" if isinstance(value, UploadedFile) else json.dumps(value)
                made[f"{operation} {name} {shown}"] = {came: " ".join(found[came]) for came in sorted(found)}
    return made


def write() -> None:
    GOLDEN.write_text(json.dumps(table(), indent=0) + "\n", "utf-8")


if __name__ == "__main__":
    write()

"""Where an answer's statements come from: Google's grounding as OpenAI's `url_citation` annotations.

https://ai.google.dev/api/generate-content#GroundingMetadata
"""

from haimaker.http.json import as_object, as_objects, as_text
from haimaker.http.values import JSON

SOURCES = ("web", "maps", "retrievedContext", "image")


def to_annotations(grounding: JSON, content: str) -> list[JSON]:
    """An annotation for each source of each supported piece of the text. Where no piece is named, one for each source, without a
    place."""
    sources = [_source(chunk) for chunk in as_objects(grounding.get("groundingChunks"))]
    found: list[JSON] = []
    for support in as_objects(grounding.get("groundingSupports")):
        start, end = _place(as_object(support.get("segment")), content)
        indices = support.get("groundingChunkIndices")
        for index in indices if isinstance(indices, list) else ():
            if isinstance(index, int) and 0 <= index < len(sources):
                found.append(_annotation(sources[index], start, end))
    if not found:
        found = [_annotation(source, 0, 0) for source in sources]
    return [annotation for annotation in found if annotation["url_citation"]["url"]]


def searches(grounding: JSON) -> frozenset[str]:
    """The different searches that it took: each is billed once. https://ai.google.dev/gemini-api/docs/google-search#pricing"""
    queries = grounding.get("webSearchQueries")
    return frozenset(query for query in queries if query and isinstance(query, str)) if isinstance(queries, list) else frozenset()


def asks_maps(grounding: JSON) -> bool:
    """Whether Google Maps was asked: https://ai.google.dev/gemini-api/docs/maps-grounding#pricing"""
    return any("maps" in chunk for chunk in as_objects(grounding.get("groundingChunks")))


def _source(chunk: JSON) -> JSON:
    source = next((as_object(chunk.get(name)) for name in SOURCES if name in chunk), {})
    link = as_text(source.get("uri")) or as_text(source.get("sourceUri"))
    return {"url": link, "title": as_text(source.get("title"))}


def _annotation(source: JSON, start: int, end: int) -> JSON:
    return {"type": "url_citation", "url_citation": {"start_index": start, "end_index": end, **source}}


def _place(segment: JSON, content: str) -> tuple[int, int]:
    """Google counts bytes, and within one part of the answer; OpenAI counts characters of the whole."""
    start, end = (_characters(content, segment.get(name)) for name in ("startIndex", "endIndex"))
    text = as_text(segment.get("text"))
    if text and content[start:end] != text and (at := content.find(text)) >= 0:
        return at, at + len(text)
    return start, max(start, end)


def _characters(content: str, count: object) -> int:
    if not isinstance(count, int) or count <= 0:
        return 0
    if content.isascii():
        return min(count, len(content))
    return len(content.encode("utf-8", "surrogatepass")[:count].decode("utf-8", "ignore"))

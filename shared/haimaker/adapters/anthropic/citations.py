"""Where an answer's statements come from, as OpenAI's `url_citation` annotations: pages, search results, the client's documents.

https://platform.claude.com/docs/en/build-with-claude/citations
"""

from collections.abc import Iterable, Iterator

from haimaker.http.values import JSON

TITLES = ("title", "document_title")
PLACES = (
    "document_index",
    "search_result_index",
    "start_char_index",
    "end_char_index",
    "start_page_number",
    "end_page_number",
    "start_block_index",
    "end_block_index",
)
"""Where it is in what is cited; which of these there are depends on its kind."""


def to_annotations(citations: Iterable[JSON], start: int, end: int) -> Iterator[JSON]:
    """An annotation for each citation of the text from `start` to `end`. A document has no address, so its title stands for it."""
    for citation in citations:
        title = next((citation[name] for name in TITLES if isinstance(citation.get(name), str)), "")
        url = next((citation[name] for name in ("url", "source") if isinstance(citation.get(name), str)), title)
        cited = {"start_index": start, "end_index": end, "url": url, "title": title}
        made: JSON = {"type": "url_citation", "url_citation": cited}
        places = {name: citation[name] for name in PLACES if type(citation.get(name)) is int}
        if places and isinstance(citation.get("cited_text"), str):
            made |= {"cited_text": citation["cited_text"], "location": places}
        if url or places:
            yield made

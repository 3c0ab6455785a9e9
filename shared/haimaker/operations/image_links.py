"""Images that a chat names by link, with their data in the place of the link. Pure: who fetches them says what that is."""

from collections.abc import Callable, Iterator

from haimaker.http.errors import BadRequestError
from haimaker.http.values import JSON

MAX_IMAGES = 100


def with_data_urls(messages: list[JSON], data_url: Callable[[str, str], str]) -> list[JSON] | None:
    """The messages anew, `data_url` given each link and where it stands; None where there is none. Raises BadRequestError."""
    places = list(_links(messages))
    if not places:
        return None
    if len(places) > MAX_IMAGES:
        raise BadRequestError(f"At most {MAX_IMAGES} images can be given by link.", param="messages", code="too_many_images")
    data = {url: data_url(url, param) for url, param in reversed(places)}
    return [_with_data(message, data) for message in messages]


def _links(messages: list[JSON]) -> Iterator[tuple[str, str]]:
    """Every image that is a link, and where it stands."""
    for i, message in enumerate(messages):
        content = message.get("content")
        for j, part in enumerate(content if isinstance(content, list) else ()):
            url = _url_of(part)
            if url[:8].lower().startswith(("http://", "https://")):
                yield url, f"messages[{i}].content[{j}].image_url.url"


def _url_of(part: JSON) -> str:
    image = part.get("image_url") if part.get("type") == "image_url" else None
    url = image.get("url") if isinstance(image, dict) else image
    return url if isinstance(url, str) else ""


def _with_data(message: JSON, data: dict[str, str]) -> JSON:
    content = message.get("content")
    if not isinstance(content, list):
        return message
    return {**message, "content": [_with_url(part, data.get(_url_of(part))) for part in content]}


def _with_url(part: JSON, data: str | None) -> JSON:
    if data is None:
        return part
    image = part["image_url"]
    return {**part, "image_url": {**image, "url": data} if isinstance(image, dict) else {"url": data}}

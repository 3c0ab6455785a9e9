"""An image as the bytes that Google takes inside a request. Pure."""

from haimaker.http.errors import BadRequestError
from haimaker.http.values import JSON


def inline_data(image: str) -> JSON:
    """A data URL as Google's inline data. Raises BadRequestError for a link, which these operations do not fetch."""
    head, comma, data = image.partition(",")
    if not head.startswith("data:") or not head.endswith(";base64") or not comma:
        raise BadRequestError("Send the image as a data URL in base64.", param="input", code="invalid_image")
    return {"mimeType": head.removeprefix("data:").partition(";")[0], "data": data}

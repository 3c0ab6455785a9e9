"""The console: one page and its files, as they are in `page/`. It holds no data; the page asks the gateway's other operations, with
the key that its reader types.

The page may load what is here and talk to where it came from, nothing else: https://www.w3.org/TR/CSP3/. Its addresses are
relative, since a stage or a base path may come before them; `version` in them changes with the files, so that browsers may keep
these.
"""

from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import NamedTuple

from haimaker.http.errors import NotFoundError
from haimaker.http.values import Request, Response

FOLDER = Path(__file__).parent / "page"
PAGE = "index.html"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
POLICY = "; ".join((
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'", "base-uri 'none'",
    "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'", "trusted-types lit-html",
))  # fmt: skip
HEADERS = {
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
FOREVER = "public, max-age=31536000, immutable"


class Files(NamedTuple):
    contents: Mapping[str, bytes]
    """By their path in the folder."""
    version: str


@cache
def files() -> Files:
    found = {path.relative_to(FOLDER).as_posix(): path.read_bytes() for path in sorted(FOLDER.rglob("*")) if path.suffix in TYPES}
    digest = sha256()
    for name, content in found.items():
        digest.update(f"{name} {len(content)} ".encode() + content)
    return Files(found, digest.hexdigest()[:16])


def serve(request: Request, sign_in: str = "", sign_in_by: str = "") -> Response:
    """GET /console, and /console/{file+}, which is a version and the path of a file. `sign_in` is where people
    sign in by the identity provider that `sign_in_by` names, if there is one. Raises NotFoundError."""
    contents, version = files()
    asked = request.path.get("file", "").removeprefix("console/")  # which a slash at the end of the page's address adds
    if not asked:
        page = contents[PAGE].replace(b"{version}", version.encode()).replace(b"{sign_in}", escape(sign_in).encode())
        page = page.replace(b"{sign_in_by}", escape(sign_in_by).encode())
        return _file_response(PAGE, page, "no-cache")
    named, _, name = asked.partition("/")
    if name not in contents or name == PAGE:
        raise NotFoundError("The console has no such file.", code="unknown_url")
    return _file_response(name, contents[name], FOREVER if named == version else "no-store")


def _file_response(name: str, content: bytes, cache_control: str) -> Response:
    kind = TYPES[Path(name).suffix]
    return Response(200, {"content-type": kind, "cache-control": cache_control, **HEADERS}, content)

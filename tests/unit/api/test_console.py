"""The console's files: what they are sent with, and that the page needs nothing from anywhere else."""

import base64
import json
import re
import tarfile
from hashlib import sha256, sha512

import pytest

from haimaker.api.console import FOLDER, FOREVER, files, serve
from haimaker.http.errors import NotFoundError
from haimaker.http.values import Request
from scripts import check_vendored

SCRIPTS = [path for path in FOLDER.rglob("*.js") if "vendor" not in path.parts]
UNSAFE = ("innerHTML", "unsafeHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "localStorage", "style=")
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "lit-html",
}


def asked(file=None):
    return serve(Request("r-1", path={"file": file} if file else {}))


def linked():
    """The addresses in the page, as a browser at /console reads them."""
    return re.findall(r'(?:href|src)="console/([^"]+)"', asked().body.decode())


@pytest.mark.parametrize("file", [None, "console/", *(f"{files().version}/{name}" for name in files().contents if "." in name)])
def test_everything_is_sent_with_the_same_strict_policy(file):
    if file and file.endswith("index.html"):
        return
    headers = asked(file).headers
    assert dict(rule.split(" ", 1) for rule in headers["content-security-policy"].split("; ")) == POLICY
    assert len(headers["content-security-policy"]) < 800, "longer ones are cut off on their way"
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")
    assert headers["x-frame-options"] == "DENY"


def test_the_page_names_its_files_which_a_browser_may_keep():
    assert asked().headers["cache-control"] == "no-cache"
    names = linked()
    assert {name.partition("/")[2] for name in names} == {"app.js", "console.css", "icon.svg"}
    for name in names:
        answer = asked(name)
        assert (answer.status, answer.headers["cache-control"]) == (200, FOREVER)
        assert asked(f"console/{name}").body == answer.body, "at /console/ relative addresses are one level deeper"


def test_the_version_is_that_of_all_contents():
    digest = sha256()
    for name, content in sorted(files().contents.items()):
        assert content == (FOLDER / name).read_bytes()
        digest.update(f"{name} {len(content)} ".encode() + content)
    assert files().version == digest.hexdigest()[:16]
    assert asked("another/app.js").headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "file", ["x", "v/x.js", "v/", "v/../__init__.py", "../__init__.py", "v/index.html", "v/vendor", "v//app.js"]
)
def test_there_is_nothing_else(file):
    with pytest.raises(NotFoundError):
        asked(file)


def test_types_are_told():
    version = files().version
    kinds = {name: asked(f"{version}/{name}").headers["content-type"] for name in ("app.js", "console.css", "icon.svg")}
    assert kinds == {
        "app.js": "text/javascript; charset=utf-8",
        "console.css": "text/css; charset=utf-8",
        "icon.svg": "image/svg+xml",
    }
    assert asked().headers["content-type"] == "text/html; charset=utf-8"


def test_libraries_are_the_pinned_ones_with_their_licences():
    pins = json.loads((FOLDER.parent / "vendored.json").read_text("utf-8"))
    pinned = {f"{name}/{path}": digest for name, pin in pins.items() for path, digest in pin["files"].items()}
    vendor = FOLDER / "vendor"
    shipped = {
        path.relative_to(vendor).as_posix(): sha256(path.read_bytes()).hexdigest() for path in vendor.rglob("*") if path.is_file()
    }
    assert shipped == pinned
    assert {f"{name}/LICENSE" for name in pins} <= shipped.keys()
    for name in shipped:
        if name.endswith(".js"):
            assert (vendor / name).read_text("utf-8").startswith("/**\n * @license\n")


@pytest.mark.parametrize(
    ("changed", "said"), [("nothing", ""), ("archive", "its archive is"), ("file", "is not the one that is shipped")]
)
def test_libraries_are_compared_with_what_is_published(tmp_path, capsys, changed, said):
    """With a package of our own in the place of a published one."""
    folder = tmp_path / "page" / "vendor" / "thing"
    folder.mkdir(parents=True)
    (folder / "thing.js").write_bytes(b"1" if changed == "file" else b"2")
    (tmp_path / "thing.js").write_bytes(b"2")
    archive = tmp_path / "thing.tgz"
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(tmp_path / "thing.js", "package/thing.js")
    integrity = "sha512-" + base64.b64encode(sha512(archive.read_bytes()).digest()).decode()
    pin = {
        "version": "1.0.0",
        "integrity": "x" if changed == "archive" else integrity,
        "files": {"thing.js": sha256(b"2").hexdigest()},
    }
    (tmp_path / "vendored.json").write_text(json.dumps({"thing": pin}))
    assert check_vendored.main({"thing@1.0.0": archive.read_bytes()}.__getitem__, tmp_path) == bool(said)
    assert (said or "thing 1.0.0 is as published") in capsys.readouterr().out


def test_the_page_is_small():
    assert sum(map(len, files().contents.values())) < 180_000, "64 KB compressed"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_short_and_put_text_in_pages_as_text(path):
    text = path.read_text("utf-8")
    assert text.startswith("/* "), "it says what it is"
    assert len(text.splitlines()) < 300
    for unsafe in (
        "innerHTML",
        "unsafeHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "localStorage",
        "style=",
    ):
        assert unsafe not in text
    assert re.findall(r"https?://[a-z]", re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)) == []
    for module in re.findall(r'^import .* from "([^"]+)"', text, re.MULTILINE):
        assert (path.parent / module).is_file()


SHOWN_ON = {
    "text": ("ground", "surface", "raised"),
    "muted": ("ground", "surface", "raised"),
    "accent-text": ("surface", "tint", "ground"),
    "on-accent": ("accent",),
    "good": ("ground", "surface"),
    "bad": ("bad-tint", "surface"),
    "warn": ("warn-tint",),
    "info": ("info-tint",),
}
READABLE = 4.5
"""https://www.w3.org/TR/WCAG22/#contrast-minimum"""


def luminance(colour):
    """https://www.w3.org/TR/WCAG22/#dfn-relative-luminance"""
    digits = colour if len(colour) == 6 else "".join(digit * 2 for digit in colour)
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_on_what_is_behind_it(scheme):
    light, dark = re.findall(r":root \{(.*?)\}", files().contents["console.css"].decode(), re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): #([0-9a-f]+);", light if scheme == "light" else dark))
    for front, backs in SHOWN_ON.items():
        for back in backs:
            darker, lighter = sorted((luminance(colours[front]), luminance(colours[back])))
            assert (lighter + 0.05) / (darker + 0.05) >= READABLE, (front, back)


def test_markup_has_no_script_style_or_handler_of_its_own():
    page = files().contents["index.html"].decode()
    assert re.findall(r"<script(?![^>]* src=)|<style|\son\w+=|\sstyle=", page) == []

"""The layer as `sam build` makes it on this machine: for another architecture, with bytecode that Lambda will use as it is."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from haimaker.settings import settings as config
from tests.support.aws_tools import ROOT, built_layer, session_folder

MAX_BYTES = 20_000_000
MAGIC_OF_3_13 = (3571).to_bytes(2, "little") + b"\r\n"
UNCHECKED_HASH = (0b01).to_bytes(4, "little")
"""https://peps.python.org/pep-0552/#specification"""
AARCH64 = 183
"""https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html, e_machine"""


@pytest.fixture(scope="module")
def layer(tmp_path_factory):
    return built_layer(session_folder(tmp_path_factory))


@pytest.fixture(scope="module")
def files(layer):
    return [path for path in layer.rglob("*") if path.is_file()]


NEVER_IMPORTED = re.compile(re.findall("^NEVER_IMPORTED = (.*)$", (ROOT / "shared/Makefile").read_text(), re.MULTILINE)[0])


@pytest.fixture(scope="module")
def modules(files):
    """Those that a function may import: test_rie.py looks whether these are all."""
    return [path for path in files if path.suffix == ".py" and not NEVER_IMPORTED.search(path.as_posix())]


def bytecode_of(module):
    return module.parent / "__pycache__" / f"{module.stem}.cpython-313.pyc"


def test_it_holds_the_wrapper_the_package_and_what_that_needs(layer):
    assert {path.name for path in layer.iterdir()} == {"python", "stream-wrapper"}
    assert (layer / "stream-wrapper").stat().st_mode & 0o777 == 0o755
    pins = (ROOT / "shared/requirements.txt").read_text()
    wanted = {name.lower().replace("-", "_") for name in re.findall(r"^([\w-]+)==", pins, re.MULTILINE)}
    top = {path.name for path in (layer / "python").iterdir()} - {"__pycache__"}
    assert {re.sub("-.*", "", name) for name in top if name.endswith(".dist-info")} == wanted
    packages = {re.sub(r"(\.cpython-[\w-]+)?\.(py|so)$", "", name) for name in top if not name.endswith(".dist-info")}
    assert packages == {"haimaker", "gateway.toml", *wanted}


def test_the_package_is_whole_and_its_files_are_where_it_looks(layer):
    def contents(folder):
        # While other tests run, Python puts bytecode there under names of its own: module.cpython-311.pyc.139872
        paths = (path for path in folder.rglob("*") if path.is_file() and path.parent.name != "__pycache__")
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}

    assert contents(layer / "python/haimaker") == contents(ROOT / "shared/haimaker")
    beside_package = os.path.relpath(config.DEFAULT_CONFIG, Path(config.__file__).parents[1])
    assert (layer / "python/haimaker" / beside_package).resolve() == layer / "python/gateway.toml"


def test_it_is_small(files):
    assert sum(path.stat().st_size for path in files) < MAX_BYTES


def test_no_package_brings_its_tests_or_programs(layer):
    folders = {path.name for path in layer.rglob("*") if path.is_dir()}
    assert not folders & {"test", "tests", "bin", "boto3", "botocore", "pip"}


def test_native_code_is_for_the_functions_processor(files):
    libraries = [path for path in files if ".so" in path.suffixes]
    assert {int.from_bytes(path.read_bytes()[18:20], "little") for path in libraries} == {AARCH64}
    assert all("cpython-313-aarch64" in path.name for path in libraries)


def test_every_module_that_is_imported_has_bytecode_and_nothing_else_has(files, modules):
    assert {path for path in files if path.suffix == ".pyc"} == {bytecode_of(module) for module in modules}


def test_bytecode_is_of_the_runtimes_version_and_is_never_compared_with_its_source(modules):
    headers = {bytecode_of(module).read_bytes()[:8] for module in modules}
    assert headers == {MAGIC_OF_3_13 + UNCHECKED_HASH}


def test_tracebacks_name_places_in_lambda(layer, modules):
    for module in modules:
        assert f"/opt/{module.relative_to(layer).as_posix()}".encode() in bytecode_of(module).read_bytes()


def test_nothing_tells_where_it_was_built(layer, files):
    places = [str(place).encode() for place in (layer.parent, ROOT, Path.home())]
    told = [path for path in files for place in places if len(place) > 5 and place in path.read_bytes()]
    assert told == []


def test_without_the_right_python_there_is_no_layer(tmp_path):
    environment = {**os.environ, "PYTHON313": "/nowhere/python3.13", "ARTIFACTS_DIR": str(tmp_path / "layer")}
    command = ["make", "build-HaimakerLayer"]
    done = subprocess.run(command, cwd=ROOT / "shared", env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "PYTHON313=/nowhere/python3.13 is not a Python 3.13" in done.stderr
    assert not (tmp_path / "layer").exists()


def test_who_has_no_python_is_told_how_to_get_one(tmp_path):
    environment = {"PATH": str(tmp_path), "HOME": str(tmp_path)}
    script = str(ROOT / "shared/find_python313.sh")
    done = subprocess.run(["/bin/sh", script], env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert "python@3.13" in done.stderr

"""A variable that is written into `.env` while the gateway runs."""

import resource
from pathlib import Path

import pytest

from haimaker.credentials.own_process import write_variable
from haimaker.validation.settings import SettingsError


def test_a_full_disk_leaves_the_file_as_it_was_and_no_other(tmp_path: Path) -> None:
    """A limit of a file's size stands for the disk."""
    file = tmp_path / ".env"
    write_variable(file, "OPENAI_API_KEY", "sk-1")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        with pytest.raises(SettingsError, match=r"^\.env can't be written: File too large\.$"):
            write_variable(file, "GROQ_API_KEY", "gsk-2")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [(".env", "OPENAI_API_KEY='sk-1'\n")]

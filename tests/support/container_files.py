"""Small tar and zip files, and the messages with which bad ones are refused."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from colorize_core.errors import InputError
from colorize_core.storage.containers import list_members

Files = dict[str, bytes]


FILES = {"b.jpg": b"two" * 700, "album/a.jpg": b"one", "empty.jpg": b""}
NOISE = bytes(range(256)) * 40


def tar(files: Files, mode: str = "w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def zipped(files: Files, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture
def store(tmp_path: Path) -> Callable[[str, bytes], str]:
    def write(name: str, content: bytes) -> str:
        (tmp_path / name).write_bytes(content)
        return str(tmp_path / name)

    return write


Store = Callable[[str, bytes], str]


def refusal(path: str, call: Callable[[str], object] = list_members) -> str:
    """Returns the message with which a file is refused; checks that it is one line that names the file."""
    with pytest.raises(InputError) as caught:
        call(path)
    message = str(caught.value)
    assert path in message
    assert "\n" not in message
    return message

"""Packs what is sent to a cluster with a job: this installation's code and files of the caller, in one zip file.

Equal code and files give an equal zip file. Ray recognizes it by its content and receives it only once.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from colorize_core.bundle import FACTS
from colorize_core.errors import InputError, printable

_LARGEST = 512 << 20  # bytes: Ray's limit
_NO_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip file can hold; the same for every member


def is_callers(path: str) -> bool:
    """Returns True for a relative path, which names a file of the caller; absolute paths and URLs are the cluster's."""
    return bool(path) and "://" not in path and not os.path.isabs(os.path.expanduser(path))


def choose(packages: Iterable[Path], files: Iterable[str]) -> dict[str, Path]:
    """Lists the files to send: maps each name in the zip file to the local file.

    Args:
        packages: folders of Python code; each keeps its own name.
        files: relative paths of files and of bundle folders; each keeps its path.

    Raises:
        InputError: a file does not exist, lies outside of the current folder, or has the name of a package.
    """
    members: dict[str, Path] = {}
    for package in packages:
        members |= _code(package)
    own = dict(members)
    for file in files:
        members |= _named(file, own)
    return members


def pack(members: Mapping[str, Path], folder: Path) -> Path | None:
    """Writes a zip file of ``members`` into ``folder`` and returns its path; None if there are no members.

    Raises:
        InputError: the zip file is larger than Ray accepts (512 MiB).
    """
    if not members:
        return None
    packed = folder / "cargo.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in sorted(members.items()):
            archive.writestr(zipfile.ZipInfo(name, _NO_TIME), path.read_bytes(), zipfile.ZIP_DEFLATED)
    if packed.stat().st_size >= _LARGEST:
        raise InputError(
            f"the files to send take {packed.stat().st_size >> 20} MiB, and Ray accepts {_LARGEST >> 20}: put bundles "
            "and weights into object storage, and give their URLs"
        )
    return packed


def _code(package: Path) -> Iterator[tuple[str, Path]]:
    for path in package.rglob("*"):
        inside = path.relative_to(package)
        if path.is_file() and not any(part.startswith(".") or part == "__pycache__" for part in inside.parts):
            yield f"{package.name}/{inside.as_posix()}", path


def _named(file: str, sent: dict[str, Path]) -> Iterator[tuple[str, Path]]:
    """Yields the zip members of a relative path: the file itself, or the files in a bundle folder.

    Files that are in ``sent`` already are left out.
    """
    name = Path(os.path.normpath(file)).as_posix()
    first = name.split("/")[0]
    if first == "..":
        raise InputError(
            f"{printable(file)} lies outside of the current folder, so it cannot be sent to the cluster: run the "
            "command in a folder above it, or give a URL or an absolute path on the cluster's machines"
        )
    path = Path(name)
    if not path.exists():
        raise InputError(
            f"{printable(file)} does not exist here: a relative path names a file that is sent to the cluster. Check "
            "the path, or give a URL or an absolute path on the cluster's machines"
        )
    if path.is_dir() and not (path / FACTS).is_file():
        raise InputError(f"{printable(file)} is a folder without {FACTS}: give a folder that colorize train made")
    found = [path] if path.is_file() else sorted(each for each in path.iterdir() if each.is_file())
    for each in found:
        inside = each.as_posix()
        if inside in sent and sent[inside].samefile(each):
            continue
        if any(member.split("/")[0] == first for member in sent):
            raise InputError(f"{printable(file)} has the same name as a folder of colorize's code: rename or copy it")
        yield inside, each

"""What is sent to a cluster with a job: this installation's code, and files of the caller, in one zip file.

The same code and files make the same bytes, of which Ray keeps one copy: they are sent once.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from colorize_core.bundle import FACTS
from colorize_core.errors import InputError, printable

_LARGEST = 512 << 20  # bytes; what Ray takes
_NO_TIME = (1980, 1, 1, 0, 0, 0)  # of a member: the earliest that zip files know


def is_callers(path: str) -> bool:
    """Whether the path is one of the caller's folder: neither a URL nor absolute, which are the cluster's."""
    return bool(path) and "://" not in path and not os.path.isabs(os.path.expanduser(path))


def choose(packages: Iterable[Path], files: Iterable[str]) -> dict[str, Path]:
    """What is sent, by its name there.

    Args:
        packages: folders of Python code, each under its own name.
        files: relative paths of files and of folders with bundles, under the same paths.

    Raises:
        InputError: a file is not there, lies outside of the current folder, or has the name of a package.
    """
    members: dict[str, Path] = {}
    for package in packages:
        members |= _code(package)
    own = dict(members)
    for file in files:
        members |= _named(file, own)
    return members


def pack(members: Mapping[str, Path], folder: Path) -> Path | None:
    """A zip file in ``folder`` with what is sent; None where nothing is. Raises InputError where it is too much."""
    if not members:
        return None
    packed = folder / "cargo.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in sorted(members.items()):
            archive.writestr(zipfile.ZipInfo(name, _NO_TIME), path.read_bytes(), zipfile.ZIP_DEFLATED)
    if packed.stat().st_size >= _LARGEST:
        raise InputError(
            f"what is to be sent has {packed.stat().st_size >> 20} MiB, and Ray takes {_LARGEST >> 20}: put bundles "
            "and weights into object storage, and give their URLs"
        )
    return packed


def _code(package: Path) -> Iterator[tuple[str, Path]]:
    for path in package.rglob("*"):
        inside = path.relative_to(package)
        if path.is_file() and not any(part.startswith(".") or part == "__pycache__" for part in inside.parts):
            yield f"{package.name}/{inside.as_posix()}", path


def _named(file: str, sent: dict[str, Path]) -> Iterator[tuple[str, Path]]:
    """The members of a relative path: the file, or those of the folder. What is ``sent`` already is none."""
    name = Path(os.path.normpath(file)).as_posix()
    first = name.split("/")[0]
    if first == "..":
        raise InputError(
            f"{printable(file)} lies outside of this folder, whose files are sent to the cluster: call from a folder "
            "above, or give an absolute path of the cluster's machines, or a URL"
        )
    path = Path(name)
    if not path.exists():
        raise InputError(
            f"{printable(file)} is not here, and a relative path names a file of yours, which is sent to the cluster: "
            "put it there, or give an absolute path of the cluster's machines, or a URL"
        )
    if path.is_dir() and not (path / FACTS).is_file():
        raise InputError(f"{printable(file)} is a folder without {FACTS}: name one that colorize train made")
    found = [path] if path.is_file() else sorted(each for each in path.iterdir() if each.is_file())
    for each in found:
        inside = each.as_posix()
        if inside in sent and sent[inside].samefile(each):
            continue
        if any(member.split("/")[0] == first for member in sent):
            raise InputError(
                f"{printable(file)} has the name of a folder of colorize's own code: rename it, or copy it"
            )
        yield inside, each

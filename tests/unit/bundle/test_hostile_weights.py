"""A hostile ``model.keras`` gives a one-line error: no other file is read, and memory and time stay small."""

from __future__ import annotations

import io
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from colorize_core import load_bundle
from colorize_core.bundle.facts import UnsafeError
from colorize_core.bundle.weights_check import check_weights
from tests.unit.bundle.forgery import good_keras_weights, good_weights, refusal, refusals_under_limits, zipped

Change = Callable[[h5py.File], Any]
PLACE = "layers/conv/vars"


def hdf5(change: Change) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file[f"{PLACE}/0"] = np.ones((3, 3, 1, 2), np.float32)
        change(file)
    return buffer.getvalue()


def keras(change: Change) -> bytes:
    return zipped({"metadata.json": b"{}", "config.json": b"{}", "model.weights.h5": hdf5(change)})


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((4,), np.float32)
    layout[:] = h5py.VirtualSource("/etc/other.h5", "x", (4,))
    file.create_virtual_dataset("layers/virtual", layout)


def external(file: h5py.File) -> None:
    file.create_dataset("layers/other", (16,), np.uint8, external=[("/etc/passwd", 0, 16)])


def without_storage(file: h5py.File) -> None:
    """Declares a data set of 2 ** 40 numbers that is never written."""
    file.create_dataset("layers/huge", (1 << 40,), np.float32)


def overlapping(file: h5py.File) -> None:
    """Adds 20 names for one data set, by which a small file becomes large when it is read."""
    file["layers/a"] = np.zeros(100_000, np.uint8)
    for i in range(20):
        file[f"layers/{i}"] = file["layers/a"]


def linked(name: str, link: Any) -> Change:
    return lambda file: file.__setitem__(f"{PLACE}/{name}", link)


def remark(value: Any) -> Change:
    return lambda file: file[f"{PLACE}/0"].attrs.__setitem__("remark", value)


def many(file: h5py.File) -> None:
    group = file.create_group("layers/many")
    for i in range(60_000):
        group.create_group(str(i))


def many_in_groups(file: h5py.File) -> None:
    for i in range(250):
        group = file.create_group(f"layers/many{i}")
        for j in range(100):
            group.create_group(str(j))


CASES: dict[str, tuple[Change, str]] = {
    "external link": (linked("1", h5py.ExternalLink("/dev/zero", "/x")), r"link to another place \(1\)"),
    "external link on a pipe": (linked("1", h5py.ExternalLink("PIPE", "/x")), r"link to another place \(1\)"),
    "external link for a group": (
        lambda file: file.__setitem__("vars", h5py.ExternalLink("x", "/")),
        r"place \(vars\)",
    ),
    "soft link": (linked("1", h5py.SoftLink("/layers/conv/vars/0")), r"link to another place \(1\)"),
    "soft link to nothing": (linked("1", h5py.SoftLink("/nowhere")), r"link to another place \(1\)"),
    "a name that is none": (linked("\x1b[2J", h5py.SoftLink("/nowhere")), r"another place \(\\x1b\[2J\)"),
    "hard link in a circle": (
        lambda file: file.__setitem__("layers/round", file["layers"]),
        r"link to each other \(round\)",
    ),
    "the same twice": (overlapping, r"link to each other"),
    "virtual": (virtual, r"names other files to read weights from \(/layers/virtual\)"),
    "external": (external, r"names other files to read weights from \(/layers/other\)"),
    "chunks": (
        lambda file: file.create_dataset("layers/x", data=np.zeros((99, 99)), chunks=(9, 9)),
        r"weights in chunks \(/layers/x\)",
    ),
    "compressed": (
        lambda file: file.create_dataset("layers/x", data=np.zeros(1 << 24, np.float32), compression="gzip"),
        r"weights in chunks \(/layers/x\)",
    ),
    "chunks never written": (
        lambda file: file.create_dataset("layers/x", (1 << 20, 1 << 20), np.float32, chunks=(1 << 10, 1 << 10)),
        r"weights in chunks",
    ),
    "never written": (without_storage, r"weights that are larger than the file \(/layers/huge\)"),
    "texts": (lambda file: file.__setitem__("x", np.array([b"abc"])), r"not numbers \(/x\)"),
    "texts of any length": (
        lambda file: file.create_dataset("x", data=["a", "b"], dtype=h5py.string_dtype()),
        r"not numbers",
    ),
    "lists": (lambda file: file.create_dataset("x", (2,), h5py.vlen_dtype(np.int32)), "not numbers"),
    "records": (lambda file: file.__setitem__("x", np.zeros(2, [("a", "f4"), ("b", "i8")])), "not numbers"),
    "truth values": (lambda file: file.__setitem__("x", np.zeros(2, bool)), "not numbers"),
    "references": (lambda file: file.create_dataset("x", (2,), h5py.ref_dtype), "not numbers"),
    "arrays of arrays": (lambda file: file.create_dataset("x", (2,), np.dtype((np.float32, (1000,)))), "not numbers"),
    "bytes without meaning": (lambda file: file.__setitem__("x", np.zeros(2, "V9")), "not numbers"),
    "a type of its own": (
        lambda file: file.__setitem__("x", np.dtype(np.float32)),
        r"an object in it that is not a weight \(x\)",
    ),
    "too many": (many, "more than 20,000 weights"),
    "too many in groups": (many_in_groups, "more than 20,000 weights"),
    "too many remarks": (
        lambda file: [file[f"{PLACE}/0"].attrs.__setitem__(f"remark{i}", 1) for i in range(100)],
        "100 attributes on a weight",
    ),
    "a remark of records": (remark(np.zeros(2, [("a", "f4")])), "neither text nor a number"),
    "a remark of a reference": (
        lambda file: file.attrs.__setitem__("remark", file["layers"].ref),
        "neither text nor a number",
    ),
}


def encrypted(content: bytes) -> bytes:
    """Returns a zip file with the encryption flag set in each header."""
    changed = bytearray(content)
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = changed.find(mark)
        while at >= 0:
            changed[at + offset] |= 1
            at = changed.find(mark, at + 4)
    return bytes(changed)


def lies(size: int) -> bytes:
    """Returns a zip file that declares another size for the weights than they have."""
    content = bytearray(good_keras_weights())
    at = content.rfind(b"PK\x01\x02")
    assert content[at:].find(b"model.weights.h5") > 0
    struct.pack_into("<II", content, at + 20, size, size)
    return bytes(content)


def twice() -> bytes:
    buffer = io.BytesIO(good_keras_weights())
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("config.json", b"{}")
    return buffer.getvalue()


GOOD = hdf5(lambda file: None)
FILES: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "is not a zip file"),
    "text": (lambda: b"weights" * 1000, "is not a zip file"),
    "HDF5": (lambda: GOOD, "is not a zip file"),
    "half": (lambda: good_keras_weights()[:2000], "is not a zip file"),
    "no weights": (lambda: zipped({"config.json": b"{}"}), r"has no model\.weights\.h5 in it"),
    "one more": (lambda: zipped({"model.weights.h5": GOOD, "run.py": b""}), r"unexpected file in it \('run\.py'\)"),
    "a path that leaves": (
        lambda: zipped({"../../x": b"", "model.weights.h5": GOOD}),
        r"unexpected file in it \('\.\./",
    ),
    "a path from the root": (lambda: zipped({"/etc/x": b"", "model.weights.h5": GOOD}), r"unexpected file in it"),
    "a bad name": (lambda: zipped({"a\x1b[2J<b>": b""}), r"unexpected file in it \('a\\\\x1b\[2J&lt;b>'\)"),
    "assets": (lambda: zipped({"assets/x": b"", "model.weights.h5": GOOD}), r"unexpected file in it \('assets/x'\)"),
    "twice": (twice, "has a file in it twice"),
    "a bomb": (
        lambda: zipped({"model.weights.h5": bytes(1 << 30)}, zipfile.ZIP_DEFLATED),
        r"is compressed \(model\.weights\.h5\)",
    ),
    "encrypted": (lambda: encrypted(good_keras_weights()), r"is encrypted"),
    "a lie on the size": (lambda: lies(1 << 30), "is smaller than the files in it"),
    "no HDF5": (lambda: zipped({"model.weights.h5": b"x" * 5000}), "weights that are not an HDF5 file"),
    "empty HDF5": (lambda: zipped({"model.weights.h5": b""}), "weights that are not an HDF5 file"),
    "half an HDF5": (lambda: zipped({"model.weights.h5": GOOD[: len(GOOD) // 2]}), "weights that are not an HDF5 file"),
}


def test_plain_weights_load(forge: Callable[..., Path]) -> None:
    assert load_bundle(str(forge())).weights == good_weights()
    assert load_bundle(str(forge("old", keras=good_keras_weights()))).weights == good_keras_weights()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("case", CASES)
def test_hostile_weights_are_refused(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("PIPE")  # opening it would block for ever
    change, words = CASES[case]
    with pytest.raises(UnsafeError, match=words):
        check_weights(keras(change))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("case", FILES)
def test_a_hostile_file_is_refused(case: str) -> None:
    write, words = FILES[case]
    with pytest.raises(UnsafeError, match=words):
        check_weights(write())


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", range(4))
def test_damaged_weights_end_as_one_line_or_load(seed: int, forge: Callable[..., Path]) -> None:
    """HDF5's library reads a damaged file in a process of its own, whatever becomes of that."""
    rng = np.random.default_rng(seed)
    for i in range(5):
        content = bytearray(GOOD)
        for at in rng.integers(0, len(content), 20):
            content[at] = rng.integers(256)
        folder = forge(str(i), keras=zipped({"model.weights.h5": bytes(content)}))
        try:
            load_bundle(str(folder))
        except Exception:
            assert "model.keras of " in refusal(folder)


@pytest.mark.timeout(100)
def test_hostile_weights_take_little_memory(forge: Callable[..., Path]) -> None:
    cases = ["compressed", "chunks never written", "never written", "virtual", "too many", "too many in groups"]
    cases += ["external link", "external link for a group", "a remark of a reference"]
    folders = [forge(str(i), keras=keras(CASES[case][0])) for i, case in enumerate(cases)]
    folders.append(forge("bomb", keras=FILES["a bomb"][0]()))
    messages = refusals_under_limits(folders, seconds=60)
    assert len(messages) == len(folders)
    assert all(message.startswith("model.keras of ") for message in messages), messages

"""Checks a ``model.keras`` before Keras reads it: a zip file with HDF5 that refers to no other file.

Keras writes zip files without compression, and HDF5 without chunks, filters or links, so each weight lies in the file
unchanged. Every other layout is refused. So no file can refer to another one, or unpack to more than its own size.
"""

from __future__ import annotations

import io
import math
import zipfile
from typing import Any

from colorize_core.bundle.facts import REMEDY, UnsafeError, shown
from colorize_core.errors import one_line

_WEIGHTS = "model.weights.h5"
_MEMBERS = {"config.json", "metadata.json", _WEIGHTS}
_MOST_OBJECTS = 20_000  # the largest encoder of keras.applications has 5,000
_MOST_ATTRIBUTES = 16
_LARGEST_ATTRIBUTE = 64 << 10  # bytes
_LARGEST_NUMBER = 8  # bytes of float64


def check_weights(content: bytes) -> None:
    """Raises UnsafeError if the content of a ``model.keras`` is not as Keras writes it; the message says why."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _check_members(archive, len(content))
            weights = archive.read(_WEIGHTS)
    except (UnsafeError, MemoryError):
        raise
    except Exception as error:  # zipfile passes on the errors of its parts
        raise UnsafeError(f"is not a zip file that Keras wrote ({shown(one_line(error))}): {REMEDY}") from error
    _check_hdf5(weights)


def _check_members(archive: zipfile.ZipFile, size: int) -> None:
    members = archive.infolist()
    names = [member.filename for member in members]
    if unexpected := [name for name in names if name not in _MEMBERS]:
        raise UnsafeError(f"has an unexpected file in it ({shown(unexpected[0])!r}): {REMEDY}")
    if len(set(names)) < len(names):
        raise UnsafeError(f"has a file in it twice: {REMEDY}")
    if _WEIGHTS not in names:
        raise UnsafeError(f"has no {_WEIGHTS} in it: {REMEDY}")
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
            raise UnsafeError(f"is compressed ({member.filename}), which Keras does not do: {REMEDY}")
        if member.flag_bits & 1:
            raise UnsafeError(f"is encrypted ({member.filename}): {REMEDY}")
    if sum(member.file_size for member in members) > size:
        raise UnsafeError(f"is smaller than the files in it: {REMEDY}")


def _check_hdf5(content: bytes) -> None:
    import h5py

    try:
        with h5py.File(h5py.h5f.open_file_image(content)) as file:
            _check_objects(file, len(content))
    except (UnsafeError, MemoryError):
        raise
    except Exception as error:  # h5py raises OSError, KeyError, RuntimeError and others for damaged files
        raise UnsafeError(f"has weights that are not an HDF5 file ({shown(one_line(error))}): {REMEDY}") from error


def _check_objects(file: Any, size: int) -> None:
    """Checks each group and each array of weights. Follows only hard links, so nothing outside the file is opened."""
    import h5py

    seen = {h5py.h5o.get_info(file["/"].id).addr}
    pending, bytes_left = [file["/"]], size
    while pending:
        group = pending.pop()
        _check_attributes(group)
        if len(seen) + len(group) > _MOST_OBJECTS:  # before their names are read, which takes seconds for a million
            raise UnsafeError(f"has more than {_MOST_OBJECTS:,} weights: {REMEDY}")
        for name in group:
            if "/" in name or name == "." or not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise UnsafeError(f"has weights that link to another place ({shown(name)}): {REMEDY}")
            found = group[name]
            place = h5py.h5o.get_info(found.id).addr
            if place in seen:
                raise UnsafeError(f"has weights that link to each other ({shown(name)}): {REMEDY}")
            seen.add(place)
            if isinstance(found, h5py.Group):
                pending.append(found)
            elif isinstance(found, h5py.Dataset):
                _check_attributes(found)
                bytes_left -= _checked_size(found, size)
                if bytes_left < 0:
                    raise UnsafeError(f"has weights that are larger than the file: {REMEDY}")
            else:
                raise UnsafeError(f"has an object in it that is not a weight ({shown(name)}): {REMEDY}")


def _checked_size(dataset: Any, size: int) -> int:
    """Returns the bytes of an array of weights. Raises UnsafeError unless the file holds them in one plain piece."""
    import h5py

    name = shown(dataset.name or "")
    kind = dataset.id.get_type()
    if not isinstance(kind, h5py.h5t.TypeIntegerID | h5py.h5t.TypeFloatID) or kind.get_size() > _LARGEST_NUMBER:
        raise UnsafeError(f"has weights that are not numbers ({name}): {REMEDY}")
    settings = dataset.id.get_create_plist()
    layout = settings.get_layout()
    if settings.get_external_count() or layout == h5py.h5d.VIRTUAL:
        raise UnsafeError(f"names other files to read weights from ({name}): {REMEDY}")
    if layout not in (h5py.h5d.CONTIGUOUS, h5py.h5d.COMPACT) or settings.get_nfilters():
        raise UnsafeError(f"has weights in chunks ({name}), which Keras does not write: {REMEDY}")
    taken = math.prod((0,) if dataset.shape is None else dataset.shape) * kind.get_size()
    offset = dataset.id.get_offset()
    inside = taken == 0 or layout == h5py.h5d.COMPACT or (offset is not None and offset + taken <= size)
    if not inside or dataset.id.get_storage_size() != taken:
        raise UnsafeError(f"has weights that are larger than the file ({name}): {REMEDY}")
    return int(taken)


def _check_attributes(found: Any) -> None:
    import h5py

    count = h5py.h5a.get_num_attrs(found.id)
    if count > _MOST_ATTRIBUTES:
        raise UnsafeError(f"has {count} attributes on a weight: {REMEDY}")
    for index in range(count):
        attribute = h5py.h5a.open(found.id, index=index)
        known = (h5py.h5t.TypeIntegerID, h5py.h5t.TypeFloatID, h5py.h5t.TypeStringID)
        if not isinstance(attribute.get_type(), known) or attribute.get_storage_size() > _LARGEST_ATTRIBUTE:
            raise UnsafeError(f"has an attribute on a weight that is neither text nor a number: {REMEDY}")

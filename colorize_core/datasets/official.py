"""The published archives, fetched once per machine and checked against their published MD5."""

from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import IO

from colorize_core import storage
from colorize_core.errors import InputError, one_line

SOURCE = "official"  # in place of a path
CACHE_VARIABLE, MIRROR_VARIABLE = "COLORIZE_CACHE", "COLORIZE_CIFAR_MIRROR"
_PUBLISHER = "https://www.cs.toronto.edu/~kriz"
_BLOCK = 1 << 20
_PATIENCE = 60  # seconds without a byte


@dataclass(frozen=True)
class _Archive:
    name: str
    md5: str  # as published beside the archive; a check of the download, not of its author


_ARCHIVES = {
    "cifar10": _Archive("cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a"),
    "cifar100": _Archive("cifar-100-python.tar.gz", "eb9058c3a382ffc7106e4002c42a8d85"),
}


def fetch(dataset: str) -> str:
    """Path of the published archive on this machine; fetched into the cache unless it is there.

    The cache is ``COLORIZE_CACHE``, else ``~/.cache/colorize``; ``COLORIZE_CIFAR_MIRROR`` names another place to fetch
    from than the publisher's.

    Raises:
        InputError: the archive cannot be had, or is not the one that was published.
    """
    archive = _ARCHIVES[dataset]
    cache = os.environ.get(CACHE_VARIABLE) or os.path.join(os.path.expanduser("~"), ".cache", "colorize")
    path = os.path.join(cache, archive.name)
    if os.path.exists(path):
        return path
    url = storage.join(os.environ.get(MIRROR_VARIABLE) or _PUBLISHER, archive.name)
    storage.is_local(url)  # refuses one with a password in it, which the lines below would show
    try:
        with _open(url) as file, storage.replacing(path) as target:
            digest = hashlib.md5(usedforsecurity=False)
            while block := file.read(_BLOCK):
                digest.update(block)
                target.write(block)
            if digest.hexdigest() != archive.md5:
                raise InputError(
                    f"{url} has MD5 {digest.hexdigest()}, published is {archive.md5}: it was cut off or exchanged; "
                    "try again, or fetch it by hand and name the file"
                )
    except InputError:
        raise
    except Exception as error:  # urllib and each store have their own exceptions
        raise InputError(
            f"{url} cannot be fetched ({one_line(error)}): fetch it by hand, and name the file in place of 'official'"
        ) from error
    return path


def _open(url: str) -> IO[bytes]:
    if not url.startswith(("http://", "https://")):
        return storage.open_file(url)
    # fsspec asks for a range at a time, which simple servers do not give, and knows nothing of a proxy.
    try:
        response: IO[bytes] = urllib.request.urlopen(url, timeout=_PATIENCE)  # noqa: S310 - http and https alone come here
    except urllib.error.HTTPError as error:
        error.close()  # it is the response too
        raise
    return response

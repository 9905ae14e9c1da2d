"""Downloads the published CIFAR archives, once per machine, and checks them against their published MD5."""

from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import IO

from colorize_core import storage
from colorize_core.errors import InputError, one_line

SOURCE = "official"  # SOURCE that means: download from the publisher
CACHE_VARIABLE, MIRROR_VARIABLE = "COLORIZE_CACHE", "COLORIZE_CIFAR_MIRROR"
_PUBLISHER = "https://www.cs.toronto.edu/~kriz"
_BLOCK = 1 << 20
_TIMEOUT = 60  # seconds without a byte


@dataclass(frozen=True)
class _Archive:
    name: str
    md5: str  # published beside the archive: detects a damaged download, not a forged one


_ARCHIVES = {
    "cifar10": _Archive("cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a"),
    "cifar100": _Archive("cifar-100-python.tar.gz", "eb9058c3a382ffc7106e4002c42a8d85"),
}


def fetch(dataset: str) -> str:
    """Returns the local path of a published archive; downloads the archive unless it is in the cache.

    The cache is the folder ``COLORIZE_CACHE``, by default ``~/.cache/colorize``. ``COLORIZE_CIFAR_MIRROR`` names a
    folder or URL to download from instead of the publisher's.

    Raises:
        InputError: the archive cannot be downloaded, or differs from the published one.
    """
    archive = _ARCHIVES[dataset]
    cache = os.environ.get(CACHE_VARIABLE) or os.path.join(os.path.expanduser("~"), ".cache", "colorize")
    path = os.path.join(cache, archive.name)
    if os.path.exists(path):
        return path
    url = storage.join(os.environ.get(MIRROR_VARIABLE) or _PUBLISHER, archive.name)
    storage.is_local(url)  # refuses a URL with a password, which the messages below would show
    try:
        with _open(url) as file, storage.replacing(path) as target:
            digest = hashlib.md5(usedforsecurity=False)
            while block := file.read(_BLOCK):
                digest.update(block)
                target.write(block)
            if digest.hexdigest() != archive.md5:
                raise InputError(
                    f"{url} has MD5 {digest.hexdigest()}, but the published MD5 is {archive.md5}: try again, or fetch "
                    "the file by hand and give its path"
                )
    except InputError:
        raise
    except Exception as error:  # urllib and each store have their own exceptions
        raise InputError(
            f"{url} cannot be fetched ({one_line(error)}): fetch it by hand, and give its path instead of 'official'"
        ) from error
    return path


def _open(url: str) -> IO[bytes]:
    if not url.startswith(("http://", "https://")):
        return storage.open_file(url)
    # fsspec requests ranges, which simple servers do not support, and ignores HTTP proxies.
    try:
        response: IO[bytes] = urllib.request.urlopen(url, timeout=_TIMEOUT)  # noqa: S310 - only http and https URLs get here
    except urllib.error.HTTPError as error:
        error.close()  # the error is also the open response
        raise
    return response

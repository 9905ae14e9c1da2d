"""Downloads published archives of data sets, once per machine, and checks them against their published MD5."""

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
CACHE_VARIABLE, MIRROR_VARIABLE = "COLORIZE_CACHE", "COLORIZE_MIRROR"
_BLOCK = 1 << 20
_TIMEOUT = 60  # seconds without a byte


@dataclass(frozen=True)
class PublishedArchive:
    """An archive that the publisher of a data set offers for download.

    Attributes:
        url: its address, which ends in the name of the file.
        md5: the MD5 that was published beside it, in hexadecimal. It detects a damaged download, not a forged one.
    """

    url: str
    md5: str

    @property
    def name(self) -> str:
        """The name of the file."""
        return self.url.rpartition("/")[2]


def fetch(archive: PublishedArchive) -> str:
    """Returns the local path of a published archive; downloads the archive unless it is in the cache.

    The cache is the folder ``COLORIZE_CACHE``, by default ``~/.cache/colorize``. ``COLORIZE_MIRROR`` names a folder
    or URL with a file of the same name, to download from instead of the publisher's.

    Raises:
        InputError: the archive cannot be downloaded, or differs from the published one.
    """
    cache = os.environ.get(CACHE_VARIABLE) or os.path.join(os.path.expanduser("~"), ".cache", "colorize")
    path = os.path.join(cache, archive.name)
    if os.path.exists(path):
        return path
    mirror = os.environ.get(MIRROR_VARIABLE)
    url = storage.join(mirror, archive.name) if mirror else archive.url
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

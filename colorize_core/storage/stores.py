"""Finds the fsspec file system of a path or URL, without cached listings, with timeouts. Refuses secrets in URLs."""

from __future__ import annotations

import os
import re
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from colorize_core.errors import InputError, one_line

_ATTEMPTS = 5  # attempts of one S3 request; then the operation has failed once, and ``retry`` may repeat it
_OBJECT_STORES = ("s3", "s3a", "gs", "gcs")
_PLAIN_STORES = (*_OBJECT_STORES, "file", "local", "memory", "abfs", "az")  # in their names, ``::`` is ordinary text
_SECRET_PARAMETERS = re.compile(
    r"[?&](x-(amz|goog)-(signature|credential|security-token)|awsaccesskeyid|signature|sig"
    r"|((access|auth|secret|subscription|api)[-_]?)*(token|key|secret|auth|password|passwd|pwd))=",
    re.IGNORECASE,
)
_LOCAL = LocalFileSystem()


class SecretError(InputError):
    """Raised for a URL that holds a secret. URLs end up in logs and ledgers, so such a URL is refused."""


def locate(path: str) -> tuple[Any, str]:
    """Returns the file system of a path and the path in it.

    A path without ``://`` is local, even if fsspec would read it as a chain (``a::b``).

    Raises:
        InputError: the path is empty, holds a secret, or its protocol is unknown or lacks a library.
    """
    if not path:
        raise InputError("the path is empty: give a folder or a file")
    if "://" not in path:
        return _LOCAL, path
    refuse_secrets(path)
    protocol = path.split("://")[0]
    head = path if _is_chain(path) else path.split("::")[0]
    try:
        filesystem, inner = fsspec.core.url_to_fs(head, **_options(protocol))
    except (ImportError, TypeError, ValueError) as error:  # an unknown protocol, or one without its library or settings
        raise InputError(f"{path} cannot be used: {one_line(error)}") from error
    if protocol in ("s3", "s3a"):
        filesystem.retries = 1  # s3fs's retries would multiply botocore's and ours: minutes if nothing answers
    return filesystem, inner if head == path else filesystem._strip_protocol(path)


def _is_chain(url: str) -> bool:
    """Returns True if fsspec may read a URL as file systems joined by ``::``: ``zip://*.jpg::s3://bucket/a.zip``."""
    first, *others = url.split("::")
    return any("://" in each for each in others) or first.split("://")[0] not in _PLAIN_STORES


def is_local(path: str) -> bool:
    """Returns True for a path on this machine, False for the URL of a store."""
    return isinstance(locate(path)[0], LocalFileSystem)


def absolute(path: str) -> str:
    """Returns a local path as an absolute path with ``~`` expanded; URLs unchanged."""
    filesystem, inner = locate(path)
    return os.path.abspath(os.path.expanduser(inner)) if isinstance(filesystem, LocalFileSystem) else path


def refuse_secrets(text: str) -> None:
    """Checks the URLs in a path or an argument. Raises SecretError if one holds a key, password or signature."""
    for protocol, place, after in re.findall(r"([\w+.-]+)://([^/?#]*)(?=(.*))", text, re.DOTALL):
        if _SECRET_PARAMETERS.search(text) or _has_secret(protocol.lower(), place, after):
            raise SecretError(
                f"the {protocol}:// URL holds a key, password or signature, which would get into logs and files: take "
                "it out of the URL and set it in the environment (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY), or "
                "download the data first"
            )


def _has_secret(protocol: str, place: str, after: str) -> bool:
    if protocol in _OBJECT_STORES:  # a secret may contain '/': then only its beginning is in ``place``
        return re.search("[:@]", place) is not None and not place.startswith("arn:")
    user, _, host = place.rpartition("@")
    is_host = re.fullmatch(r"([^:\[]*|\[[^]]*\])(:\d*)?", host)
    cut = not is_host and "@" in after  # a password that contains '/'
    return ":" in user or (bool(user) and protocol in ("http", "https")) or cut


def _options(protocol: str) -> dict[str, Any]:
    """Returns the arguments of a file system: no cached listings, limited retries and timeouts."""
    options: dict[str, Any] = {"use_listings_cache": False}
    configured = fsspec.config.conf.get(protocol, {})
    if protocol in ("s3", "s3a"):
        retries = {"mode": "standard", "total_max_attempts": _ATTEMPTS}
        options["config_kwargs"] = {"retries": retries} | configured.get("config_kwargs", {})
        options["max_concurrency"] = (
            1  # higher values ask for the size before each read, and tasks run in parallel anyway
        )
    if protocol in ("http", "https"):
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=30)
        options["client_kwargs"] = {"timeout": timeout} | configured.get("client_kwargs", {})
    return options

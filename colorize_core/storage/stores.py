"""The file system of a path or URL, made so that it remembers nothing, waits for an end, and holds no secret."""

from __future__ import annotations

import os
import re
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from colorize_core.errors import InputError, one_line

_ATTEMPTS = 5  # of one S3 request, before the whole operation counts as failed once
_OBJECT_STORES = ("s3", "s3a", "gs", "gcs")
_PLAIN_STORES = (*_OBJECT_STORES, "file", "local", "memory", "abfs", "az")  # in a name there ``::`` has no meaning
_SECRET_PARAMETERS = re.compile(
    r"[?&](x-(amz|goog)-(signature|credential|security-token)|awsaccesskeyid|signature|sig"
    r"|((access|auth|secret|subscription|api)[-_]?)*(token|key|secret|auth|password|passwd|pwd))=",
    re.IGNORECASE,
)
_LOCAL = LocalFileSystem()


class SecretError(InputError):
    """A URL carries what must not get into logs, ledgers and tables, as URLs do."""


def locate(path: str) -> tuple[Any, str]:
    """File system and the path in it. Without ``://`` it is local, also where fsspec would see a chain (``a::b``)."""
    if not path:
        raise InputError("an empty path names nothing: give a folder or a file")
    if "://" not in path:
        return _LOCAL, path
    refuse_secrets(path)
    protocol = path.split("://")[0]
    head = path if _is_chain(path) else path.split("::")[0]
    try:
        filesystem, inner = fsspec.core.url_to_fs(head, **_options(protocol))
    except (ImportError, TypeError, ValueError) as error:  # an unknown protocol, or one that lacks a library or facts
        raise InputError(f"{path} cannot be used: {one_line(error)}") from error
    if protocol in ("s3", "s3a"):
        filesystem.retries = 1  # s3fs would multiply botocore's attempts and ours: minutes, where nobody answers
    return filesystem, inner if head == path else filesystem._strip_protocol(path)


def _is_chain(url: str) -> bool:
    """Whether fsspec may see file systems joined by ``::`` in it, as in ``zip://*.jpg::s3://bucket/a.zip``."""
    first, *others = url.split("::")
    return any("://" in each for each in others) or first.split("://")[0] not in _PLAIN_STORES


def is_local(path: str) -> bool:
    """Whether only this machine can see the path."""
    return isinstance(locate(path)[0], LocalFileSystem)


def absolute(path: str) -> str:
    """The path as any process on this machine would have to spell it; URLs stay as they are."""
    filesystem, inner = locate(path)
    return os.path.abspath(os.path.expanduser(inner)) if isinstance(filesystem, LocalFileSystem) else path


def refuse_secrets(text: str) -> None:
    """Raises SecretError where a URL in a path or argument carries a secret."""
    for protocol, place, after in re.findall(r"([\w+.-]+)://([^/?#]*)(?=(.*))", text, re.DOTALL):
        if _SECRET_PARAMETERS.search(text) or _has_secret(protocol.lower(), place, after):
            raise SecretError(
                f"the {protocol}:// URL carries a key, password or signature, which would end in logs and files: take "
                "it out, and give it in the environment (as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY), or fetch the "
                "data first"
            )


def _has_secret(protocol: str, place: str, after: str) -> bool:
    if protocol in _OBJECT_STORES:  # a secret may have '/' in it: only its beginning is before the first one
        return re.search("[:@]", place) is not None and not place.startswith("arn:")
    user, _, host = place.rpartition("@")
    is_host = re.fullmatch(r"([^:\[]*|\[[^]]*\])(:\d*)?", host)
    cut = not is_host and "@" in after  # a password with '/' in it
    return ":" in user or (bool(user) and protocol in ("http", "https")) or cut


def _options(protocol: str) -> dict[str, Any]:
    """What every file system is made with: no memory of what lay there before, and an end to all waiting."""
    options: dict[str, Any] = {"use_listings_cache": False}
    configured = fsspec.config.conf.get(protocol, {})
    if protocol in ("s3", "s3a"):
        retries = {"mode": "standard", "total_max_attempts": _ATTEMPTS}
        options["config_kwargs"] = {"retries": retries} | configured.get("config_kwargs", {})
        options["max_concurrency"] = 1  # more would ask for the size before each read; tasks run side by side anyway
    if protocol in ("http", "https"):
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=30)
        options["client_kwargs"] = {"timeout": timeout} | configured.get("client_kwargs", {})
    return options

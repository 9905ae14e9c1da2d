"""Asking a store again, and what it means when it says no."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

from tenacity import (
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_all,
    stop_before_delay,
    wait_random_exponential,
)

from colorize_core.errors import one_line

_PATIENCE = 30.0  # seconds; a failure after that is final, unless it is the first: some operations take an hour
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 8.0  # seconds, at most: each time it is a random part
_BUSY = (408, 429, 500, 502, 503, 504)
_ABSENT = (404, 410)
_FORBIDDEN = (401, 403)
_T = TypeVar("_T")


def patiently(path: str, call: Callable[[], _T], answer: type[OSError] | tuple[()] = ()) -> _T:
    """Calls again, ever later and at random, while what fails may go well the next time.

    Raises OSError; one of the kind ``answer`` as it is.
    """
    retrying = Retrying(
        retry=retry_if_exception(is_transient),
        wait=wait_random_exponential(_FIRST_WAIT, _LONGEST_WAIT),
        stop=stop_all(stop_before_delay(_PATIENCE), stop_after_attempt(2)),
        reraise=True,
    )
    try:
        return retrying(call)
    except answer:
        raise
    except Exception as error:  # every store has its own exceptions
        raise failure(path, error) from error


def is_transient(error: BaseException | None) -> bool:
    """Whether the same call may go well later: the connection broke, nobody answered in time, or the store is busy."""
    passing, lasting = _kinds()
    while error is not None and not isinstance(error, lasting):
        if isinstance(error, passing):
            return True
        if _own_status(error):
            return _own_status(error) in _BUSY
        error = error.__cause__
    return False


@lru_cache(maxsize=1)
def _kinds() -> tuple[tuple[type[BaseException], ...], tuple[type[BaseException], ...]]:
    """Exceptions that may not come again, and some of those that will."""
    import aiohttp
    from botocore import exceptions, parsers

    passing = (
        BlockingIOError,
        ConnectionError,
        TimeoutError,
        asyncio.TimeoutError,  # another one before Python 3.11
        aiohttp.ClientConnectionError,
        aiohttp.ClientPayloadError,
        exceptions.ConnectionError,
        exceptions.HTTPClientError,
        exceptions.IncompleteReadError,
        parsers.ResponseParserError,  # half an answer
    )
    return passing, (aiohttp.ClientSSLError, exceptions.SSLError)


def status(error: BaseException | None) -> int:
    """The HTTP status that an exception comes from; 0 where it has none."""
    while error is not None and not _own_status(error):
        error = error.__cause__
    return 0 if error is None else _own_status(error)


def _own_status(error: BaseException) -> int:
    response = getattr(error, "response", None)
    if isinstance(response, dict):  # botocore
        return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    found = (getattr(error, name, None) for name in ("status", "status_code", "code"))  # aiohttp, Azure, Google
    return next((value for value in found if isinstance(value, int)), 0)


def is_absent(error: FileNotFoundError) -> bool:
    """Whether the store says so. For fsspec nothing is there whenever an HTTP server does not answer."""
    cause = error.__cause__
    return cause is None or isinstance(cause, FileNotFoundError | KeyError) or status(cause) in _ABSENT


def failure(path: str, error: BaseException) -> OSError:
    """One line of one kind for what any store raises."""
    if isinstance(error, FileNotFoundError) and not is_absent(error) and error.__cause__ is not None:
        error = error.__cause__
    kinds = (FileNotFoundError, PermissionError, NotADirectoryError, IsADirectoryError, ConnectionError, TimeoutError)
    kind = next((kind for kind in kinds if isinstance(error, kind)), OSError)
    kind = PermissionError if status(error) in _FORBIDDEN else kind
    words = one_line(OSError(error.strerror) if isinstance(error, OSError) and error.strerror else error)
    if words in path:  # many a FileNotFoundError says no more
        words = "not found"
    return kind(f"{path}: {re.sub(r'(?<=//)[^/@]*@', '', words)}")  # an endpoint's URL may carry a password

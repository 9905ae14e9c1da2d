"""Retries operations on a store, and turns the errors of any store into OSError."""

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

_RETRY_SECONDS = 30.0  # a failure after that is final, except the first: a single operation may take an hour
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 8.0  # seconds; the wait is a random part of a limit that doubles each time
_BUSY = (408, 429, 500, 502, 503, 504)  # HTTP statuses, as those below
_ABSENT = (404, 410)
_FORBIDDEN = (401, 403)
_T = TypeVar("_T")


def call(path: str, function: Callable[[], _T], expected: type[OSError] | tuple[()] = ()) -> _T:
    """Calls a function and returns its result. Repeats the call after growing random waits while errors are transient.

    Args:
        path: the path that the function works on, for messages.
        function: what to call.
        expected: a kind of error that is an answer of the store: it is raised unchanged.

    Raises:
        OSError: the function failed for good.
    """
    retrying = Retrying(
        retry=retry_if_exception(is_transient),
        wait=wait_random_exponential(_FIRST_WAIT, _LONGEST_WAIT),
        stop=stop_all(stop_before_delay(_RETRY_SECONDS), stop_after_attempt(2)),
        reraise=True,
    )
    try:
        return retrying(function)
    except expected:
        raise
    except Exception as error:  # each store has its own exceptions
        raise failure(path, error) from error


def is_transient(error: BaseException | None) -> bool:
    """Returns True if a retry may succeed: the connection broke, no answer came in time, or the store is busy."""
    transient, permanent = _kinds()
    while error is not None and not isinstance(error, permanent):
        if isinstance(error, transient):
            return True
        if _own_status(error):
            return _own_status(error) in _BUSY
        error = error.__cause__
    return False


@lru_cache(maxsize=1)
def _kinds() -> tuple[tuple[type[BaseException], ...], tuple[type[BaseException], ...]]:
    """Returns the classes of errors for which a retry may help, and the subclasses for which it cannot."""
    import aiohttp
    from botocore import exceptions, parsers

    transient = (
        BlockingIOError,
        ConnectionError,
        TimeoutError,
        asyncio.TimeoutError,  # a class of its own before Python 3.11
        aiohttp.ClientConnectionError,
        aiohttp.ClientPayloadError,
        exceptions.ConnectionError,
        exceptions.HTTPClientError,
        exceptions.IncompleteReadError,
        parsers.ResponseParserError,  # a truncated answer
    )
    return transient, (aiohttp.ClientSSLError, exceptions.SSLError)


def status(error: BaseException | None) -> int:
    """Returns the HTTP status that caused an exception; 0 if there is none."""
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
    """Returns True if the store said that the file does not exist.

    fsspec also raises FileNotFoundError if an HTTP server does not answer.
    """
    cause = error.__cause__
    return cause is None or isinstance(cause, FileNotFoundError | KeyError) or status(cause) in _ABSENT


def failure(path: str, error: BaseException) -> OSError:
    """Converts any error of a store into an OSError of the fitting kind, with a message of one line."""
    if isinstance(error, FileNotFoundError) and not is_absent(error) and error.__cause__ is not None:
        error = error.__cause__
    kinds = (FileNotFoundError, PermissionError, NotADirectoryError, IsADirectoryError, ConnectionError, TimeoutError)
    kind = next((kind for kind in kinds if isinstance(error, kind)), OSError)
    kind = PermissionError if status(error) in _FORBIDDEN else kind
    words = one_line(OSError(error.strerror) if isinstance(error, OSError) and error.strerror else error)
    if words in path:  # the message of many a FileNotFoundError is the path alone
        words = "not found"
    return kind(f"{path}: {re.sub(r'(?<=//)[^/@]*@', '', words)}")  # hides passwords in URLs

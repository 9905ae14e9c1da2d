"""Discards what libraries print, so that only messages of the jobs reach the user's screen."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def native_stderr_silenced() -> Iterator[None]:
    """Discards what compiled code writes to standard error within the block; exceptions pass."""
    sys.stderr.flush()
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)


@contextmanager
def tensorflow_silenced() -> Iterator[None]:
    """Discards logs and warnings of TensorFlow, Keras and their converters within the block; exceptions pass."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    with native_stderr_silenced(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield

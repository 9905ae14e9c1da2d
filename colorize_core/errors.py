"""What can go wrong, as one tree.

::

    ColorizeError               the job failed: exit status 1
    ├── UserError               the call or its input is wrong: exit status 2
    │   ├── InputError          INPUT or DATA is missing, empty or not what it claims to be
    │   ├── OutputError         OUTPUT cannot be written, or lies where it must not
    │   ├── RecipeError         a recipe is unknown or a setting in it is wrong
    │   └── BundleError         a model bundle is unknown, damaged or unsafe
    └── ImageError              one image cannot be used: a row of data with a reason, never a dead job

Each message is one line that says what is wrong, where, and what to do.
"""

from __future__ import annotations

MOST_DEATHS = 2  # processes that died over one photograph: one may have been killed for other reasons
DEADLY = f"{MOST_DEATHS} processes died over it: for want of memory, or by a fault of a decoder"
NEED_READABLE = "put a regular file there that you may read, or leave it out"  # what to do


class ColorizeError(Exception):
    """Base class of every error that this library raises on purpose."""


class UserError(ColorizeError):
    """The call or its input is wrong; nothing was written."""


class InputError(UserError):
    """INPUT or DATA is missing, empty or not what it claims to be."""


class OutputError(UserError):
    """OUTPUT cannot be written, or lies where it must not."""


class RecipeError(UserError):
    """A recipe is unknown, or a setting in it is wrong."""


class BundleError(UserError):
    """A model bundle is unknown, damaged or unsafe to load."""


class ImageError(ColorizeError):
    """One image cannot be used.

    Args:
        reason: short code for counting, one of ``REASONS``.
        message: one line for a person.
    """

    REASONS = (
        "empty",
        "not_an_image",
        "damaged",
        "too_large",
        "unsupported",
        "in_color",
        "mismatch",
        "storage",
        "internal",
        "unreadable",
        "taken",
    )

    def __init__(self, reason: str, message: str) -> None:
        if reason not in self.REASONS:
            raise ValueError(f"reason is {reason!r}, must be one of {', '.join(self.REASONS)}")
        super().__init__(message)
        self.reason = reason
        self.message = message

    def __reduce__(self) -> tuple[type[ImageError], tuple[str, str]]:
        return type(self), (self.reason, self.message)  # an exception is pickled by its args, which lack the reason


def printable(path: str) -> str:
    """The path with bytes that are no UTF-8 escaped: as it can be printed, and stand in JSON and Parquet.

    Backslashes are doubled, so that no two paths become one.
    """
    return path.replace("\\", "\\\\").encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def one_line(error: BaseException) -> str:
    """The words of any exception on one line, bytes of paths that are no UTF-8 escaped; its type where it has none."""
    words = " ".join(str(error).split()) or type(error).__name__
    return words.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")

"""The exceptions of this library, in one tree.

::

    ColorizeError               the job failed: exit status 1
    ├── UserError               the call or its input is wrong: exit status 2
    │   ├── InputError          INPUT or DATA is missing, empty or not what it claims to be
    │   ├── OutputError         OUTPUT cannot be written, or lies where it must not
    │   ├── RecipeError         a recipe is unknown or a setting in it is wrong
    │   └── BundleError         a model bundle is unknown, damaged or unsafe
    └── ImageError              one image cannot be used: a row of data with a reason, never a dead job

Each message is one line that says what is wrong, where, and what to do next.
"""

from __future__ import annotations

MOST_DEATHS = 2  # processes that may die over one photograph: the first may have been killed for another reason
DEADLY = f"{MOST_DEATHS} processes died over it: out of memory, or a decoder crashed"
NEED_READABLE = "put a regular file there that you may read, or leave it out"  # the end of several messages


class ColorizeError(Exception):
    """Base class of every error that this library raises on purpose."""


class UserError(ColorizeError):
    """Raised if the call or its input is wrong. Nothing was written."""


class InputError(UserError):
    """Raised if INPUT or DATA is missing, empty or not what it claims to be."""


class OutputError(UserError):
    """Raised if OUTPUT cannot be written, or is in a forbidden place, such as inside INPUT."""


class RecipeError(UserError):
    """Raised if a recipe is unknown, or a setting in it is wrong."""


class BundleError(UserError):
    """Raised if a model bundle is unknown, damaged or unsafe to load."""


class ImageError(ColorizeError):
    """Raised if one image cannot be used.

    Args:
        reason: a short code to count by, one of ``REASONS``.
        message: one line for the user.
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
    r"""Returns a path as text for the screen, JSON and Parquet: bytes that are not UTF-8 become ``\xNN``.

    Backslashes are doubled, so that two different paths stay different.
    """
    return path.replace("\\", "\\\\").encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def one_line(error: BaseException) -> str:
    """Returns the message of an exception on one line, or its type if the message is empty.

    Bytes of paths that are not UTF-8 are escaped.
    """
    words = " ".join(str(error).split()) or type(error).__name__
    return words.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")

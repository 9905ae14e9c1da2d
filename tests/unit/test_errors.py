from __future__ import annotations

import pickle

import pytest

from colorize_core import errors
from colorize_core.errors import ColorizeError, ImageError, UserError


@pytest.mark.parametrize("name", ["InputError", "OutputError", "RecipeError", "BundleError"])
def test_user_errors_mean_exit_status_2(name: str) -> None:
    kind = getattr(errors, name)
    assert kind.__mro__[1:3] == (UserError, ColorizeError)
    assert str(kind("one line")) == "one line"


def test_an_image_error_is_no_user_error() -> None:
    assert issubclass(ImageError, ColorizeError)
    assert not issubclass(ImageError, UserError)


@pytest.mark.parametrize("reason", ImageError.REASONS)
def test_image_error_carries_reason_and_message(reason: str) -> None:
    error = ImageError(reason, "what, where")
    assert (error.reason, error.message, str(error)) == (reason, "what, where", "what, where")


def test_image_error_survives_the_way_between_processes() -> None:
    error = pickle.loads(pickle.dumps(ImageError("damaged", "the pixels cannot be read")))  # noqa: S301
    assert (type(error), error.reason, error.message) == (ImageError, "damaged", "the pixels cannot be read")


def test_unknown_reason_is_refused_with_the_choices() -> None:
    with pytest.raises(ValueError, match=r"reason is 'broken', must be one of empty, not_an_image, damaged"):
        ImageError("broken", "x")


def test_every_error_of_the_module_is_in_its_tree() -> None:
    defined = [name for name, value in vars(errors).items() if isinstance(value, type)]
    assert defined
    for name in defined:
        assert name in (errors.__doc__ or "")
        assert issubclass(getattr(errors, name), ColorizeError)


def test_one_line_can_be_stored_whatever_a_path_is_called() -> None:
    assert errors.one_line(OSError("caf\udce9.jpg:\n no \\regular file")) == r"caf\xe9.jpg: no \regular file"

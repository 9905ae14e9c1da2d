"""Settings of an archive job are checked where they are built."""

from __future__ import annotations

import pytest

from colorize_core import ArchiveConfig, Encoding, UserError


@pytest.mark.parametrize(("file_format", "image_format"), [("tiff", "tiff"), ("jpeg", "jpeg"), ("tar", "png")])
def test_images_are_encoded_as_the_format_of_output_asks(file_format: str, image_format: str) -> None:
    assert ArchiveConfig("in", "out", file_format=file_format).image_encoding == Encoding(image_format)


def test_an_encoding_with_options_is_kept() -> None:
    encoding = Encoding("jpeg", quality=80)
    assert ArchiveConfig("in", "out", file_format="jpeg", encoding=encoding).image_encoding is encoding


def test_an_unknown_format_is_refused_with_the_choices() -> None:
    with pytest.raises(UserError, match="file_format is 'gif', must be one of png, jpeg, webp, tiff, parquet, tar"):
        ArchiveConfig("in", "out", file_format="gif")


def test_an_unknown_engine_or_runner_is_refused_with_the_choices() -> None:
    with pytest.raises(UserError, match="engine is 'typo'; choose from auto, onnx, keras"):
        ArchiveConfig("in", "out", engine="typo")
    with pytest.raises(UserError, match="runner is 'typo'; choose from auto, ray, local"):
        ArchiveConfig("in", "out", runner="typo")  # type: ignore[arg-type]


def test_an_encoding_for_another_format_is_refused() -> None:
    with pytest.raises(UserError, match="encoding is for png: with file_format 'jpeg' it must be for jpeg"):
        ArchiveConfig("in", "out", file_format="jpeg", encoding=Encoding("png"))


@pytest.mark.parametrize("name", ["limit", "review_rows"])
@pytest.mark.parametrize("value", [0, -5])
def test_a_number_below_one_is_refused(name: str, value: int) -> None:
    with pytest.raises(UserError, match=f"{name} is {value}, must be 1 or more"):
        ArchiveConfig("in", "out", **{name: value})  # type: ignore[arg-type]

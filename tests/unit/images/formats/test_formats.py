"""The registry of image formats: one contract for all records, and a format that is added."""

from __future__ import annotations

import io
from typing import IO, Any

import click
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

from colorize_core.archiving.stages.sinks.files import FileSink
from colorize_core.archiving.stages.sinks.formats import OUTPUT_FORMATS
from colorize_core.archiving.stages.sinks.sink import OutputFormat
from colorize_core.errors import UserError
from colorize_core.images import formats
from colorize_core.images.encode import Encoding, encode
from colorize_core.images.formats import BY_SUFFIX, FORMATS, OPTIONS, READABLE, READABLE_SUFFIXES, names_with
from colorize_core.images.formats.image_format import ImageFormat, Option, ReadableFormat
from colorize_core.images.lazy_image import LazyImage, to_array
from colorize_core.images.metadata import Metadata
from colorize_core.images.metadata.provenance import Provenance, is_ours, made_by_machine, marked
from jobs.options import encoding_of, format_options

GRADIENT: NDArray[np.uint8] = np.repeat(np.arange(48, dtype=np.uint8)[None, :, None] * 5, 32, axis=0).repeat(3, axis=2)


def test_the_suffixes_that_are_written_and_understood() -> None:
    for name, suffix in {"png": ".png", "jpeg": ".jpg", "webp": ".webp", "tiff": ".tif"}.items():
        assert FORMATS[name].suffix == suffix
    for suffix, name in {".jpeg": "jpeg", ".jfif": "jpeg", ".tiff": "tiff"}.items():
        assert BY_SUFFIX[suffix] is FORMATS[name]


@pytest.mark.parametrize("record", READABLE, ids=lambda record: record.name)
def test_a_readable_format_is_known_to_pillow(record: ReadableFormat) -> None:
    Image.init()
    assert record.pillow_name in Image.OPEN
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in record.suffixes)


def test_a_suffix_belongs_to_one_format() -> None:
    assert len(READABLE_SUFFIXES) == sum(len(record.suffixes) for record in READABLE)
    assert BY_SUFFIX.keys() <= READABLE_SUFFIXES


@pytest.mark.parametrize("name", FORMATS)
def test_a_record_keeps_its_promises(name: str) -> None:
    record = FORMATS[name]
    assert record.name == name
    assert all(BY_SUFFIX[suffix] is record and suffix == suffix.lower() for suffix in record.suffixes)
    for option in record.options:
        assert OPTIONS[option.name] == option  # formats that share a name share the option
        assert option.default in option.allowed
    dtype = Encoding(name).dtype(16)
    pixels = GRADIENT.astype(dtype) * (257 if dtype == np.uint16 else 1)
    content = bytes(encode(pixels, Encoding(name), xmp=marked(Provenance("a.tif", "unet-lite", "1234"))))
    with Image.open(io.BytesIO(content)) as image:
        assert image.format == Image.registered_extensions()[record.suffix]
        assert image.size == (48, 32)
    assert is_ours(io.BytesIO(content))  # else a later run takes it for a photograph, and does not replace it
    assert made_by_machine(content)


def test_options_of_several_formats_come_first() -> None:
    assert next(iter(OPTIONS)) == "quality"
    assert {"quality", "png_level", "tiff_compression"} <= OPTIONS.keys()
    assert {"jpeg", "webp"} <= set(names_with("quality"))


@pytest.mark.parametrize(
    ("file_format", "options", "message"),
    [
        ("gif", {}, "file_format is 'gif', must be one of png, jpeg, webp, tiff"),
        ("png", {"level": 1}, "'level' is not an option of an image format, must be one of quality, png_level, "),
        ("jpeg", {"quality": 0}, "quality is 0, must be from 1 to 100"),
        ("png", {"tiff_compression": "zip"}, "tiff_compression is 'zip', must be one of lzw, deflate, none"),
    ],
)
def test_an_encoding_names_what_is_wrong_with_it(file_format: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Encoding(file_format, **options)


def _write_raw(file: IO[bytes], pixels: LazyImage | NDArray[Any], metadata: Metadata, *, raw_order: str) -> None:
    file.write(np.asarray(to_array(pixels), order=raw_order).tobytes("A"))  # type: ignore[call-overload]


def test_a_format_that_is_added_is_written_and_has_its_option(monkeypatch: pytest.MonkeyPatch) -> None:
    order = Option("raw_order", "C", ("C", "F"), "Order of raw pixels.")
    monkeypatch.setitem(FORMATS, "raw", ImageFormat("raw", (".raw",), _write_raw, (order,)))
    monkeypatch.setitem(formats.OPTIONS, "raw_order", order)
    monkeypatch.setitem(OUTPUT_FORMATS, "raw", OutputFormat("raw", FileSink, "raw"))
    chosen: list[Encoding] = []

    @click.command()
    @format_options
    def command(**given: Any) -> None:
        chosen.append(encoding_of("raw", given))

    help_page = CliRunner().invoke(command, ["--help"]).output
    assert "--raw-order [C|F]" in help_page
    assert "Order of raw pixels. For raw.  [default: C]" in help_page
    assert CliRunner().invoke(command, ["--raw-order", "F"]).exit_code == 0
    assert CliRunner().invoke(command, ["--quality", "9"]).exit_code == 2
    assert str(chosen[0]) == " raw_order=F"
    assert encode(GRADIENT, chosen[0]) == GRADIENT.tobytes("F")

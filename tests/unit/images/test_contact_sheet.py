from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from colorize_core.images.contact_sheet import grid

AsPng = Callable[[NDArray[np.uint8]], bytes]
CELL, GAP, HEADING = 256, 8, 24
WHITE = (255, 255, 255)


def _flat(height: int, width: int, color: Any) -> NDArray[np.uint8]:
    return np.full((height, width, 3), color, np.uint8)


def _sheet(content: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(content)) as image:
        assert (image.format, image.mode) == ("PNG", "RGB")
        return np.asarray(image)


def test_each_picture_has_its_place(as_png: AsPng) -> None:
    colors = [[(200, 0, 0), (0, 200, 0), (0, 0, 200)], [(90, 90, 0), (0, 90, 90), (90, 0, 90)]]
    heights = [CELL, CELL // 2]
    rows = [
        [as_png(_flat(64, 64, color)) for color in colors[0]],
        [as_png(_flat(32, 64, color)) for color in colors[1]],
    ]
    sheet = _sheet(grid(rows))
    assert sheet.shape == (HEADING + sum(heights) + 3 * GAP, 3 * (CELL + GAP) + GAP, 3)
    top = HEADING + GAP
    covered = np.zeros(sheet.shape[:2], bool)
    for row, height in zip(colors, heights, strict=True):
        for column, color in enumerate(row):
            left = GAP + column * (CELL + GAP)
            assert (sheet[top : top + height, left : left + CELL] == color).all()
            covered[top : top + height, left : left + CELL] = True
        top += height + GAP
    assert (sheet[HEADING:][~covered[HEADING:]] == 255).all()
    headings = sheet[:HEADING]
    for column in range(3):
        part = headings[:, column * (CELL + GAP) : (column + 1) * (CELL + GAP)]
        assert part.min() < 64  # there is writing


@pytest.mark.parametrize(
    ("height", "width", "shown"),
    [
        (512, 512, (256, 256)),
        (1000, 500, (256, 128)),
        (300, 451, (170, 256)),
        (8, 16, (128, 256)),
        (1, 1, (256, 256)),
        (1, 1000, (1, 256)),
    ],
)
def test_pictures_keep_their_shape(as_png: AsPng, height: int, width: int, shown: tuple[int, int]) -> None:
    sheet = _sheet(grid([[as_png(_flat(height, width, (10, 20, 30)))]], ["picture"]))
    assert sheet.shape[:2] == (HEADING + shown[0] + 2 * GAP, CELL + 2 * GAP)
    picture = (sheet[HEADING:] == (10, 20, 30)).all(axis=-1)
    rows, columns = np.flatnonzero(picture.any(axis=1)), np.flatnonzero(picture.any(axis=0))
    assert (rows[0], rows[-1] + 1) == (GAP, GAP + shown[0])
    assert (columns[0], columns[-1] + 1) == (GAP, GAP + shown[1])


def test_small_pictures_are_enlarged_pixel_by_pixel(as_png: AsPng) -> None:
    pixels = np.random.default_rng(4).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    sheet = _sheet(grid([[as_png(pixels)]], ["picture"]))
    shown = sheet[HEADING + GAP : HEADING + GAP + CELL, GAP : GAP + CELL]
    np.testing.assert_array_equal(shown, pixels.repeat(64, axis=0).repeat(64, axis=1))


def test_large_pictures_are_reduced(as_png: AsPng, photographs: dict[str, NDArray[np.uint8]]) -> None:
    rgb = photographs["astronaut"]
    sheet = _sheet(grid([[as_png(rgb)]], ["picture"]))
    shown = sheet[HEADING + GAP : HEADING + GAP + CELL, GAP : GAP + CELL].astype(float)
    assert np.abs(shown - rgb.reshape(256, 2, 256, 2, 3).mean(axis=(1, 3))).mean() < 3


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1"])
@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_pictures_of_any_mode(mode: str, file_format: str) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "black").convert(mode).save(buffer, file_format)
    sheet = _sheet(grid([[buffer.getvalue()]], ["picture"]))
    assert (sheet[HEADING + GAP : HEADING + GAP + CELL, GAP : GAP + CELL] == 0).all()


@pytest.mark.parametrize("gap", [None, b""])
def test_a_gap_stays_white(as_png: AsPng, gap: bytes | None) -> None:
    picture = as_png(_flat(8, 8, (10, 20, 30)))
    sheet = _sheet(grid([[picture, gap, picture]]))
    middle = sheet[HEADING:, GAP + CELL : 2 * (GAP + CELL) + GAP]
    assert (middle[:, GAP : GAP + CELL] == WHITE).all()
    assert (sheet[HEADING + GAP, 2 * (CELL + GAP) + GAP] == (10, 20, 30)).all()


def test_no_rows_make_a_sheet_of_headings() -> None:
    assert _sheet(grid([])).shape == (HEADING + GAP, 3 * (CELL + GAP) + GAP, 3)

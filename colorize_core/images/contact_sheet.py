"""Contact sheets: images side by side, for a person to compare."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from colorize_core.images import decode

_CELL = 256  # pixels of the long side of an image
_GAP = 8  # pixels between images
_HEADING = 24  # pixels of the line of headings


def grid(rows: Sequence[Sequence[bytes | None]], headings: Sequence[str] = ("gray", "truth", "colorized")) -> bytes:
    """Returns a PNG file with the images in rows, and one column per heading.

    Args:
        rows: image files, or None for a gap; at least one file in each row.
        headings: one for each column.
    """
    columns = len(headings)
    cells = [[_cell(content) if content else None for content in row] for row in rows]
    heights = [max(cell.height for cell in row if cell) for row in cells]
    sheet = Image.new(
        "RGB", (columns * (_CELL + _GAP) + _GAP, _HEADING + sum(heights) + _GAP * (len(heights) + 1)), "white"
    )
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(14)
    for column, heading in enumerate(headings):
        draw.text((_GAP + column * (_CELL + _GAP), 5), heading, "black", font)
    top = _HEADING + _GAP
    for row, height in zip(cells, heights, strict=True):
        for column, cell in enumerate(row):
            if cell:
                sheet.paste(cell, (_GAP + column * (_CELL + _GAP), top))
        top += height + _GAP
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _cell(content: bytes) -> Image.Image:
    """Returns the image of a file, resized so that its long side has ``_CELL`` pixels."""
    image = Image.fromarray(decode.read_rgb(content))
    scale = _CELL / max(image.size)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.resize(size, Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.NEAREST)

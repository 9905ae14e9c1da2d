"""Pictures that let a person judge."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from colorize_core.images import decode

_CELL = 256  # pixels that the long side of a picture may take
_GAP = 8
_HEADING = 24


def grid(rows: Sequence[Sequence[bytes | None]], headings: Sequence[str] = ("gray", "truth", "colorized")) -> bytes:
    """PNG with one row of pictures per item, a column per heading; pictures are image files, or None for a gap."""
    columns = len(headings)
    pictures = [[_cell(content) if content else None for content in row] for row in rows]
    heights = [max(picture.height for picture in row if picture) for row in pictures]
    sheet = Image.new(
        "RGB", (columns * (_CELL + _GAP) + _GAP, _HEADING + sum(heights) + _GAP * (len(heights) + 1)), "white"
    )
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(14)
    for column, heading in enumerate(headings):
        draw.text((_GAP + column * (_CELL + _GAP), 5), heading, "black", font)
    top = _HEADING + _GAP
    for row, height in zip(pictures, heights, strict=True):
        for column, picture in enumerate(row):
            if picture:
                sheet.paste(picture, (_GAP + column * (_CELL + _GAP), top))
        top += height + _GAP
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _cell(content: bytes) -> Image.Image:
    picture = Image.fromarray(decode.read_rgb(content))
    scale = _CELL / max(picture.size)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return picture.resize(size, Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.NEAREST)

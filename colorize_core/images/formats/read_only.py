"""The image formats that are read but not written. Pillow decodes them."""

from __future__ import annotations

from colorize_core.images.formats.image_format import ReadableFormat

READ_ONLY = [
    ReadableFormat("bmp", (".bmp",)),
    ReadableFormat("jpeg2000", (".jp2", ".jpx", ".j2k", ".j2c")),
    ReadableFormat("ppm", (".pgm", ".ppm", ".pbm", ".pnm")),
    ReadableFormat("gif", (".gif",)),
]
try:
    import pillow_heif
except ImportError:
    pass
else:
    pillow_heif.register_heif_opener(thumbnails=False)
    READ_ONLY.append(ReadableFormat("heif", (".heic", ".heif")))

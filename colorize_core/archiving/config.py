"""The settings of one archive job."""

from __future__ import annotations

from dataclasses import dataclass

from colorize_core import bundle as bundles
from colorize_core.archiving.stages.sinks.formats import OUTPUT_FORMATS
from colorize_core.errors import UserError
from colorize_core.images.encode import Encoding
from colorize_core.networks import Engine, check_engine
from colorize_core.runtime.runner import RunnerName, check_runner

REVIEW_ROWS = 100


@dataclass(frozen=True)
class ArchiveConfig:
    """The settings of one archive job: what to colorize, where to write the results, and how.

    Attributes:
        input: a folder, a glob, an image, a container or a list of paths.
        output: a folder or a URL.
        model: name of a shipped bundle, or a folder with a bundle.
        file_format: format of OUTPUT, one of ``OUTPUT_FORMATS``: a file per page, or shards of many pages.
        encoding: encoding of the images; None for the image format of ``file_format`` with its default options.
        retry_failed: try photographs again that failed before.
        limit: stop after this number of photographs; None for all.
        saturation: name of a gain of the bundle, or a factor on the predicted chroma.
        dedupe: colorize equal files once, and copy the result.
        recolor: give new colors to photographs that are in color already.
        review: a CSV file or URL to write: the results in OUTPUT with the largest doubt; '' for none.
        review_rows: the most rows of that file.
        report: write a page that shows the results.
        engine: name of the engine that runs the network, one of ``ENGINE_CHOICES``.
        runner: name of the runner of the job, one of ``RUNNERS``.

    Raises:
        UserError: ``file_format``, ``engine`` or ``runner`` is unknown, ``encoding`` is for another format, or a
            number is below 1.

    Example:
        >>> ArchiveConfig("scans", "colored", file_format="tiff").image_encoding.file_format
        'tiff'
    """

    input: str
    output: str
    model: str = bundles.DEFAULT
    file_format: str = "png"
    encoding: Encoding | None = None
    retry_failed: bool = False
    limit: int | None = None
    saturation: str | float = bundles.FAITHFUL
    dedupe: bool = False
    recolor: bool = False
    review: str = ""
    review_rows: int = REVIEW_ROWS
    report: bool = True
    engine: Engine = "auto"
    runner: RunnerName = "auto"

    def __post_init__(self) -> None:
        for name, value in (("limit", self.limit), ("review_rows", self.review_rows)):
            if value is not None and value < 1:
                raise UserError(f"{name} is {value}, must be 1 or more")
        check_engine(self.engine)
        check_runner(self.runner)
        if self.file_format not in OUTPUT_FORMATS:
            raise UserError(f"file_format is {self.file_format!r}, must be one of {', '.join(OUTPUT_FORMATS)}")
        expected, given = OUTPUT_FORMATS[self.file_format].image_format, self.image_encoding.file_format
        if given != expected:
            raise UserError(f"encoding is for {given}: with file_format {self.file_format!r} it must be for {expected}")

    @property
    def image_encoding(self) -> Encoding:
        """The encoding of the images in OUTPUT."""
        return self.encoding or Encoding(OUTPUT_FORMATS[self.file_format].image_format)

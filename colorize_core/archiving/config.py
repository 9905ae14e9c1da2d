"""One call of ``colorize archive``, as it was made."""

from __future__ import annotations

from dataclasses import dataclass, field

from colorize_core import bundle as bundles
from colorize_core.archiving.stages.finish import OutputFormat
from colorize_core.images.encode import Encoding
from colorize_core.networks import Engine
from colorize_core.runtime.runner import RunnerName


@dataclass(frozen=True)
class ArchiveConfig:
    """The settings of one archive job: what to colorize, where to, and how.

    Attributes:
        input: a folder, a glob, an image, a container or a list of paths.
        output: a folder or a URL.
        model: a shipped bundle by name, or a folder with a bundle.
        file_format: what OUTPUT consists of.
        encoding: of the images, which in shards are PNG.
        retry_failed: try again what failed before.
        limit: stop after so many photographs.
        saturation: a gain of the bundle by name, or a number.
        dedupe: colorize equal files once, and copy the result.
        recolor: colorize also what is in color already.
        report: make a page that shows the results.
        engine: what runs the network.
        runner: what runs the job.
    """

    input: str
    output: str
    model: str = bundles.DEFAULT
    file_format: OutputFormat = "png"
    encoding: Encoding = field(default_factory=Encoding)
    retry_failed: bool = False
    limit: int | None = None
    saturation: str | float = bundles.FAITHFUL
    dedupe: bool = False
    recolor: bool = False
    report: bool = True
    engine: Engine = "auto"
    runner: RunnerName = "auto"

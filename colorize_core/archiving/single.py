"""Colorizes single photographs, without a ledger, by the stages of an archive run."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from colorize_core import storage
from colorize_core.archiving.planning import names
from colorize_core.archiving.stages import merge
from colorize_core.archiving.stages.merge import Colorized
from colorize_core.archiving.stages.read import page_inputs
from colorize_core.bundle import Bundle
from colorize_core.errors import ImageError, InputError, OutputError, one_line, printable
from colorize_core.images import decode
from colorize_core.images.encode import Encoding
from colorize_core.images.formats import BY_SUFFIX, FORMATS
from colorize_core.images.metadata.provenance import Provenance, is_ours
from colorize_core.inference.colorizer import Colorizer


def result_beside(photograph: str, file_format: str) -> str:
    """Returns the path of a result beside its photograph: ``NAME.color.png``."""
    return posixpath.splitext(photograph)[0] + ".color" + FORMATS[file_format].suffix


def file_format_of(result: str) -> str:
    """Returns the file format of a result's name. Raises OutputError if colorize cannot write this format."""
    suffix = posixpath.splitext(result)[1].lower()
    if suffix not in BY_SUFFIX:
        raise OutputError(f"RESULT {result} does not end in {', '.join(sorted(BY_SUFFIX))}: give it one of these names")
    return BY_SUFFIX[suffix].name


def paths_of_results(arguments: Sequence[str], file_format: str | None) -> list[tuple[str, str]]:
    """Returns each photograph of a command line with the path of its result.

    Args:
        arguments: a photograph and its result, which may be a folder; or one photograph, or three or more.
        file_format: format of the results; None for that of the result's name, else PNG.

    Raises:
        OutputError: the result's name asks for another format.

    Example:
        >>> paths_of_results(["a.tif"], None), paths_of_results(["a.tif", "b.jpg"], None)
        ([('a.tif', 'a.color.png')], [('a.tif', 'b.jpg')])
    """
    if len(arguments) != 2:
        return [(photograph, result_beside(photograph, file_format or "png")) for photograph in arguments]
    photograph, result = arguments
    if storage.is_folder(storage.absolute(result)) or result.endswith("/"):
        name = result_beside(photograph, file_format or "png").rstrip("/").rpartition("/")[2]
        return [(photograph, storage.join(result, name))]
    if file_format and file_format_of(result) != file_format:
        raise OutputError(f"--format is {file_format}, and RESULT is {result}: leave one of them out")
    return [(photograph, result)]


@dataclass(frozen=True)
class SingleColorizer:
    """Colorizes photographs one by one into files.

    Attributes:
        bundle: the model.
        colorizer: the model's opened network.
        encoding: encoding of the results.
        recolor: give new colors to photographs that are in color already.
        force: overwrite earlier results.
    """

    bundle: Bundle
    colorizer: Colorizer
    encoding: Encoding
    recolor: bool = False
    force: bool = False
    _written: set[str] = field(default_factory=set, init=False, repr=False)

    def write(self, photograph: str, result: str) -> list[str]:
        """Colorizes a photograph into a file; further pages go beside it, as ``NAME.page-2.png``.

        The file has the same bytes as the result of an archive run. It is written completely or not at all.

        Args:
            photograph: a path or URL of an image.
            result: a path or URL that ends as the encoding's format does.

        Returns:
            The paths that were written.

        Raises:
            InputError: the photograph cannot be read, or is in color already.
            OutputError: ``result`` exists already, or cannot be written.
        """
        source, target = storage.absolute(photograph), storage.absolute(result)
        named = printable(photograph)
        try:
            self._check_free(source, target, printable(result))
            content = storage.read(source)
            pages = list(self._pages(content, source))
        except ImageError as error:
            raise InputError(f"{named} cannot be colorized: {error.message}") from error
        except FileNotFoundError as error:
            raise InputError(f"PHOTO {named} does not exist: check the path") from error
        except OSError as error:
            raise InputError(f"PHOTO {named} cannot be read: {one_line(error)}") from error
        paths = [names.of_page(target, number) for number in range(1, len(pages) + 1)]
        try:
            for path in paths[1:]:
                self._check_free(source, path, printable(path))
            for path, page in zip(paths, pages, strict=True):
                storage.write(path, page.content)
        except OSError as error:
            raise OutputError(f"RESULT {printable(result)} cannot be written: {one_line(error)}") from error
        self._written.update(paths)
        return paths

    def _check_free(self, source: str, path: str, named: str) -> None:
        """Raises OutputError if ``path`` must not be written: it exists, or was written by this command just now.

        With ``force`` an earlier result may be overwritten, but not a photograph that colorize did not make.
        """
        if storage.is_folder(path):
            raise OutputError(f"RESULT {named} is a folder: name a file in it")
        if path in self._written:
            raise OutputError(f"RESULT {named} was written for another photograph just now: colorize this one alone")
        if not storage.exists(path):
            return
        if _is_same(source, path):
            raise OutputError(f"RESULT {named} is the photograph itself: choose another name")
        if not self.force:
            raise OutputError(f"RESULT {named} exists: choose another name, or overwrite it with --force")
        if _is_photograph(path):
            raise OutputError(
                f"RESULT {named} is a photograph that colorize did not make: --force does not overwrite it; remove it, "
                "or choose another name"
            )

    def _pages(self, content: bytes, source: str) -> Iterator[Colorized]:
        provenance = Provenance(printable(source), self.bundle.name, self.bundle.digest)
        photograph = decode.open_photograph(content)
        for page in page_inputs(photograph, self.bundle.recipe, self.recolor):
            ab = None
            if page.gray is not None:
                [colors] = self.colorizer.predict_with_doubt([page.gray])
                ab = colors.ab.astype(np.float16).astype(np.float32)  # the precision between an archive's stages
            image = photograph.read(page.frame, as_stored=ab is None)
            yield merge.colorize(image, ab, self.encoding, provenance)


def _is_same(one: str, other: str) -> bool:
    if storage.is_local(one) and storage.is_local(other):
        return os.path.samefile(one, other)
    return one == other


def _is_photograph(path: str) -> bool:
    """Returns True if a file is an image that colorize did not make."""
    with storage.open_file(path) as file:
        if is_ours(file):
            return False
    try:
        return bool(decode.open_photograph(storage.read(path)).frames)
    except ImageError:
        return False

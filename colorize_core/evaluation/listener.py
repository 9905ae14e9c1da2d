"""The listener of ``evaluate``: methods that it calls while it runs."""

from __future__ import annotations


class EvaluationListener:
    """A receiver of the progress of an evaluation. The methods of this class do nothing: override those that you need.

    Example:
        >>> class Printer(EvaluationListener):
        ...     def split(self, name, images):
        ...         print(f"{name}: {images} images")
    """

    def advice(self, line: str) -> None:
        """Receives a line that the user should know before the images are measured."""

    def split(self, name: str, images: int) -> None:
        """Receives the name of a split and the number of its images, before the split is measured."""

    def images(self, count: int) -> None:
        """Receives the number of images that were measured since the last call."""

"""The bundle at the end of a training: the network is measured on the test images and written with its curves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from colorize_core import bundle, storage
from colorize_core.errors import OutputError, printable
from colorize_core.evaluation.comparison import Candidate, Comparison
from colorize_core.evaluation.doubt import calibrate_doubt
from colorize_core.evaluation.image_rows import ReadImage
from colorize_core.evaluation.measurements import measure_candidates
from colorize_core.evaluation.row_sources import Rows
from colorize_core.evaluation.score import PICTURES
from colorize_core.evaluation.survey import Survey
from colorize_core.images import contact_sheet
from colorize_core.networks import library_versions
from colorize_core.networks.packing import NetworkPackage
from colorize_core.recipes import Recipe
from colorize_core.training import curves, history, pair_splits
from colorize_core.training.config import TrainConfig, TuneConfig
from colorize_core.training.history import History

_MOST_VIVID = 2.0  # largest factor of vivid colors: beyond it, noise and errors become visible
_LIBRARIES = ("numpy", "onnx", "ray", "tf2onnx")  # of training and of the conversion, besides those of the engines


@dataclass(frozen=True)
class TrainedNetwork:
    """A trained network and what is known about its training.

    Attributes:
        recipe: what was trained.
        package: weights and ONNX file of the best epoch.
        history: one row per epoch.
        facts: content of the bundle's ``training`` section: data, images, workers, and so on.
        extra_files: content by file name, written into the bundle too.
    """

    recipe: Recipe
    package: NetworkPackage
    history: History
    facts: Mapping[str, Any]
    extra_files: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def vivid_gain(self) -> float | None:
        """The factor of vivid colors; None if they would be worse than the gray copy, or need a factor above 2."""
        [row] = [row for row in self.history if row.epoch == history.best_epoch(self.history)]
        # The vivid gain was measured before the color gain was put into the weights.
        gain = round(row.vivid_gain / self.recipe.training.color_gain, 2)
        beats_gray = row.vivid_over_gray is not None and row.vivid_over_gray > 0
        return gain if beats_gray and gain <= _MOST_VIVID else None


def training_facts(
    config: TrainConfig | TuneConfig, splits: Mapping[str, pair_splits.Split], *, workers: int, use_gpu: bool
) -> dict[str, Any]:
    """Returns facts on the data and the machines of a training, for the bundle's ``training`` section."""
    return {
        "data": printable(config.data),
        "note": printable(config.note),
        **pair_splits.facts_of(splits),
        "fingerprint": splits["train"].fingerprint,
        "workers": workers,
        "gpu": use_gpu,
    }


def write_bundle(
    trained: TrainedNetwork, val: Rows[ReadImage], test: Rows[ReadImage], test_survey: Survey, output: str
) -> bundle.Bundle:
    """Measures the network on the test images, writes the bundle with curves and sample images, and returns it.

    Args:
        trained: the network.
        val: rows of split ``val``, on which doubt is calibrated.
        test: rows of split ``test``.
        test_survey: ``survey`` of these rows.
        output: folder for the bundle.
    """
    rows, package = trained.history, trained.package
    best = history.best_epoch(rows)
    facts = {
        **trained.facts,
        "epochs": len(rows),
        "best_epoch": best,
        "minutes": round(sum(row.seconds for row in rows) / 60, 1),
    }
    result = bundle.Bundle.create(
        trained.recipe,
        package.weights,
        trained.vivid_gain,
        facts,
        package.onnx,
        package.converted,
        library_versions(_LIBRARIES),
    )
    result = result.with_doubt(calibrate_doubt(val, trained.facts["images"]["val"], result))
    candidate = Candidate(result.name, result, result.colorings())
    comparison = Comparison([candidate], test_survey.mean_ab, own_scales=False)
    measured = measure_candidates(test_survey.measurable(test), comparison, keep_pictures=test_survey.samples())
    result = result.with_metrics(measured.facts())
    names = [*PICTURES, *candidate.rows]
    samples = [[pictures[name] for name in names] for _, pictures in sorted(measured.pictures.items())]
    files = {
        "history.csv": history.to_csv(rows),
        bundle.CURVES: curves.draw(rows),
        "samples.png": contact_sheet.grid(samples, names),
        **curves.tensorboard(rows),
        **trained.extra_files,
    }
    bundle.save_bundle(result, output, files)
    return result


def check_output(output: str, source: str, scratch: str, resume: bool) -> None:
    """Raises OutputError if ``output`` cannot take a bundle, or holds unfinished work and ``resume`` is False.

    Args:
        output: folder for the bundle.
        source: where the photographs are; ``output`` must not lie inside.
        scratch: name of the folder in ``output`` that holds unfinished work.
        resume: whether unfinished work is to be continued.
    """
    if storage.is_inside(output, source):
        raise OutputError(
            f"OUTPUT {output} lies inside DATA {source}, and the next training would read the bundle's pictures as "
            "photographs: choose a folder outside DATA"
        )
    is_begun = storage.exists(storage.join(output, scratch))
    if not is_begun and not storage.exists(storage.join(output, bundle.FACTS)) and not storage.is_empty(output):
        raise OutputError(f"OUTPUT {output} holds files that colorize did not make: choose a new or an empty folder")
    if is_begun and not resume:
        raise OutputError(
            f"OUTPUT {output} holds a training that was interrupted: continue it with --resume, or remove {scratch} "
            "there"
        )
    storage.check_writable(output)

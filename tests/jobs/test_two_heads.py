"""A network with a head for colors and one for their classes: trained by two workers, then used by an archive."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorize_core import load_bundle
from colorize_core.archiving.state import ledger
from colorize_core.bundle import save_bundle
from jobs.exits import DONE, status_of
from jobs.train import command
from tests.support.archive_job import archive
from tests.support.small_recipe import SETTINGS, as_arguments, read_history

RECIPE = as_arguments(SETTINGS | {"model.class_head": True, "training.loss": "psnr", "training.learning_rate": 0.01})


@pytest.mark.usefixtures("ray_here")
def test_two_workers_train_both_heads_and_an_archive_has_both_saturations(
    color_dir: Path, archive_dir: Path, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle"
    data = [f"folder:{color_dir}", os.fspath(bundle), "--epochs=3", "--batch-size=16", "--num-workers=2"]
    assert status_of(command, ["unet-lab", *data, *RECIPE]) == DONE
    history = read_history(bundle)
    assert history[-1]["val_loss"] < history[0]["val_gray_loss"]
    loaded = load_bundle(os.fspath(bundle))
    assert loaded.onnx
    assert loaded.saturation["faithful"] == 1
    assert loaded.doubt is None or len(loaded.doubt.spreads) > 1  # so few photographs may show no rise
    assert "odds" in (bundle / "MODEL_CARD.md").read_text()
    if "vivid" not in loaded.saturation:  # as the history says
        assert min(history, key=lambda row: row["val_loss"])["vivid_over_gray"] <= 0
        loaded = replace(loaded, saturation={"faithful": 1.0, "vivid": 1.0})
        save_bundle(loaded, os.fspath(bundle), {})
    pictures = {}
    for saturation in ("faithful", "vivid"):
        out = tmp_path / saturation
        assert archive(archive_dir, out, f"--model={bundle}", f"--saturation={saturation}") == DONE
        rows = ledger.latest(os.fspath(out)).values()
        expected = "1" if saturation == "faithful" else "vivid"
        assert {row.settings for row in rows} == {f"format=png saturation={expected}"}
        pictures[saturation] = np.asarray(Image.open(out / "astronaut.png")).astype(int)
    assert np.abs(pictures["vivid"] - pictures["faithful"]).max() > 2

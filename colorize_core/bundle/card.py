"""The model card in Markdown: the data that a bundle was trained on, and how good the colors are."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from colorize_core.bundle.facts import VIVID
from colorize_core.bundle.model_bundle import Bundle

_COLUMNS = (("mse", ".4f"), ("ssim", ".3f"), ("ciede2000", ".2f"), ("colorfulness", ".1f"))


def write_card(bundle: Bundle) -> str:
    """Returns the text of the model card. The bundle must have metrics."""
    training, metrics = bundle.training, bundle.metrics
    card = io.StringIO()
    card.write(f"# {bundle.name}\n\n")
    what = "CIE ab from L" if bundle.recipe.data.color_space == "lab" else "RGB from gray"
    card.write(f"Colorizes grayscale photographs: the network predicts {what}. The colors are plausible, not true.\n\n")
    card.write("## Trained on\n\n")
    card.write(f"`{training['data']}`: {training['images']['train']} images for training and ")
    card.write(f"{training['images']['val']} for the choice of the epoch; {training['rejected']} were unreadable. ")
    card.write(f"{training['note']}\n\n")
    card.write(f"{_count(training['epochs'], 'epoch')} in {training['minutes']} minutes, with ")
    card.write(f"{_count(training['workers'], 'worker')} on {'GPUs' if training['gpu'] else 'CPUs'}; the weights are ")
    card.write(f"those of epoch {training['best_epoch']}. ")
    card.write(f"Data fingerprint `{training['fingerprint'][:16]}`, model digest `{bundle.digest[:16]}`.\n\n")
    card.write(
        f"## Measured\n\nOn {metrics['images']} test images that the training never saw, at full resolution, with "
    )
    card.write("95 % bootstrap intervals of the mean.\n\n")
    card.write("| | PSNR (dB) | MSE, RGB in [0, 1] | SSIM | CIEDE2000 | colorfulness |\n|---|---|---|---|---|---|\n")
    for label, row in metrics["tables"]["full"].items():
        others = " | ".join(_number(row[name]["mean"], form) for name, form in _COLUMNS)
        card.write(f"| {label} | {_interval(row['psnr'])} | {others} |\n")
    card.write(f"| truth | | | | | {_number(metrics['truth']['colorfulness']['mean'], '.1f')} |\n\n")
    for label, names in metrics["not_beaten"]["full"].items():
        if names:
            card.write(f"**{label} does not beat the {' and the '.join(names)}.**\n\n")
    card.write(_colors(bundle))
    if bundle.recipe.model.class_head:
        card.write(_doubt(bundle))
    card.write(" Colorfulness is that of Hasler and Süsstrunk (2003), signed. `samples.png` shows colors, ")
    card.write("`curves.png` the loss of each epoch.\n")
    return card.getvalue()


def _colors(bundle: Bundle) -> str:
    """Returns what ``faithful`` and ``vivid`` mean."""
    faithful = "`faithful` is the prediction of the network."
    if bundle.recipe.model.class_head:
        faithful = "The network predicts the odds of classes of ab; `faithful` is their mean."
    if VIVID not in bundle.saturation:
        return f"{faithful} There is no `vivid`: the network is too weak for it."
    if bundle.recipe.model.class_head:
        return (
            f"{faithful} `vivid` is the mean of odds that give more weight to rare colors, so that a sample of the "
            "validation images has three quarters of the colorfulness of the originals."
        )
    return (
        f"{faithful} `vivid` multiplies its chroma by {bundle.saturation[VIVID]:g}, "
        "which makes a sample of the validation images as colorful as the originals."
    )


def _doubt(bundle: Bundle) -> str:
    if bundle.doubt is None:
        return " It tells no doubt: there were too few validation images, or their errors did not follow the odds."
    return " Doubt is the error of `faithful` colors to expect, calibrated on validation images."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _number(value: float | None, form: str) -> str:
    """Returns a number as text, or an empty text for None."""
    return "" if value is None else f"{value:{form}}"


def _interval(bounds: Mapping[str, Any]) -> str:
    mean, low, high = (_number(bounds[name], ".2f") for name in ("mean", "low", "high"))
    return f"{mean} ({low} to {high})" if mean and low and high else mean

"""``colorize evaluate`` as a user calls it; its figures are computed anew here, without Ray."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import peak_signal_noise_ratio

from colorize_core import Colorizer, color, load_bundle
from colorize_core.bundle import save_bundle
from colorize_core.datasets.splits import SplitRule
from colorize_core.images import resizing
from colorize_core.preprocessing.network_size import network_size
from jobs.cli import group
from jobs.exits import DONE, USAGE, status_of

Rows = dict[str, dict[str, float]]


def evaluate(*arguments: object) -> int:
    return status_of(group, ["evaluate", "--runner=local", *map(str, arguments)])


def read_csv(folder: Path) -> Rows:
    with open(folder / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    numbers = {name for name in rows[0] if name not in ("id", "split")}
    return {row["id"]: {name: float(row[name]) for name in numbers if row[name]} for row in rows}


@pytest.fixture(scope="module")
def color_test_dir(tmp_path_factory: pytest.TempPathFactory, photographs: dict[str, NDArray[np.uint8]]) -> Path:
    """Four photographs that all are in the test split, with names that no page and no table likes; and a broken one."""
    folder = tmp_path_factory.mktemp("measured") / "photographs"
    folder.mkdir()
    for name, rgb in photographs.items():
        Image.fromarray(rgb).save(folder / _in_test(f"{name}, <b>large<b>, {{}}.png"))
    (folder / _in_test("broken-{}.jpg")).write_bytes(b"not a photograph")
    Image.fromarray(photographs["coffee"]).convert("L").convert("RGB").save(folder / _in_test("gray-{}.png"))
    return folder


def _in_test(name: str) -> str:
    """The name with the first number that puts it there."""
    return next(full for number in range(10_000) if SplitRule().of(full := name.format(number)) == "test")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, color_dir: Path) -> Path:
    folder = tmp_path_factory.mktemp("report") / "report"
    copy = tmp_path_factory.mktemp("bundles") / "mine"
    save_bundle(load_bundle("default"), str(copy), {})
    assert evaluate("default", copy, f"folder:{color_dir}", folder, "--split=test", "--split=val") == DONE
    return folder


def test_files(report: Path) -> None:
    assert sorted(path.name for path in report.iterdir()) == [
        *("histograms-test.png", "histograms-val.png", "metrics.csv", "metrics.json", "report.html"),
        *("samples-test.png", "samples-val.png"),
    ]


def test_figures_are_those_of_an_outside_script(report: Path, color_dir: Path) -> None:
    rows = read_csv(report)
    bundle = load_bundle("default")
    colorizer = Colorizer(bundle, saturation="vivid")
    for name, row in rows.items():
        truth = np.asarray(Image.open(color_dir / name))
        gray = np.rint(255 * color.gray(truth, "luminance")).astype(np.uint8)
        luma = truth @ [0.299, 0.587, 0.114]
        assert np.abs(gray - luma).max() < 0.5 + 1e-4  # halves may be rounded up or down
        copy, image = np.stack([gray] * 3, axis=-1), np.asarray(colorizer.colorize(gray))
        assert row["full/gray copy/psnr"] == pytest.approx(peak_signal_noise_ratio(truth, copy), abs=1e-3)
        assert row["full/default vivid/psnr"] == pytest.approx(peak_signal_noise_ratio(truth, image), abs=1e-3)
        lab, made = rgb2lab(truth), rgb2lab(image)
        assert row["full/default vivid/ciede2000"] == pytest.approx(deltaE_ciede2000(lab, made).mean(), rel=1e-3)
        assert row["full/default vivid/rmse_ab"] == pytest.approx(
            np.sqrt(((lab - made)[..., 1:] ** 2).mean()), rel=1e-3
        )
        assert row["full/default vivid/mae"] == pytest.approx(np.abs(truth / 255 - image / 255).mean(), rel=1e-3)
        signed = [each.astype(float) for each in (truth, image)]
        rg, yb = zip(*((i[..., 0] - i[..., 1], (i[..., 0] + i[..., 1]) / 2 - i[..., 2]) for i in signed), strict=True)
        colorful = [
            np.hypot(r.std(), y.std()) + 0.3 * np.hypot(r.mean(), y.mean()) for r, y in zip(rg, yb, strict=True)
        ]
        assert row["truth/colorfulness"] == pytest.approx(colorful[0], rel=1e-3)
        assert row["full/default vivid/colorfulness_difference"] == pytest.approx(colorful[1] - colorful[0], abs=1e-3)


def test_means_are_those_of_the_rows_and_every_table_has_the_baselines(report: Path) -> None:
    facts = json.loads((report / "metrics.json").read_text())
    with open(report / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(facts["splits"]) == ["test", "val"]
    assert [each["label"] for each in facts["bundles"]] == ["default", "mine"]  # both have one recipe's name
    for split, measured in facts["splits"].items():
        mine = [row for row in rows if row["split"] == split]
        assert measured["images"] == len(mine) > 0
        assert list(measured["tables"]) == ["full", "as default sees it", "as mine sees it"]
        for scale, table in measured["tables"].items():
            assert list(table)[:2] == ["gray copy", "mean chroma"]
            for row, figures in table.items():
                for metric, bounds in figures.items():
                    values = [float(each[f"{scale}/{row}/{metric}"] or math.nan) for each in mine]
                    assert bounds["mean"] == pytest.approx(np.nanmean(values), rel=1e-5, abs=1e-9)
                    assert bounds["low"] <= bounds["mean"] + 1e-9
                    assert bounds["mean"] <= bounds["high"] + 1e-9
        assert measured["tables"]["full"]["default faithful"] == measured["tables"]["full"]["mine faithful"]
        assert measured["tables"]["full"]["gray copy"]["colorfulness"]["mean"] == 0


def test_own_resolution_is_that_of_the_network(report: Path, color_dir: Path) -> None:
    rows, recipe = read_csv(report), load_bundle("default").recipe
    for name, row in list(rows.items())[:3]:
        truth = np.asarray(Image.open(color_dir / name))
        width, height = network_size(recipe, truth.shape[1], truth.shape[0])
        assert (width, height) == (256, 192)
        gray = resizing.resize(np.rint(255 * color.gray(truth, "luminance")).astype(np.uint8), (width, height))
        copy = np.stack([gray] * 3, axis=-1)
        expected = peak_signal_noise_ratio(resizing.resize(truth, (width, height)), copy)
        assert row["as default sees it/gray copy/psnr"] == pytest.approx(expected, abs=1e-3)


def test_unreadable_images_are_named_and_names_are_shown_as_they_are(
    color_test_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = f"folder:{color_test_dir}"
    assert evaluate("default", data, tmp_path / "r") == DONE
    screen = capsys.readouterr().out
    assert re.search(r"left out: broken-\d+\.jpg: not_an_image", screen)
    assert re.search(r"left out: gray-\d+\.png: gray: has no color to compare with", screen)
    facts = json.loads((tmp_path / "r" / "metrics.json").read_text())
    assert (facts["splits"]["test"]["images"], len(facts["splits"]["test"]["left_out"])) == (4, 2)
    page = (tmp_path / "r" / "report.html").read_text()
    assert "coffee, &lt;b&gt;large&lt;b&gt;, " in page
    assert "<b>large" not in page
    (tmp_path / "r" / "histograms-val.png").write_bytes(b"of an earlier report")
    assert evaluate("default", data, tmp_path / "r") == DONE  # its own report is replaced
    assert not (tmp_path / "r" / "histograms-val.png").exists()


def test_a_bundle_that_colors_at_random_is_called_that(
    color_test_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from dataclasses import replace

    bundle = load_bundle("default")
    wild = replace(bundle, saturation={"faithful": 1.0, "vivid": 10.0})  # every color is far too strong
    save_bundle(wild, str(tmp_path / "wild"), {})
    assert evaluate(tmp_path / "wild", f"folder:{color_test_dir}", tmp_path / "r") == DONE
    assert "unet-lite2 vivid does not beat the gray copy and the mean chroma" in capsys.readouterr().out
    page = (tmp_path / "r" / "report.html").read_text()
    assert "unet-lite2 vivid does not beat the gray copy and the mean chroma." in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["default", "folder:{colors}", "{colors}/report"], "lies inside DATA"),
        (["default", "folder:{colors}", "{colors}/.."], "holds files that colorize did not make"),
        (["nobody", "folder:{colors}", "{tmp}/r"], "no model bundle 'nobody'"),
        (["default", "folder:{tmp}/nowhere", "{tmp}/r"], "nowhere"),
        (["default", "folder:{colors}", "{tmp}/r", "--fid-weights=w.h5"], "w.h5 cannot be read"),
        (["default", "folder:{colors}", "{tmp}/r", "--fid-weights=w.h5", "--fid-network=Vgg"], "Vgg is not in keras"),
        (
            ["default", "folder:{colors}", "{tmp}/r", "--fid-weights=w.h5", "--fid-network=resnet"],
            "resnet is not in keras",
        ),
        (["default", "parquet:{colors}/../trained.parquet", "{tmp}/r"], "split test of DATA has no color image"),
        (["default", "folder:{colors}", "{tmp}/r", "--split=all"], "'all' is not one of"),
    ],
)
def test_wrong_calls_end_in_one_line_and_write_nothing(
    arguments: list[str],
    message: str,
    color_dir: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    one = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), (200, 30, 30), np.uint8)).save(one, "PNG")
    table = {"image": [one.getvalue()] * 3, "split": ["train"] * 3}
    pq.write_table(pa.table(table), color_dir.parent / "trained.parquet")
    assert evaluate(*(each.format(colors=color_dir, tmp=tmp_path) for each in arguments)) == USAGE
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("colorize: ")
    assert message in line
    assert list(tmp_path.iterdir()) == []


def test_frechet_distances(color_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With random weights: what is tested is the way of the features; their worth comes with the weights."""
    import keras

    keras.utils.set_random_seed(0)
    weights = tmp_path / "random.weights.h5"
    keras.applications.MobileNetV2(weights=None, include_top=False).save_weights(weights)
    options = ["--fid-network=MobileNetV2", f"--fid-weights={weights}"]
    assert evaluate("default", f"folder:{color_dir}", tmp_path / "r", *options) == USAGE
    assert "and 2048 are needed. Add images, or use --fid-anyway" in capsys.readouterr().err
    options.append("--fid-anyway")
    assert evaluate("default", f"folder:{color_dir}", tmp_path / "r", *options) == DONE
    distances = json.loads((tmp_path / "r" / "metrics.json").read_text())["splits"]["test"]["feature_distances"]
    assert set(distances) == {"gray copy", "mean chroma", "unet-lite2 faithful", "unet-lite2 vivid"}
    assert distances["gray copy"] > distances["unet-lite2 faithful"] > 0  # random features see colors, too
    assert "Fréchet distance" in (tmp_path / "r" / "report.html").read_text()

"""Makers of small data sets, one for each form of each data set, with what must be read from it."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from colorize_core.datasets import prepared
from colorize_core.datasets.rows import RowBatch
from colorize_core.datasets.splits import SPLITS, SplitRule

Pixels = NDArray[np.uint8]
RULE = SplitRule(val=0.25, test=0.25)  # of two dozen images, each split gets some


class Shot(NamedTuple):
    """A photograph, and its PNG file."""

    rgb: Pixels
    png: bytes


@dataclass
class SmallDataset:
    """A data set on disk, and what must be read from it: all good rows, and the reasons of all rejects, by id."""

    data: str
    pixels: dict[str, Pixels]
    splits: dict[str, str]
    rejects: dict[str, str] = field(default_factory=dict)
    labels: dict[str, dict[str, int]] = field(default_factory=dict)
    gray: dict[str, Pixels] = field(default_factory=dict)
    tolerance: int = 0
    rule: SplitRule = RULE


def pack(path: Path, files: Mapping[str, bytes]) -> str:
    """Writes files into a folder, a zip or a tar file, whichever the name says; returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
    elif path.suffix in (".tar", ".gz", ".tgz"):
        with tarfile.open(path, "w" if path.suffix == ".tar" else "w:gz") as tar:
            for name, content in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    else:
        path.mkdir(exist_ok=True)
        for name, content in files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(content)
    return str(path)


_BATCHES = {
    "cifar10": {**{f"data_batch_{i}": "train" for i in range(1, 6)}, "test_batch": "test"},
    "cifar100": {"train": "train", "test": "test"},
}
_LABELS = {"cifar10": {"label": 10}, "cifar100": {"coarse_label": 20, "fine_label": 100}}


def _cifar(shots: list[Shot], where: Path, name: str, form: str, place: str) -> SmallDataset:
    dataset = SmallDataset(f"{name}:{where / place}", {}, {})
    files = {}
    for number, (batch, split) in enumerate(_BATCHES[name].items()):
        images = [shot.rgb[:32, :32] for shot in shots[:12]]
        planes = np.stack([np.roll(image, number, axis=1).transpose(2, 0, 1).reshape(-1) for image in images])
        labels = {key: [(number + 7 * i) % n for i in range(len(images))] for key, n in _LABELS[name].items()}
        for i, image in enumerate(images):
            identity = f"{batch}/{i:05d}"
            dataset.pixels[identity] = np.roll(image, number, axis=1)
            dataset.splits[identity] = RULE.of_official(identity, split)
            dataset.labels[identity] = {key: values[i] for key, values in labels.items()}
        if form == "python":
            keys = {f"{key}s".encode(): values for key, values in labels.items()}
            files[batch] = pickle.dumps({b"data": planes, b"batch_label": batch.encode(), **keys}, protocol=2)
        else:
            files[f"{batch}.bin"] = np.column_stack([*labels.values(), planes]).astype(np.uint8).tobytes()
    inner = "" if "." not in place else f"{name}-batches/"
    pack(where / place, {inner + "readme.html": b"<html>", **{inner + file: files[file] for file in files}})
    return dataset


def _celeba(shots: list[Shot], where: Path, images: str, folders: Mapping[str, str]) -> SmallDataset:
    names = [f"{i:06d}.jpg" for i in range(1, len(shots) + 1)]
    splits = {name: ("train", "train", "val", "test")[i % 4] for i, name in enumerate(names)}
    rows = {
        name: {
            "identity": i,
            "Smiling": 1 - i % 2 * 2,
            "Young": 1,
            "bbox_x_1": i,
            "bbox_width": 9,
            "nose_x": 2,
            "nose_y": i,
        }
        for i, name in enumerate(names)
    }
    files = {name: shot.png for name, shot in zip(names, shots, strict=True)}
    files |= {"999999.jpg": shots[0].png, names[-2]: b"no image"}
    del files[names[-1]]

    def table(kind: str, heading: str, *columns: str) -> None:
        lines = [" ".join([name, *(str(rows[name][column]) for column in columns)]) for name in names]
        heading = f"{len(names)}\n{heading}\n" if heading else ""
        pack(where / folders["tables"], {kind: (heading + "\n".join(lines) + "\n").encode()})

    table("identity_CelebA.txt", "", "identity")
    table("list_attr_celeba.txt", "Smiling Young", "Smiling", "Young")
    table("list_bbox_celeba.txt", "image_id x_1 width", "bbox_x_1", "bbox_width")
    table("list_landmarks_align_celeba.txt", "nose_x nose_y", "nose_x", "nose_y")
    lines = [f"{name} {SPLITS.index(split)}\n" for name, split in splits.items()]
    pack(where / folders["partition"], {"list_eval_partition.txt": "".join(lines).encode()})
    inner = "img_align_celeba/" if images.endswith(".zip") else ""
    pack(where / folders["images"] / images, {inner + name: content for name, content in files.items()})
    good = {name: shot.rgb for name, shot in zip(names[:-2], shots, strict=False)}
    rejects = {names[-1]: "missing", names[-2]: "not_an_image", "999999.jpg": "unlisted"}
    return SmallDataset(f"celeba:{where}", good, splits, rejects, {name: rows[name] for name in good})


def _folder(shots: list[Shot], where: Path, place: str) -> SmallDataset:
    good = {f"{'album/deep/' if i % 2 else ''}{i:02d}.png": shot for i, shot in enumerate(shots)}
    bad = {"album/empty.png": b"", "album/noise.jpg": b"noise", "album/cut.PNG": shots[0].png[:-400]}
    reasons = ["empty", "not_an_image", "damaged"]
    files = {name: shot.png for name, shot in good.items()} | bad
    ids = {name: name for name in files}
    rejects = dict(zip(bad, reasons, strict=True))
    if place == "containers":
        inner = {"a.zip": list(files)[:9], "deep/b.tar": list(files)[9:20]}
        for container, names in inner.items():
            pack(where / place / container, {f"./{name}": files.pop(name) for name in names})
            ids |= {name: f"{container}/{name}" for name in names}
        pack(where / place / "c.tar.gz", {})
        rejects["c.tar.gz"] = "unsupported"
    elif place != "tree":
        files["../../unsafe.png"] = shots[0].png
        rejects["../../unsafe.png"] = "unsafe_name"
    pack(where / place, files | {"notes.txt": b"not a photograph", ".hidden.png": b""})
    pixels = {ids[name]: shot.rgb for name, shot in good.items()}
    return SmallDataset(f"folder:{where / place}", pixels, {name: RULE.of(name) for name in pixels}, rejects)


def _paired(shots: list[Shot], where: Path) -> SmallDataset:
    gray = [cv2.imencode(".png", cv2.cvtColor(shot.rgb, cv2.COLOR_RGB2GRAY)) for shot in shots]
    pack(where / "Gray", {f"album/{i:02d}.bmp": content.tobytes() for i, (_, content) in enumerate(gray[:-1])})
    pack(where / "Color", {f"album/{i:02d}.png": shot.png for i, shot in enumerate(shots) if i != 3})
    pack(where / "Color", {"album/04.png": shots[5].png, "album/05.png": b"noise"})
    good = {f"album/{i:02d}": shot for i, shot in enumerate(shots[:-1]) if i not in (3, 4, 5)}
    return SmallDataset(
        f"paired:{where}",
        {name: shot.rgb for name, shot in good.items()},
        {name: RULE.of(name) for name in good},
        {
            "gray/album/03.bmp": "unpaired",
            "color/album/23.png": "unpaired",
            "album/04": "mismatch",
            "album/05": "not_an_image",
        },
        gray={name: cv2.cvtColor(shot.rgb, cv2.COLOR_RGB2GRAY) for name, shot in good.items()},
    )


def _paired_arrays(shots: list[Shot], where: Path) -> SmallDataset:
    lab = np.stack([cv2.cvtColor(shot.rgb[:32, :32], cv2.COLOR_RGB2LAB) for shot in shots])
    for folder in ("l", "ab"):
        (where / folder).mkdir(parents=True)
    np.save(where / "l" / "gray_scale.npy", lab[..., 0])
    for number, part in {"1": lab[:5, ..., 1:], "2": lab[5:20, ..., 1:], "10": lab[20:, ..., 1:]}.items():
        np.save(where / "ab" / f"ab{number}.npy", np.ascontiguousarray(part))
    pixels = {f"{i:06d}": cv2.cvtColor(image, cv2.COLOR_LAB2RGB) for i, image in enumerate(lab)}
    # OpenCV's own way back from 8 bits is of whole numbers, and coarser.
    return SmallDataset(f"paired:{where}", pixels, {name: RULE.of(name) for name in pixels}, tolerance=3)


def _parquet(shots: list[Shot], where: Path, form: str) -> SmallDataset:
    contents: list[bytes | None] = [shot.png for shot in shots]
    contents[2:4] = [None, b"noise"]
    images = [{"bytes": content, "path": None} for content in contents] if form == "struct" else contents
    splits = ["training", "Train", "validation", "test"] * (len(shots) // 4)
    table = pa.table({"caption": ["a photograph"] * len(shots), "image": images, "label": list(range(len(shots)))})
    files = {"a.parquet": table.slice(0, 10), "b/c.parquet": table.slice(10)}
    if form == "struct":
        files = {"all.parquet": table.append_column("split", [splits])}
    if form == "names":
        files = {"train-0.parquet": table.slice(0, 10), "valid/0.parquet": table.slice(10, 7)}
        files["data/test.part.parquet"] = table.slice(17)
    dataset = SmallDataset(f"parquet:{where}", {}, {})
    for name, part in files.items():
        (where / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(part, where / name, row_group_size=4)
        for i, label in enumerate(part["label"].to_pylist()):
            identity = f"{name}/{i:08d}"
            if label in (2, 3):
                dataset.rejects[identity] = "empty" if label == 2 else "not_an_image"
                continue
            dataset.pixels[identity] = shots[label].rgb
            dataset.labels[identity] = {"label": label}
            official = {"train-0.parquet": "train", "valid/0.parquet": "val", "data/test.part.parquet": "test"}
            if form == "struct":
                official[name] = ("train", "train", "val", "test")[label % 4]
            dataset.splits[identity] = official[name] if name in official else RULE.of(identity)
    return dataset


def _prepared(shots: list[Shot], where: Path) -> SmallDataset:
    dataset = SmallDataset(str(where), {}, {})
    for number, split in enumerate(SPLITS):
        images = [shot.rgb[:32, :32] for shot in shots[number::3]]
        ids = [f"album/{split} {i}.png" for i in range(len(images))]
        gray = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in images]
        labels = {"label": np.arange(len(images), dtype=np.int64)}
        rows = RowBatch.good(ids, [split] * len(ids), np.stack(images), labels=labels, gray=gray)
        (where / split).mkdir(parents=True)
        for start in (0, 5):
            part = rows.where([start <= i < start + 5 for i in range(len(ids))])
            pq.write_table(prepared.shard(part), where / split / f"part-{start:05d}.parquet")
        dataset.pixels |= zip(ids, images, strict=True)
        dataset.gray |= zip(ids, gray, strict=True)
        dataset.splits |= dict.fromkeys(ids, split)
        dataset.labels |= {identity: {"label": i} for i, identity in enumerate(ids)}
    pair = {"gray": "luminance", "color_space": "lab"}
    facts = {"format": 1, "transform": {"size": 32}, "images": dict.fromkeys(SPLITS, 8), "pair": pair}
    (where / "dataset.json").write_text(json.dumps(facts))
    return dataset


_FLAT = {"images": "", "partition": "", "tables": ""}
_DEEP = {"images": "Img", "partition": "Eval", "tables": "Anno"}
MAKERS: dict[str, Callable[[list[Shot], Path], SmallDataset]] = {
    **{
        f"{name}-{form}{suffix}": partial(_cifar, name=name, form=form, place=f"batches{suffix}")
        for name in _BATCHES
        for form in ("python", "binary")
        for suffix in ("", ".tar", ".tar.gz")
    },
    "celeba-folder": partial(_celeba, images="img_align_celeba", folders=_FLAT),
    "celeba-zip": partial(_celeba, images="img_align_celeba.zip", folders=_DEEP),
    **{f"folder-{place}": partial(_folder, place=place) for place in ("tree", "x.tar", "x.zip", "containers")},
    "paired-trees": _paired,
    "paired-arrays": _paired_arrays,
    **{f"parquet-{form}": partial(_parquet, form=form) for form in ("bytes", "struct", "names")},
    "prepared": _prepared,
}

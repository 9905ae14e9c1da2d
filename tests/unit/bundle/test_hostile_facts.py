"""A damaged or hostile ``bundle.json`` gives a one-line error, or a bundle that works."""

from __future__ import annotations

import copy as copies
import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from colorize_core import load_bundle
from colorize_core.bundle import Bundle, loading, save_bundle, storable
from colorize_core.bundle.card import write_card
from colorize_core.errors import BundleError
from tests.unit.bundle.forgery import facts_of_default, good_keras_weights, refusal, refusals_under_limits

Change = Callable[[dict[str, Any]], Any]
Way = tuple[Any, ...]
NAN = float("nan")
LONG = "x" * 1_000_000


def ways(value: Any, way: Way = ()) -> Iterator[Way]:
    """Yields the path of each value, and of each list and object."""
    if way:
        yield way
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from ways(inner, (*way, key))


def at(facts: Any, way: Way) -> Any:
    for key in way:
        facts = facts[key]
    return facts


def put(way: str | Way, value: Any) -> Change:
    *above, last = way.split(".") if isinstance(way, str) else way
    return lambda facts: at(facts, tuple(above)).__setitem__(last, value)


def renamed(way: str, key: str) -> Change:
    *above, last = way.split(".")

    def change(facts: dict[str, Any]) -> None:
        inner = at(facts, tuple(above))
        inner[key] = inner.pop(last)

    return change


def rewrite(folder: Path, change: Change) -> None:
    path = folder / "bundle.json"
    facts = json.loads(path.read_text())
    change(facts)
    path.write_text(json.dumps(facts))


WAYS = list(ways(facts_of_default()))


def fits(old: Any, new: Any, way: Way) -> bool:
    """Returns True if a bundle may load after the old value at a path was replaced by the new one."""
    if new is None:
        return way[0] == "metrics" or way == ("doubt",) or old is None  # a figure that does not exist
    if isinstance(old, bool) or isinstance(new, bool):
        return type(old) is type(new)
    return (
        (isinstance(old, int | float) or way[-1] == "patience") and isinstance(new, int | float) and math.isfinite(new)
    )


@pytest.mark.parametrize("new", [7, [1], NAN, None, True, -1e300], ids=str)
def test_any_value_may_become_another_one(
    new: Any, forge: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loading ends with a one-line error, or with a bundle that works and has the same files."""
    monkeypatch.setattr(loading, "check_in_sandbox", lambda *_: None)
    folder = forge()
    facts = json.loads((folder / "bundle.json").read_text())
    loaded = 0
    for way in WAYS:
        changed = copies.deepcopy(facts)
        put(way, new)(changed)
        (folder / "bundle.json").write_text(json.dumps(changed))
        try:
            loaded_bundle = load_bundle(str(folder))
        except BundleError:
            refusal(folder)
            continue
        assert fits(at(facts, way), new, way), way
        loaded += 1
        assert loaded_bundle.digest == facts["digest"]
        assert 0 <= loaded_bundle.coloring("vivid").gain <= 10
        assert loaded_bundle.name in write_card(loaded_bundle)
    assert len(WAYS) > 250
    assert loaded < len(WAYS) * (0.9 if isinstance(new, int) or new is None else 0.01)


CASES: dict[str, tuple[Change, str]] = {
    "a saturation of text": (put("saturation.vivid", "1.5"), r"saturation\.vivid: .*number \(got '1\.5'\)"),
    "a saturation of a list": (put("saturation.vivid", [1.5]), r"saturation\.vivid: .*number"),
    "a saturation that is none": (put("saturation", "vivid"), r"saturation: .*dictionary"),
    "no number for a saturation": (put("saturation.vivid", NAN), "is not valid JSON: NaN is not a JSON number"),
    "infinite saturation": (put("saturation.vivid", math.inf), "is not valid JSON: Infinity is not a JSON number"),
    "a huge saturation": (put("saturation.vivid", 1e308), "a number is too large"),
    "a large saturation": (put("saturation.vivid", 11), r"saturation\.vivid: .*less than or equal to 10"),
    "a negative saturation": (put("saturation.faithful", -1), r"saturation\.faithful: .*greater than or equal to 0"),
    "another saturation that is none": (put("saturation.pale", "x"), r"saturation\.pale: .*number"),
    "vivid is null": (put("saturation.vivid", None), r"saturation\.vivid: .*number"),
    "doubt that falls": (lambda facts: facts["doubt"]["errors"].reverse(), "doubt: .* must be as many, and rise"),
    "doubt without errors": (put("doubt.errors", [1.0]), "doubt: .* must be as many, and rise"),
    "doubt of nothing": (put("doubt", {"spreads": [], "errors": []}), r"doubt\.spreads: .*at least 1"),
    "an ONNX file without a digest": (put("onnx_sha256", None), "onnx and onnx_sha256 belong together"),
    "no faithful": (lambda facts: facts["saturation"].pop("faithful"), r"saturation\.faithful: Field required"),
    "a side of a billion": (put("recipe.data.inference_side", 10**9), r"recipe\.data\.inference_side: .*4096"),
    "a side of 20,000": (put("recipe.data.inference_side", 20_000), r"recipe\.data\.inference_side: .*4096"),
    "a large size": (put("recipe.data.size", 5000), r"recipe\.data\.size: .*4096"),
    "a number of 400 digits": (put("recipe.data.size", 10**400), "a number is too large"),
    "a number of 5,000 digits": (lambda facts: None, "is not valid JSON: Exceeds the limit"),
    "epochs for ever": (put("recipe.training.epochs", 10**12), r"recipe\.training\.epochs: .*1000000"),
    "huge widths": (
        put("recipe.model.settings.widths", [10**9] * 5),
        r"recipe\.model: .*the largest allowed is 65,536",
    ),
    "a thousand widths": (put("recipe.model.settings.widths", [8] * 1000), r"recipe\.model: .*more than 32 values"),
    "lists in lists": (put("recipe.model.settings.widths", [[[[[8]]]]]), r"recipe\.model: .*nested too deep"),
    "a text for a number": (put("recipe.training.epochs", "10"), r"recipe\.training\.epochs: .*integer"),
    "a long weight": (put("recipe.model.encoder_weights", LONG), "1,000,000 characters is longer than 10,000"),
    "a long note": (put("training.note", LONG), "1,000,000 characters is longer than 10,000"),
    "a long version": (put("versions.python", LONG), "1,000,000 characters is longer than 10,000"),
    "a long key": (renamed("versions.python", LONG), "1,000,000 characters is longer than 10,000"),
    "a long key of a figure": (renamed("metrics.tables.full.gray copy", LONG), "1,000,000 characters"),
    "a secret": (put("recipe.model.start", "s3://key:word@bucket/x"), "is damaged"),
    "a terminal's commands": (put("training.note", "\x1b]0;x\x07"), r"control character or markup \('\\x1b'\)"),
    "two lines": (put("training.data", "a\nb"), r"control character or markup \('\\n'\)"),
    "text from right to left": (put("name", "a\u202eb"), r"control character or markup \('\\u202e'\)"),
    "half a character": (put("name", "a\ud800b"), r"control character or markup \('\\ud800'\)"),
    "markup": (put("training.note", "<script>alert(1)</script>"), r"control character or markup \('<'\)"),
    "markup's end": (put("recipe.name", "</td>"), r"control character or markup \('<'\)"),
    "a remark in markup": (put("versions.keras", "<!-- x"), r"control character or markup \('<'\)"),
    "an instruction in markup": (put("versions.keras", "<?php"), r"control character or markup \('<'\)"),
    "markup as a key": (renamed("versions.keras", "<img src=x>"), r"control character or markup \('<'\)"),
    "a bad key": (renamed("metrics.tables.full.gray copy", "a\x1b[2J"), r"control character or markup \('\\x1b'\)"),
    "another fact": (put("run", "rm"), "run: Extra inputs are not permitted"),
    "another digest": (put("digest", "0" * 64), r"is not what its bundle\.json describes \(digest\)"),
    "another setting": (put("recipe.data.inference_side", 160), r"is not what its bundle\.json describes \(digest\)"),
    "no digest": (put("digest", "x"), "digest: .*pattern"),
    "a format of text": (put("format", "2"), "format is not a whole number"),
    "a format that is true": (put("format", True), "format is not a whole number"),
    "format 1 with a network": (put("format", 1), "onnx.*: Extra inputs are not permitted"),
    "an empty shape": (put("onnx.shapes", [[1, 2]]), r"onnx\.shapes\.0: .*at least 4"),
}
FILES = {
    "nested deep": (b"[" * 100_000 + b"]" * 100_000, "is not valid JSON"),
    "objects nested deep": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "is not valid JSON"),
    "nested less deep": (b'{"a":' * 500 + b"1" + b"}" * 500, "more than 16 in each other"),
    "large": (b'{"a": "' + b"x" * (5 << 20) + b'"}', "has 5,242,889 bytes, more than 4,194,304"),
    "many values": (b'{"a": [' + b"1," * 200_000 + b"1]}", "more than 100,000 values"),
    "a list": (b"[1]", "is not a JSON object"),
    "a text": (b'"x"', "is not a JSON object"),
    "nothing": (b"", "is not valid JSON"),
    "null": (b"null", "is not a JSON object"),
    "no text": (b"\xff\xfe\x00", "is not valid JSON"),
    "a picture": (b"\x89PNG\r\n\x1a\n\x1b[2J", "is not valid JSON"),
}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("case", CASES)
def test_hostile_facts_are_refused(case: str, forge: Callable[..., Path]) -> None:
    change, words = CASES[case]
    folder = forge()
    rewrite(folder, change)
    if "5,000 digits" in case:
        path = folder / "bundle.json"
        path.write_text(path.read_text().replace('"size": 192', '"size": ' + "1" * 5000))
    message = refusal(folder)
    assert re.search(words, message), message
    assert "bundle.json" in message


@pytest.mark.timeout(30)
@pytest.mark.parametrize("case", FILES)
def test_what_is_no_bundle_json_is_refused(case: str, forge: Callable[..., Path]) -> None:
    content, words = FILES[case]
    folder = forge()
    (folder / "bundle.json").write_bytes(content)
    message = refusal(folder)
    assert message.startswith("bundle.json of ")
    assert words in message


@pytest.mark.timeout(60)
def test_hostile_facts_take_little_memory(forge: Callable[..., Path]) -> None:
    folders = [forge(str(i)) for i in range(len(FILES))]
    for folder, (content, _) in zip(folders, FILES.values(), strict=True):
        (folder / "bundle.json").write_bytes(content)
    messages = refusals_under_limits(folders, seconds=30)
    assert [words in message for message, (_, words) in zip(messages, FILES.values(), strict=True)] == [True] * len(
        FILES
    )


def test_a_model_file_that_is_too_large_is_not_read(forge: Callable[..., Path]) -> None:
    folder = forge()
    for name in ("model.onnx", "weights.safetensors"):
        with (folder / name).open("r+b") as file:
            file.truncate(1 << 31)  # a hole: it takes no room
        assert f"{name} of {folder} has 2,147,483,648 bytes, more than 2,147,483,647" in refusal(folder)


def test_a_bundle_of_format_1_loads(forge: Callable[..., Path]) -> None:
    loaded_bundle = load_bundle(str(forge(keras=good_keras_weights())))
    assert (loaded_bundle.onnx, loaded_bundle.converted) == (b"", {})


def test_facts_that_a_later_version_adds_are_no_harm(forge: Callable[..., Path]) -> None:
    folder = forge()
    rewrite(folder, lambda facts: facts["training"].update(hours=[1, 2], tuned={"trials": 3, "settings": {"a.b": [1]}}))
    assert load_bundle(str(folder)).training["hours"] == [1, 2]


def test_figures_that_do_not_exist_are_left_out_of_the_card(forge: Callable[..., Path]) -> None:
    folder = forge()
    nothing = {"mean": None, "low": None, "high": None}
    rewrite(folder, lambda facts: facts["metrics"]["tables"]["full"]["gray copy"].update(psnr=nothing, mse=nothing))
    [row] = [line for line in write_card(load_bundle(str(folder))).splitlines() if line.startswith("| gray copy")]
    assert re.match(r"\| gray copy \|  \|  \| 0\.9\d\d \| \d+\.\d\d \|", row)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Old faces, 1 < 2 <3", "Old faces, 1 < 2 <3"),
        ("a\nb\tc", "a b c"),
        ("\x1b[2J\x00\x9b", r"\x1b[2J\x00\x9b"),
        ("a\u202eb\ud800", r"a\u202eb\ud800"),
        ("<b>x</b><!--<?", "&lt;b>x&lt;/b>&lt;!--&lt;?"),
        ("Zürich 写真 👩‍🎨", "Zürich 写真 👩‍🎨"),
        ("x" * 10_000, "x" * 10_000),
        ("x" * 10_001, "x" * 9_999 + "…"),
        ("<b" * 5_000, ("&lt;b" * 2_000)[:9_999] + "…"),
        ({"a\n": ["<b", 1, None]}, {"a ": ["&lt;b", 1, None]}),
        (1.5, 1.5),
    ],
)
def test_any_text_becomes_one_that_a_bundle_may_hold(
    text: Any, expected: Any, forge: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert storable(text) == expected
    assert storable(expected) == expected
    monkeypatch.setattr(loading, "check_in_sandbox", lambda *_: None)
    folder = forge()
    rewrite(folder, lambda facts: facts["training"].update(extra=expected))
    assert load_bundle(str(folder)).training["extra"] == expected


def test_a_new_bundle_holds_what_a_user_says(forge: Callable[..., Path]) -> None:
    loaded_bundle = load_bundle(str(forge()))
    training = dict(loaded_bundle.training) | {"note": "<script>\x1b" + LONG, "data": "folder:a\nb"}
    again = Bundle.create(
        loaded_bundle.recipe, loaded_bundle.weights, 1.75, training, loaded_bundle.onnx, loaded_bundle.converted
    )
    folder = forge("saved")
    save_bundle(again.with_metrics(loaded_bundle.metrics), str(folder), {})
    loaded = load_bundle(str(folder))
    assert loaded.training["note"].startswith(r"&lt;script>\x1bxxx")
    assert loaded.training["data"] == "folder:a b"
    assert loaded.coloring("vivid").gain == 1.75

"""The schema of ``bundle.json``, and a reader that refuses any other content with one sentence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from colorize_core.errors import ColorizeError, one_line
from colorize_core.recipes.schema import LONGEST_TEXT, UNSAFE_TEXT, Recipe, Text, check_text

FACTS, WEIGHTS, ONNX = "bundle.json", "weights.safetensors", "model.onnx"  # files of a bundle
KERAS_WEIGHTS = "model.keras"  # the weights in format 1
CARD, CURVES = "MODEL_CARD.md", "curves.png"
FAITHFUL = "faithful"  # the gain 1: the network predicts the mean of all plausible colors, which is dull
VIVID = "vivid"  # the gain at which validation images are as colorful as the originals
FORMATS = (1, 2)  # readable formats of bundle.json. A new one is needed if older code would misread it
LARGEST_FACTS = 4 << 20  # bytes of bundle.json
_MOST_VALUES = 100_000
_DEEPEST = 16  # levels of nested lists and objects
_LARGEST_NUMBER = 1e18
_LONGEST_ERROR = 200  # characters
REMEDY = "download the bundle again, or train a new one"  # ends the messages on damaged and unsafe files

_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Count = Annotated[int, Field(ge=0)]
_Gain = Annotated[float, Field(ge=0, le=10)]
_Error = Annotated[float, Field(ge=0, le=1000)]  # units of ab
_Side = Annotated[int, Field(ge=1, le=100_000)]


class UnsafeError(ValueError):
    """Raised if a file of a bundle is damaged or unsafe. The message continues a sentence that starts with its name."""


class _Facts(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class _Open(_Facts):
    """Base class of facts that may hold additional ones from a later version; those do not change the bundle's use."""

    model_config = ConfigDict(extra="allow")


class Saturation(_Open):
    """Factors of ab by name."""

    __pydantic_extra__: dict[str, _Gain]
    faithful: _Gain
    vivid: _Gain = 1.0  # may be absent


class Doubt(_Facts):
    """The doubt of predictions: the attributes of ``DoubtScale``."""

    spreads: Annotated[list[_Error], Field(min_length=1, max_length=100)]
    errors: Annotated[list[_Error], Field(min_length=1, max_length=100)]

    @model_validator(mode="after")
    def _rises(self) -> Doubt:
        lists = self.spreads, self.errors
        if len(self.spreads) != len(self.errors) or any(each != sorted(each) for each in lists):
            raise ValueError("spreads and errors must be as many, and rise")
        return self


class Converted(_Facts):
    """The facts about the conversion to ONNX: the result of ``conversion.ConversionCheck.facts``."""

    input: Text
    output: Text
    side_ratio: float = Field(gt=0, le=16)
    shapes: list[Annotated[list[_Side], Field(min_length=4, max_length=4)]] = Field(max_length=100)
    max_abs_difference: float = Field(ge=0)
    tolerance: float = Field(ge=0)


class _Images(_Open):
    __pydantic_extra__: dict[str, _Count]
    train: _Count
    val: _Count


class _Tuned(_Facts):
    trials: _Count
    settings: dict[Text, Any]


class Training(_Open):
    """Facts of the data and the training, as the trainer writes them."""

    data: Text
    note: Text
    images: _Images
    rejected: _Count
    fingerprint: Text
    workers: _Count
    gpu: bool
    epochs: _Count
    best_epoch: _Count
    minutes: float = Field(ge=0)
    tuned: _Tuned | None = None


class _Interval(_Facts):
    """A mean and the bounds of its interval. A number that does not exist is None."""

    mean: float | None
    low: float | None
    high: float | None


class _TableRow(_Open):
    """The intervals of a table row by metric. The metrics of the model card are required."""

    __pydantic_extra__: dict[str, _Interval]
    psnr: _Interval
    mse: _Interval
    ssim: _Interval
    ciede2000: _Interval
    colorfulness: _Interval


class _Truth(_Facts):
    colorfulness: _Interval


class _Tables(_Open):
    __pydantic_extra__: dict[str, dict[Text, _TableRow]]
    full: dict[Text, _TableRow]


class _Lists(_Open):
    __pydantic_extra__: dict[str, dict[Text, list[Text]]]
    full: dict[Text, list[Text]]


class _DoubtGroup(_Facts):
    images: _Count
    doubt: _Error
    error: _Error


class _DoubtQuality(_Facts):
    """The result of ``DoubtQuality.facts``."""

    spearman: Annotated[float, Field(ge=-1, le=1)] | None
    groups: list[_DoubtGroup] = Field(max_length=100)


class Metrics(_Open):
    """The metrics on the test images: the result of ``Measurements.facts``."""

    images: _Count
    truth: _Truth
    mean_ab: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    tables: _Tables
    psnr_gains: dict[Text, dict[Text, dict[Text, _Interval]]] = {}
    not_beaten: _Lists
    unproven: _Lists | None = None
    doubt: dict[Text, _DoubtQuality] = {}
    feature_distances: dict[Text, float] = {}


class Facts(_Facts):
    """The content of ``bundle.json``."""

    format: int
    name: Text
    digest: _Digest
    weights_sha256: _Digest
    recipe: dict[Text, Any]
    saturation: Saturation
    doubt: Doubt | None = None
    training: Training
    metrics: Metrics
    versions: dict[Text, Text]


class _Facts1(Facts):
    format: Literal[1]


class _Facts2(Facts):
    format: Literal[2]
    onnx_sha256: _Digest | None = None
    onnx: Converted | None = None

    @model_validator(mode="after")
    def _onnx_is_described(self) -> _Facts2:
        if (self.onnx is None) != (self.onnx_sha256 is None):
            raise ValueError("onnx and onnx_sha256 belong together")
        return self


def parse(content: bytes) -> tuple[dict[str, Any], Recipe]:
    """Parses the content of a ``bundle.json``.

    Returns:
        The JSON object, which fits the schema ``Facts``, and the recipe in it.

    Raises:
        UnsafeError: the content does not fit the schema. The message is one line without control characters.
    """
    if len(content) > LARGEST_FACTS:
        raise UnsafeError(f"is larger than {LARGEST_FACTS >> 20} MiB")
    try:
        raw = json.loads(content, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise UnsafeError(f"is not valid JSON: {shown(one_line(error))}") from error
    if not isinstance(raw, dict):
        raise UnsafeError("is damaged: it is not a JSON object")
    _check_values(raw)
    number = raw.get("format")
    if type(number) is not int:
        raise UnsafeError("is damaged: format is not a whole number")
    if number not in FORMATS:
        raise UnsafeError(
            f"has format {number}, this colorize reads {' and '.join(map(str, FORMATS))}: update colorize"
        )
    section = ""
    try:
        (_Facts1, _Facts2)[number - 1].model_validate(raw)
        section = "recipe"
        recipe = Recipe.model_validate(raw["recipe"], strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, [section, *first["loc"]])).strip(".")
        got = "" if isinstance(first["input"], dict | list) else f" (got {first['input']!r:.50})"
        message = first["msg"].removeprefix("Value error, ")
        raise UnsafeError(f"is damaged: {shown(place + ': ' + message + got)}") from error
    except ColorizeError as error:  # a path has a secret in it
        raise UnsafeError(f"is damaged: {shown(one_line(error))}") from error
    return raw, recipe


def storable(value: Any) -> Any:
    r"""Returns a text that a bundle may hold: control characters and markup are escaped, a long text is cut.

    A control character becomes ``\xNN`` or ``\uNNNN``, a line break or tab becomes a space; ``<b`` becomes ``&lt;b``.
    All texts in a list or mapping are converted. Other values are returned unchanged.
    """
    if isinstance(value, Mapping):
        return {storable(key): storable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [storable(inner) for inner in value]
    if not isinstance(value, str):
        return value
    safe = UNSAFE_TEXT.sub(lambda found: _escaped(found[0]), value[: LONGEST_TEXT + 1])
    return safe if len(safe) <= LONGEST_TEXT else safe[: LONGEST_TEXT - 1] + "…"


def shown(text: str) -> str:
    """Returns text from a file for use in a message: without control characters, at most 200 characters long."""
    safe: str = storable(" ".join(text[: 2 * _LONGEST_ERROR].split()))
    return safe if len(safe) <= _LONGEST_ERROR else safe[: _LONGEST_ERROR - 1] + "…"


def _escaped(character: str) -> str:
    if character == "<":
        return "&lt;"
    return " " if character in "\t\n\r" else character.encode("unicode_escape").decode()


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


def _check_values(raw: dict[str, Any]) -> None:
    """Raises UnsafeError for a value that no bundle.json has, such as a huge number or a control character.

    The schema does not repeat these checks, and facts that it does not know need them too.
    """
    pending: list[tuple[Any, int]] = [(raw, 1)]
    count = 0
    while pending:
        value, depth = pending.pop()
        count += 1
        if depth > _DEEPEST or count > _MOST_VALUES:
            raise UnsafeError(f"is damaged: more than {_MOST_VALUES:,} values, or more than {_DEEPEST} in each other")
        if isinstance(value, dict):
            pending += [(part, depth + 1) for pair in value.items() for part in pair]
        elif isinstance(value, list):
            pending += [(part, depth + 1) for part in value]
        elif isinstance(value, str):
            try:
                check_text(value)
            except ValueError as error:
                raise UnsafeError(f"is damaged: {error}") from error
        elif isinstance(value, int | float) and not abs(value) <= _LARGEST_NUMBER:
            raise UnsafeError("is damaged: a number is too large")

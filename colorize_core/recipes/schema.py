"""The schema of a recipe. Unknown keys and values out of range are refused, and the message names the field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from colorize_core import storage
from colorize_core.color import ColorSpace, GrayFormula
from colorize_core.models import ENCODERS, MODELS, TEMPERATURE
from colorize_core.models.sizes import check_sizes

LONGEST_TEXT = 10_000  # characters of a name, a path or a note
# Terminal control characters, characters that change the direction of text, surrogates, and the beginning of HTML tags.
UNSAFE_TEXT = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]|<(?=[A-Za-z/!?])")
_MAX_SIDE = 4096  # pixels


def check_text(text: str) -> str:
    """Returns the text. Raises ValueError if it is too long, or contains control characters or markup."""
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"a text of {len(text):,} characters is longer than {LONGEST_TEXT:,}: shorten it")
    if found := UNSAFE_TEXT.search(text):
        raise ValueError(f"a text has a control character or markup ({found[0]!r}) in it: remove it")
    return text


Text = Annotated[str, Field(max_length=LONGEST_TEXT), AfterValidator(check_text)]
_Side = Annotated[int, Field(ge=8, le=_MAX_SIDE)]
_Count = Annotated[int, Field(ge=1, le=1_000_000)]  # epochs and the like


def _texts(value: Any) -> list[str]:
    """Returns all strings in a value of nested lists and mappings, including keys."""
    if isinstance(value, Mapping):
        return [text for pair in value.items() for part in pair for text in _texts(part)]
    if isinstance(value, list | tuple):
        return [text for part in value for text in _texts(part)]
    return [value] if isinstance(value, str) else []


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DataSettings(_Settings):
    """Section ``data``: how a color photograph becomes the network's input and target."""

    color_space: ColorSpace = "lab"
    gray: GrayFormula = "luminance"
    size: _Side = Field(description="side of the stored square, in pixels")
    crop: _Side = Field(description="side of a training crop, in pixels")
    min_scale: float = Field(default=1.0, gt=0, le=1, description="smallest side of a crop, as a fraction of size")
    flip: bool = Field(default=True, description="mirror half of the crops")
    aged: float = Field(default=0.0, ge=0, le=1, description="fraction of the inputs with changed gamma and contrast")
    framed: float = Field(default=0.0, ge=0, le=1, description="fraction of the images inside a flat, colorless frame")
    on_pages: float = Field(
        default=0.0, ge=0, le=1, description="fraction of the images that become pages: text, mounts, blank paper"
    )
    inference_side: _Side = Field(
        description="the network sees a photograph with about inference_side * inference_side pixels"
    )
    mirrored: bool = Field(default=False, description="average with the prediction for the mirrored image (flip TTA)")

    @model_validator(mode="after")
    def _crop_fits(self) -> DataSettings:
        if self.crop > self.size:
            raise ValueError(f"crop ({self.crop}) is larger than size ({self.size})")
        return self


class ModelSettings(_Settings):
    """Section ``model``: a model of the registry, its settings, and the weights that training starts from.

    ``multiple`` and ``square`` may be left out: they follow from the model and its settings.
    """

    name: Text
    settings: dict[str, Any] = {}
    multiple: int = Field(
        ge=1, le=_MAX_SIDE, description="the sides of the model's input are multiples of this number of pixels"
    )
    square: bool = Field(default=False, description="the model takes only squares with sides of data.inference_side")
    encoder: Text | None = Field(default=None, description="one of models.ENCODERS, in place of the model's own")
    encoder_weights: Text = Field(
        default="none", description="initial weights of the encoder: none (random), imagenet, or a file"
    )
    start: Text = Field(
        default="none",
        description="initial weights: none (random), a bundle of the same model, or an .npz file from PyTorch",
    )
    class_head: bool = Field(
        default=False,
        description="predict the odds of classes of ab, too, from which faithful and vivid colors and their doubt come",
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_in_what_the_model_needs(cls, raw: Any) -> Any:
        if not isinstance(raw, Mapping) or not isinstance(name := raw.get("name"), str):
            return raw
        if name not in MODELS:
            raise ValueError(f"name is {name!r:.100}; choose from {', '.join(sorted(MODELS))}")
        needed: dict[str, Any] = {"square": MODELS[name].needs_square}
        settings = raw.get("settings", {})
        if "multiple" not in raw and isinstance(settings, Mapping):
            try:
                needed["multiple"] = MODELS[name].multiple(settings)
            except ValueError as error:
                raise ValueError(f"settings of {name}: {error}") from error
        return needed | dict(raw)

    @model_validator(mode="after")
    def _settings_are_of_a_sensible_size(self) -> ModelSettings:
        check_sizes(self.settings)
        for text in _texts(self.settings):
            check_text(text)
        return self

    @model_validator(mode="after")
    def _encoder_is_known(self) -> ModelSettings:
        for source in (self.start, self.encoder_weights):  # a bundle stores both
            storage.refuse_secrets(source)
        if self.encoder is not None and self.encoder not in ENCODERS:
            raise ValueError(f"encoder is {self.encoder!r}; choose from {', '.join(ENCODERS)}")
        if self.start != "none" and self.encoder_weights != "none":
            raise ValueError(f"start {self.start} has the weights of the encoder too: set encoder_weights to none")
        if self.encoder is None and self.encoder_weights != "none":
            raise ValueError(f"encoder_weights {self.encoder_weights} need an encoder")
        if self.encoder_weights not in ("none", "imagenet") and not self.encoder_weights.endswith((".h5", ".keras")):
            raise ValueError(
                f"encoder_weights is {self.encoder_weights!r}; choose none, imagenet, or a .weights.h5, .h5 or .keras "
                "file"
            )
        return self


class TrainingSettings(_Settings):
    """Section ``training``: loss, optimizer and schedule."""

    loss: Literal["l1", "mse", "huber", "psnr", "ab-classification"] = "l1"
    ab_step: float = Field(
        default=10.0, ge=5, le=40, description="for classes of ab: distance of two classes, in units of ab"
    )
    temperature: float = Field(
        default=TEMPERATURE,
        gt=0,
        le=1,
        description="for ab-classification: 1 gives the mean color, near 0 the likeliest one",
    )
    class_loss: float = Field(
        default=1.0, ge=0, description="with model.class_head: weight of the loss of the classes, beside the loss"
    )
    rebalance: float = Field(default=0.0, ge=0, description="extra weight of a pixel, per unit of its chroma / 128")
    epochs: _Count
    batch_size: int = Field(ge=1, le=65_536, description="images per step, over all workers")
    learning_rate: float = Field(gt=0, description="at the peak of the schedule")
    schedule: Literal["cosine", "exponential", "constant"] = Field(default="cosine", description="after the warm-up")
    warmup: float = Field(
        default=0.05, ge=0, lt=1, description="fraction of all steps in which the learning rate rises"
    )
    weight_decay: float = Field(default=0.0, ge=0)
    average: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="momentum of the moving average of the weights, which replaces them; 0 for none",
    )
    gan: float = Field(default=0.0, ge=0, description="weight of the adversarial loss; the pixel loss has weight 1")
    encoder_rate: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="learning rate of the encoder, as a fraction of learning_rate; 0 freezes it",
    )
    color_gain: float = Field(
        default=1.0,
        gt=0,
        le=4,
        description="factor of the colors, put into the last layer after training; the history is without it",
    )
    patience: _Count | None = Field(default=None, description="stop after this many epochs without a better one")
    keep: _Count = Field(default=2, description="number of newest checkpoints to keep during training")
    samples_every: _Count = Field(default=5, description="epochs between two pictures of validation samples")
    seed: int = Field(default=0, ge=0, lt=2**32)


class Recipe(_Settings):
    """Everything that a training needs except the data set and the output folder.

    Example:
        >>> from colorize_core import load_recipe
        >>> load_recipe("unet-lab", {"training.epochs": 5}).training.epochs
        5
    """

    name: Text
    data: DataSettings
    model: ModelSettings
    training: TrainingSettings

    @model_validator(mode="after")
    def _rebalancing_needs_chroma(self) -> Recipe:
        if self.training.rebalance and self.data.color_space != "lab":
            space = self.data.color_space
            raise ValueError(f"training.rebalance needs data.color_space lab, not {space}: set training.rebalance to 0")
        return self

    @model_validator(mode="after")
    def _classes_need_ab(self) -> Recipe:
        if self.training.loss == "ab-classification":
            if self.data.color_space != "lab":
                space = self.data.color_space
                raise ValueError(f"training.loss ab-classification needs data.color_space lab, not {space}")
            if self.training.rebalance:
                raise ValueError("training.loss ab-classification weights colors itself: set training.rebalance to 0")
        return self

    @model_validator(mode="after")
    def _class_head_needs_ab(self) -> Recipe:
        if self.model.class_head:
            names = " or ".join(name for name, record in MODELS.items() if record.takes_class_head)
            if not MODELS[self.model.name].takes_class_head:
                raise ValueError(f"model.class_head needs model.name {names}, not {self.model.name}")
            if self.data.color_space != "lab" or self.training.loss == "ab-classification":
                raise ValueError(
                    "model.class_head needs data.color_space lab, and a training.loss other than ab-classification, "
                    "which is a class head alone"
                )
            if not self.training.class_loss:
                raise ValueError("model.class_head needs a training.class_loss above 0: colors come from the classes")
        return self

    @model_validator(mode="after")
    def _gain_needs_linear_colors(self) -> Recipe:
        predicts_ab = self.data.color_space == "lab" and not self.has_classes
        if self.training.color_gain != 1 and not (predicts_ab and MODELS[self.model.name].has_linear_colors):
            names = " or ".join(name for name, record in MODELS.items() if record.has_linear_colors)
            raise ValueError(
                f"training.color_gain needs model.name {names}, data.color_space lab, no model.class_head, and a "
                "training.loss other than ab-classification: set training.color_gain to 1"
            )
        return self

    @model_validator(mode="after")
    def _sides_fit_the_model(self) -> Recipe:
        if self.model.square and self.data.crop != self.data.inference_side:
            raise ValueError(
                f"data.crop ({self.data.crop}) and data.inference_side ({self.data.inference_side}) differ: with "
                "model.square they must be equal"
            )
        if self.data.crop % self.model.multiple:
            raise ValueError(
                f"data.crop ({self.data.crop}) is not a multiple of model.multiple ({self.model.multiple})"
            )
        return self

    @property
    def has_classes(self) -> bool:
        """Whether the model predicts classes of ab, alone or beside the colors."""
        return self.model.class_head or self.training.loss == "ab-classification"

    @property
    def output_channels(self) -> list[str]:
        """The channels of the network's output, by name."""
        if self.data.color_space == "rgb":
            return ["red", "green", "blue"]
        return ["a", "b", *(["vivid a", "vivid b", "spread"] if self.model.class_head else [])]

    @property
    def square_side(self) -> int:
        """Side of a square photograph as the network sees it: the multiple nearest to ``data.inference_side``."""
        return max(1, round(self.data.inference_side / self.model.multiple)) * self.model.multiple

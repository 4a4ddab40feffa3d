"""YAML and dotted overrides → one frozen, checked configuration.

YAML is read as version 1.2 (ruamel.yaml), so that `1e-4` is a number and the glosses `no`, `yes` and `on` stay words.
`training`, `lora`, `quantization` and `generation` hold the libraries' own names; `signvlm.passthrough` checks them
against the libraries themselves when a verb that uses them starts.
"""

import difflib
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator
from ruamel.yaml import YAML, YAMLError
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError

import data_engineering.shipped
from data_engineering.clip import write_text
from data_engineering.errors import ConfigError
from data_engineering.settings import (
    DataSettings,
    DownloadSettings,
    Fraction,
    Positive,
    PreprocessSettings,
    Section,
    ValidateSettings,
)
from signvlm.keypoints.settings import KeypointSettings

DEFAULT_CONFIG = "params/internvl3_5_2b.yaml"
PROMPT = "Which sign is this? Answer with its gloss."
Rate = Annotated[float, Field(gt=0)]
Jitter = Annotated[float, Field(ge=0, le=0.5)]


class ModelSettings(Section):
    """Which model, where it runs, and what it is asked.

    Attributes:
        family: The kind of recogniser behind the seam: `vlm`, a vision-language model that is shown frames, or `pose`,
            a small network over key points (the `pose` section), which of this section takes `device` alone.
        base: A model id on the Hub, or a folder (a shipped one by its name, e.g. `params/tiny_base`).
        revision: A commit or tag of `base` on the Hub; None for its newest.
        prompt: The question put to the model with every clip.
        projector_learning_rate: The projector's own learning rate; None for training.learning_rate.
        device: `auto` takes the best there is.
        dtype: `auto` takes bfloat16 or float16 on CUDA, float32 elsewhere.
        attention: The attention implementation, by transformers' name: `sdpa` or `eager`; `auto` takes the faster one.
    """

    family: Literal["vlm", "pose"] = "vlm"
    base: str = "OpenGVLab/InternVL3_5-2B-HF"
    revision: str | None = None
    prompt: Annotated[str, Field(min_length=1, max_length=500)] = PROMPT
    projector_learning_rate: Rate | None = None
    device: Literal["auto", "cuda", "directml", "mps", "cpu"] = "auto"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    attention: str = "auto"


class PoseSettings(Section):
    """The recogniser over key points, where model.family is `pose`, and how it is trained.

    Of the other sections it takes loss.label_smoothing, augmentation.points, mirror and balance_glosses, selection,
    evaluation and training.output_dir.

    Attributes:
        network: `conv_gru`, convolutions and a recurrent layer each way, or `st_gcn`, a graph convolutional network.
        width: The network's channels; None for 96 (`conv_gru`) or 64 (`st_gcn`).
        dropout: Share of the last layer's channels dropped in training.
        rate: Frames a second that the network is shown, whatever the clip's own rate.
        epochs: Rounds through the training clips, at most.
        batch_size: Clips a step.
        learning_rate: The highest; it rises over the first tenth of the steps and falls to nothing on a half cosine.
        weight_decay: AdamW's.
        seed: Seeds the weights, the clips' order and what is varied.
    """

    network: Literal["conv_gru", "st_gcn"] = "conv_gru"
    width: Annotated[int, Field(ge=8, le=1024)] | None = None
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3
    rate: Annotated[float, Field(ge=1, le=120)] = 15.0
    epochs: Positive = 30
    batch_size: Positive = 16
    learning_rate: Rate = 2e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.02
    seed: Annotated[int, Field(ge=0)] = 0


class LossSettings(Section):
    """The training loss.

    Attributes:
        label_smoothing: Probability mass taken from the right token and spread evenly (Szegedy et al. 2016, section 7);
            in training only, so that validation losses compare.
        smooth_over: `vocabulary` spreads it over every token, which moves mass out of the glossary; `glossary` over
            what may follow in the glossary after the answer's tokens so far, and not at all where one token alone may.
    """

    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    smooth_over: Literal["vocabulary", "glossary"] = "vocabulary"


class AugmentationSettings(Section):
    """Changes to training clips, one draw a clip, the same for all its frames.

    Attributes:
        brightness: Factor drawn from 1 ± this.
        contrast: Factor drawn from 1 ± this.
        saturation: Factor drawn from 1 ± this.
        hue: Rotation drawn from ± this, as a fraction of the colour circle.
        crop: A square is cut out whose side is down to 1 - this of the frame's, and resized: scale and place vary.
        blur: Gaussian blur whose sigma is drawn up to this share of the frame's side.
        compression: JPEG at a quality drawn from 100 (1 - this) to 100.
        mirror: Share of clips that are mirrored. Off by default: handedness and direction carry meaning in many signs;
            where each sign may be signed with either hand, it stands in for left-handed signers.
        points: How much key points are varied, those of drawings (`preprocess.view`) and those that a network over key
            points is shown: turned, scaled, shifted, slower and faster, hands lost; 1 as was found to serve, 0 not at
            all.
        temporal_jitter: Draw each frame from its own segment, where more frames are stored than shown.
        balance_glosses: Draw every gloss equally often, those with few clips more than once an epoch, instead of every
            clip once.
    """

    brightness: Jitter = 0.0
    contrast: Jitter = 0.0
    saturation: Jitter = 0.0
    hue: Jitter = 0.0
    crop: Jitter = 0.0
    blur: Jitter = 0.0
    compression: Annotated[float, Field(ge=0, le=0.95)] = 0.0
    mirror: Fraction = 0.0
    points: Fraction = 1.0
    temporal_jitter: bool = True
    balance_glosses: bool = False


class FeatureSettings(Section):
    """The frozen vision tower's output, kept on disk so that training runs without the tower.

    Attributes:
        cache: Compute it once a clip and view, into `<data.root>/features`: at 2B 16.8 MB each, and about a third less
            time an epoch. Clips then vary between the stored views only.
        views: Stored views of a training clip: the clip as it is, then augmented ones, each drawn once for all epochs.
    """

    cache: bool = False
    views: Positive = 1


class MemorySettings(Section):
    """How a training step is cut to fit the device's memory; what is not given is chosen by measuring a few steps.

    Attributes:
        budget_gb: What training may take, in GB (10^9 bytes); None for what is free at the start, less a tenth.
        micro_batch: Clips in a forward pass; accumulation makes up the effective batch, which is
            training.per_device_train_batch_size times gradient_accumulation_steps. None takes what was fastest on CUDA
            and within a given budget, and training.per_device_train_batch_size elsewhere.
        recompute: Layers of the language model that compute their activations again in the backward pass. None for as
            few as fit, where training.gradient_checkpointing is not set; that being set, it is all of them or none.
    """

    budget_gb: Annotated[float, Field(gt=0)] | None = None
    micro_batch: Positive | None = None
    recompute: Annotated[int, Field(ge=0)] | None = None


class SelectionSettings(Section):
    """Which epoch's model is kept.

    Attributes:
        split: The clips that it is chosen on: `validation`, never those that it is tested on.
        metric: `top1` ranks the clips exactly after each epoch, ties going by the loss; `loss` takes the loss alone.
        patience: Evaluations without improvement before training stops; None never stops early.
    """

    split: str = "validation"
    metric: Literal["top1", "loss"] = "top1"
    patience: Positive | None = 3

    @field_validator("split")
    @classmethod
    def _held_out(cls, split: str) -> str:
        if split != "validation":
            raise ValueError(
                "should be validation: a model chosen on other clips, the test clips above all, has no honest figure; "
                "`signvlm eval --split` evaluates the chosen one on any split"
            )
        return split


class EvaluationSettings(Section):
    """How a recogniser is evaluated.

    Attributes:
        batch_size: Clips answered together.
        modes: The ways of answering, in the table's order; those that the family does not have are left out.
        chunk_size: Glossary tokens scored in one forward pass of exact ranking; bounds its memory.
        bootstrap_samples: Resamples behind each 95 % interval.
        synonyms: A YAML or JSON list of lists of glosses that name one sign; None for the glosses under which the index
            lists one recording.
        occlusion: Clips for which the report shows which frames mattered; 0 for none.
        seed: Seeds the bootstrap, a limited run's sample and the report's choice of clips.
    """

    batch_size: Positive = 2
    modes: tuple[Literal["beam", "beam_constrained", "exact"], ...] = ("beam", "beam_constrained", "exact")
    chunk_size: Positive = 256
    bootstrap_samples: Positive = 2000
    synonyms: Path | None = None
    occlusion: Annotated[int, Field(ge=0, le=100)] = 6
    seed: int = 0


class HubSettings(Section):
    """Where an adapter is pushed.

    Attributes:
        repo: `user/name` on the Hub.
        private: Create the repository as a private one.
        include_tensorboard: Push the TensorBoard events too.
    """

    repo: str | None = None
    private: bool = False
    include_tensorboard: bool = False


class Config(Section):
    """The whole configuration.

    `training` goes to trl.SFTConfig, `lora` to peft.LoraConfig (None trains the whole language model), `quantization`
    to transformers.BitsAndBytesConfig, `generation` to transformers.GenerationConfig.
    """

    data: DataSettings = DataSettings()
    download: DownloadSettings = DownloadSettings()
    validate_: Annotated[ValidateSettings, Field(alias="validate")] = ValidateSettings()
    preprocess: PreprocessSettings = PreprocessSettings()
    model: ModelSettings = ModelSettings()
    pose: PoseSettings = PoseSettings()
    quantization: dict[str, Any] = Field(default_factory=dict)
    lora: dict[str, Any] | None = Field(default_factory=dict)
    training: dict[str, Any] = Field(default_factory=dict)
    loss: LossSettings = LossSettings()
    augmentation: AugmentationSettings = AugmentationSettings()
    features: FeatureSettings = FeatureSettings()
    memory: MemorySettings = MemorySettings()
    selection: SelectionSettings = SelectionSettings()
    generation: dict[str, Any] = Field(default_factory=dict)
    evaluation: EvaluationSettings = EvaluationSettings()
    keypoints: KeypointSettings = KeypointSettings()
    hub: HubSettings = HubSettings()
    source: Annotated[Path, Field(exclude=True)] = Path("run.yaml")

    @property
    def name(self) -> str:
        """The configuration's name: its file's."""
        return self.source.stem

    @property
    def output_dir(self) -> Path:
        """Where this configuration's runs go: training.output_dir, or `<data.root>/runs/<configuration's name>`."""
        given = self.training.get("output_dir")
        return Path(given) if given else self.data.root / "runs" / self.name

    def to_yaml(self) -> str:
        """Returns the merged configuration as YAML that `load` reads back to an equal configuration."""
        stream = io.StringIO()
        yaml = YAML(typ="safe", pure=True)  # the C parser is YAML 1.1, where `no` is false
        yaml.default_flow_style = False
        yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
        yaml.dump(self.model_dump(mode="json", by_alias=True), stream)
        return stream.getvalue()

    def save(self, path: Path) -> None:
        """Writes the merged configuration, whole or not at all; raises RunError when it cannot."""
        write_text(path, self.to_yaml())


def shipped(name: str | Path) -> Path:
    """Returns the path of a file or folder under `params/`: the caller's own where it exists, else the shipped one.

    Args:
        name: A path, e.g. `params/demo.yaml`, `mine.yaml`, `params/tiny_base`.
    """
    path = Path(name)
    if path.exists() or path.is_absolute():
        return path
    relative = Path(*path.parts[1:]) if path.parts[:1] == ("params",) else path
    ours = data_engineering.shipped.shipped(str(relative))
    return ours if ours.exists() else path


def load(path: str | Path = DEFAULT_CONFIG, overrides: Iterable[str] = ()) -> Config:
    """Reads a configuration.

    Args:
        path: A YAML file; `params/NAME.yaml` falls back to the shipped file of that name.
        overrides: `section.key=value` strings, the value in YAML; later ones win.

    Raises:
        ConfigError: The file is missing or malformed, a key is unknown (the nearest right one is named), a value has
            the wrong type, or an override is not of that form.
    """
    file = shipped(path)
    tree = _read_yaml(file)
    overrides = list(overrides)
    for override in overrides:
        _apply(tree, override)
    if "source" in tree:
        raise ConfigError(f"{file}: unknown key source{nearest('source', _fields(Config))}")
    try:
        return Config.model_validate({**tree, "source": file})
    except ValidationError as error:
        raise ConfigError(_explain(error, tree, file, overrides)) from error


def nearest(word: str, known: Iterable[str]) -> str:
    """Returns `; did you mean X?` for the known word nearest to a mistyped one, or the known words if none is near."""
    known = sorted(known)
    few = len(known) <= 20
    # Where there are too many to list them, a distant relative is better than nothing.
    match = difflib.get_close_matches(word, known, n=1, cutoff=0.6 if few else 0.3)
    if match:
        return f"; did you mean {match[0]}?"
    return f"; known: {', '.join(known)}" if few else ""


def _read_yaml(file: Path) -> CommentedMap:
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        folder = data_engineering.shipped.shipped("demo.yaml").parent
        # Glossaries and signs lie there too; a configuration trains.
        names = sorted(p.name for p in folder.glob("*.yaml") if "\ntraining:" in p.read_text(encoding="utf-8"))
        raise ConfigError(f"{file}: no such configuration file; shipped ones: {', '.join(names)}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read ({error}); give a YAML file with --config") from error
    try:
        tree = YAML(typ="rt").load(text)
    except YAMLError as error:
        mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
        place = f"{file}:{mark.line + 1}" if mark else str(file)
        problem = error.problem if isinstance(error, MarkedYAMLError) and error.problem else str(error)
        raise ConfigError(f"{place}: not valid YAML ({' '.join(problem.split())[:200]}); correct the file") from error
    if tree is None:
        return CommentedMap()
    if not isinstance(tree, CommentedMap):
        raise ConfigError(f"{file}: holds no sections of keys; see params/demo.yaml")
    return tree


def _apply(tree: CommentedMap, override: str) -> None:
    dotted, separator, text = override.partition("=")
    keys = dotted.strip().split(".")
    if not separator or not all(keys):
        raise ConfigError(f"--set {override}: not section.key=value, e.g. --set training.learning_rate=1e-4")
    try:
        value = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise ConfigError(f"--set {override}: the value is not YAML; quote it") from error
    for key in keys[:-1]:
        if tree.get(key) is None:
            tree[key] = CommentedMap()
        tree = tree[key]
        if not isinstance(tree, Mapping):
            raise ConfigError(f"--set {override}: {key} is a value, not a section")
    tree[keys[-1]] = value


def _explain(error: ValidationError, tree: CommentedMap, file: Path, overrides: list[str]) -> str:
    """One line for pydantic's first complaint: the place, the key, the reason, the nearest right key."""
    first = error.errors()[0]
    keys = [str(part) for part in first["loc"]]
    place = f"{file}{_line(tree, keys)}"
    for override in overrides:
        dotted = override.partition("=")[0].strip().split(".")
        if dotted == keys[: len(dotted)]:
            place = f"--set {override}"
    if first["type"] == "extra_forbidden":
        section: Any = Config
        for key in keys[:-1]:
            section = _fields(section)[key]
        return f"{place}: unknown key {'.'.join(keys)}{nearest(keys[-1], _fields(section))}"
    reason = first["msg"].removeprefix("Input ").removeprefix("Value error, ")
    if first["type"] in ("model_type", "dict_type"):
        reason = "should be a section of keys"
    value = repr(first["input"])
    return f"{place}: {'.'.join(keys)} {reason} (it is {value[:80]})"


def _fields(section: Any) -> dict[str, Any]:
    return {
        field.alias or name: field.annotation
        for name, field in section.model_fields.items()
        if not (section is Config and name == "source")
    }


def _line(tree: Any, keys: list[str]) -> str:
    """`:N`, the line of the deepest of `keys` that the file itself holds; "" for an override."""
    line = ""
    for key in keys:
        if not isinstance(tree, CommentedMap) or key not in tree:
            break
        position = tree.lc.data.get(key) if tree.lc.data else None
        line = f":{position[0] + 1}" if position else ""
        tree = tree[key]
    return line

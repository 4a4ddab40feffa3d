"""A checkpoint and a configuration → a recogniser, for every verb that answers clips."""

from dataclasses import dataclass
from pathlib import Path

from signvlm.bundles import read_bundle_config
from signvlm.calibration import Calibration, load_calibration
from signvlm.config import Config
from signvlm.console import note
from signvlm.extraction import Extraction
from signvlm.hardware import Hardware
from signvlm.reader import FrameReader, Reader
from signvlm.recognizer import Recognizer
from signvlm.runs import newest_bundle

# What a model is shown of a clip, which is decided when it is trained.
_FRAMING = ("view", "num_frames", "size", "crop", "margin", "cut_black")


@dataclass(frozen=True)
class Loaded:
    """A recogniser ready to answer.

    Attributes:
        recognizer: It.
        reader: Makes clips into what it is shown.
        config: The configuration in force: the caller's, with the model, prompt and framing that the bundle was
            trained with.
        hardware: What it runs on.
        bundle: Where it was loaded from.
        calibration: What makes its probabilities believable; None where nothing was fitted.
    """

    recognizer: Recognizer
    reader: Reader
    config: Config
    hardware: Hardware
    bundle: Path
    calibration: Calibration | None = None

    @property
    def temperature(self) -> float:
        """What log-probabilities are divided by before they become probabilities; 1 where none was fitted."""
        return self.calibration.temperature if self.calibration else 1.0


def load_recognizer(config: Config, checkpoint: Path | None) -> Loaded:
    """Loads a bundle: the one given, or the newest run's.

    Raises:
        ConfigError: The configuration does not suit the libraries, there is no bundle, or the folder is not one.
        RunError: The base cannot be fetched, or calibration.json is broken.
    """
    return load_found(*find(config, checkpoint))


def find(config: Config, checkpoint: Path | None) -> tuple[Config, Path]:
    """Returns the configuration in force for a bundle and the bundle, without loading it: see `Loaded`.

    Raises:
        ConfigError: The configuration does not suit the libraries, there is no bundle, or the folder is not one.
    """
    if config.model.family == "vlm":
        from signvlm.passthrough import check_passthrough

        check_passthrough(config)
    bundle = checkpoint or newest_bundle(config.output_dir)
    trained = read_bundle_config(bundle, config.model.family)
    where = {"device": config.model.device, "dtype": config.model.dtype, "attention": config.model.attention}
    # What the model was trained to see and be asked; only where it runs is the caller's.
    framing = {key: getattr(trained.preprocess, key) for key in _FRAMING}
    asked = config.preprocess.model_dump(include=set(framing))
    config = config.model_copy(
        update={
            "model": trained.model.model_copy(update=where),
            "pose": trained.pose,
            "preprocess": config.preprocess.model_copy(update=framing),
            "quantization": {
                **trained.quantization,
                "load_in_4bit": config.quantization.get("load_in_4bit", "auto"),
            },
        }
    )
    note(f"checkpoint: {bundle}")
    for key, value in framing.items():
        if value != asked[key]:
            note(f"preprocess.{key}: {value}, as the checkpoint was trained; the configuration says {asked[key]}")
    return config, bundle


def load_found(config: Config, bundle: Path) -> Loaded:
    """Loads what `find` found; raises as `load_recognizer`."""
    # Imported here: the libraries of a language model load for longer than a network over key points trains.
    if config.model.family == "pose":
        from signvlm.pose import bundle as pose_bundle
        from signvlm.pose.hardware import choose_hardware, torch_device
        from signvlm.pose.reader import PoseReader

        hardware = choose_hardware(config)
        recognizer: Recognizer = pose_bundle.load_bundle(bundle, config, torch_device(hardware))
        reader = PoseReader(config, Extraction(config))
        return Loaded(recognizer, reader, config, hardware, bundle, load_calibration(bundle))
    from signvlm.vlm import bundle as vlm_bundle
    from signvlm.vlm.arguments import choose_hardware as choose_for_vlm

    hardware = choose_for_vlm(config)
    calibration = load_calibration(bundle)
    recognizer = vlm_bundle.load_bundle(bundle, config.model, hardware, config)
    return Loaded(recognizer, FrameReader(config, Extraction(config)), config, hardware, bundle, calibration)

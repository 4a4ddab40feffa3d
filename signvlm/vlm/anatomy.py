"""Where the parts of a vision-language model are, by architecture; one not listed is refused before it loads."""

from dataclasses import dataclass

from transformers import AutoConfig, PretrainedConfig

from data_engineering.errors import ConfigError
from signvlm.config import ModelSettings, shipped

LANGUAGE_MODEL = "language_model"  # what every architecture here calls it


@dataclass(frozen=True)
class Anatomy:
    """The names of a model's parts, and how it counts positions.

    Attributes:
        tower: The vision tower's module, below `model`.
        projector: The module that turns its output into the language model's input, below `model` too.
        planes: Whether the language model counts positions in time, height and width (Qwen2-VL, section 2.1).
    """

    tower: str = "vision_tower"
    projector: str = "multi_modal_projector"
    planes: bool = False

    @property
    def unquantized(self) -> list[str]:
        """Full names of what keeps its precision in a 4-bit model: a bare name skips nothing."""
        return [f"model.{self.tower}", f"model.{self.projector}", "lm_head"]


QWEN = Anatomy(tower="visual", projector="visual.merger", planes=True)
ANATOMIES = {"internvl": Anatomy(), "qwen2_vl": QWEN, "qwen2_5_vl": QWEN}


def anatomy(config: PretrainedConfig) -> Anatomy:
    """Returns the anatomy of a model, by its configuration.

    Raises:
        ConfigError: It is of no architecture whose prompt, positions and parts are known here.
    """
    if config.model_type not in ANATOMIES:
        raise ConfigError(
            f"model.base: a model of type {config.model_type} cannot be trained or ranked with here; "
            f"take one of type {', '.join(ANATOMIES)}"
        )
    return ANATOMIES[config.model_type]


def read_config(settings: ModelSettings) -> PretrainedConfig:
    """Reads the base's own configuration, a small file."""
    return AutoConfig.from_pretrained(str(shipped(settings.base)), revision=settings.revision, trust_remote_code=False)

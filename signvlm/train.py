"""`signvlm train`: clips → a run's folder with checkpoints, TensorBoard events and the bundle of the best model.

signvlm train --config params/internvl3_5_2b.yaml
signvlm train --config params/pose.yaml
signvlm train --resume
"""

from signvlm.config import Config
from signvlm.training import Training


def train(config: Config, *, resume: bool = False) -> Training:
    """Trains a model of the configured family on the training clips and keeps what is best on the validation clips.

    Raises:
        ConfigError: The configuration does not suit the libraries, the model or the data.
        RunError: A clip cannot be read, the loss is not a number, the disk is full, Ctrl-C was pressed; or another
            training writes to the run's folder.
    """
    # Imported here: a network over key points trains in less time than the libraries of a language model load.
    if config.model.family == "pose":
        from signvlm.pose.train import train as run
    else:
        from signvlm.vlm.train import train as run
    return run(config, resume=resume)

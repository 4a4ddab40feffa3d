"""Trains three steps on the oldest generation of the libraries, the one that torch-directml is tied to.

    python scripts/oldest_libraries.py [FOLDER]

Makes a virtual environment in FOLDER (kept; by default below the system's temporary folder) with torch 2.4.1,
transformers 4.57.6 and trl 0.28.0, 3 GB, then trains, ranks, saves and loads a tiny model there on clips made for it.
Needs uv and a package index; no part of what must hold before every change.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PINNED = ("torch==2.4.1", "torchvision==0.19.1", "transformers==4.57.6", "trl==0.28.0")


def install(folder: Path) -> Path:
    """Makes the environment where it is not there yet; returns its Python."""
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not python.is_file():
        subprocess.run(["uv", "venv", "--quiet", "--python", "3.11", folder], check=True)  # noqa: S603, S607
    # The project with its own bounds, these pins, and what the tests' clips are made with.
    packages = [*PINNED, str(ROOT), "pytest"]
    subprocess.run(["uv", "pip", "install", "--quiet", "--python", python, *packages], check=True)  # noqa: S603, S607
    return python


def train_three_steps() -> None:
    """Runs inside of that environment."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "signvlm")]
    import peft
    import torch
    import transformers
    import trl
    from small_world import GLOSSES, write_config, write_data

    from data_engineering.preprocess import preprocess
    from data_engineering.validate import validate
    from signvlm.config import load
    from signvlm.loading import load_recognizer
    from signvlm.train import train
    from signvlm.vlm.tiny import save_tiny

    print(" ".join(f"{library.__name__} {library.__version__}" for library in (torch, transformers, trl, peft)))
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        write_data(folder / "data")
        base = save_tiny(folder / "tiny", [*GLOSSES, "Which sign is this?"] * 4)
        file = write_config(folder / "small.yaml", folder / "data", base)
        config = load(file, ["training.max_steps=3", "training.eval_steps=1", "training.save_steps=1"])
        validate(config.data, config.download, config.validate_, config.preprocess, config.model.prompt, progress=False)
        preprocess(config.data, config.preprocess, progress=False)
        done = train(config)
        losses = [entry["loss"] for entry in done.metrics["history"] if "loss" in entry]
        evaluations = [entry["eval_loss"] for entry in done.metrics["history"] if "eval_loss" in entry]
        print(f"{done.metrics['steps']} steps, losses {losses}, validation losses {evaluations}")
        loaded = load_recognizer(config, done.bundle)
        print(f"loaded: {loaded.recognizer.glossary}")


def main() -> None:
    """Installs, then trains in the environment."""
    if sys.argv[1:] == ["--inside"]:
        train_three_steps()
        return
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.gettempdir()) / "signvlm-oldest-libraries"
    python = install(folder)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    sys.exit(subprocess.run([python, __file__, "--inside"], check=False, env=environment).returncode)  # noqa: S603


if __name__ == "__main__":
    main()

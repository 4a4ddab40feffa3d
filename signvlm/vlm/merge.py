"""`signvlm merge`: an adapter and its base → one model that plain transformers loads, checked against the two.

signvlm merge --checkpoint data/wlasl/runs/internvl3_5_2b/adapter --out my-signs

The base is taken unquantized: merging into 4-bit weights would round the adapter away. A run that was trained on 4-bit
weights saw a slightly other base, so its scores move by what is printed as the gap to the 4-bit run.
"""

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from transformers import PreTrainedModel, ProcessorMixin

from data_engineering.clip import Manifests, read_json, write_json, write_text
from data_engineering.errors import ConfigError, RunError
from data_engineering.frames import row_frames
from data_engineering.reasons import ClipError
from data_engineering.rows import decode_row, validated_rows
from signvlm.bundles import ADAPTER, read_bundle_config, read_glossary
from signvlm.calibration import FILE as CALIBRATION
from signvlm.card import model_card
from signvlm.config import Config
from signvlm.console import note
from signvlm.hardware import Hardware, select
from signvlm.runs import newest_bundle
from signvlm.vlm.bundle import load_adapted, write_bundle
from signvlm.vlm.model import load_base, unwrap
from signvlm.vlm.recognizer import VLMRecognizer

TOLERANCE = 1e-4  # of a log-probability, in float32
CLIPS = 4
_EXACT = Hardware("cpu", "float32", load_in_4bit=False, workers=0, tf32=False, reasons=())


@dataclass(frozen=True)
class Gap:
    """How far two models' scores lie apart.

    Attributes:
        largest: The largest difference of any gloss's log-probability on any clip.
        same_best: On how many clips both rank the same gloss first.
        clips: How many clips were scored.
    """

    largest: float
    same_best: int
    clips: int

    @classmethod
    def between(cls, ours: np.ndarray, theirs: np.ndarray) -> "Gap":
        """Compares float (B, G) scores of the same clips and glossary."""
        same = int((ours.argmax(axis=1) == theirs.argmax(axis=1)).sum())
        return cls(float(np.abs(ours - theirs).max()), same, len(ours))

    def __str__(self) -> str:
        return f"{self.largest:.1e} in log-probability at most, the same best gloss on {self.same_best} of {self.clips}"


@dataclass(frozen=True)
class Merged:
    """A merged model.

    Attributes:
        folder: It: a bundle that needs no base.
        dtype: Of its weights.
        size: Of its weights, bytes.
        clips: What the models were compared on, in words.
        gap: To base + adapter in float32.
        gap_to_4bit: To the base in 4 bits + adapter, where the run was trained so.
    """

    folder: Path
    dtype: str
    size: int
    clips: str
    gap: Gap
    gap_to_4bit: Gap | None


def merge(
    config: Config,
    checkpoint: Path | None,
    out: Path,
    *,
    dtype: Literal["float32", "bfloat16", "float16"] = "float32",
) -> Merged:
    """Merges an adapter (LoRA and the trained projector) into its base; computed on the CPU, in float32.

    Args:
        config: Gives the clips to compare on: up to four of the data root, the test split's first; noise without any.
        checkpoint: The bundle; None for the newest run's.
        out: A folder that does not exist; it is there whole and checked, or not at all.
        dtype: Of the weights as saved. Half precision halves the file and rounds the weights; the gap says by how much.

    Raises:
        ConfigError: `out` exists, the folder is no bundle or has no adapter, or the adapter does not fit the base.
        RunError: The base cannot be fetched, the disk is full, or a model saved in float32 answers otherwise than base
            and adapter do.
    """
    if out.exists():
        raise ConfigError(f"{out}: exists; name a folder with --out that does not")
    bundle = checkpoint or newest_bundle(config.output_dir)
    trained = read_bundle_config(bundle, "vlm")
    if not (bundle / ADAPTER).is_file():
        raise ConfigError(f"{bundle}: is a whole model already, there is no adapter to merge; use it as it is")
    metrics = read_json(bundle / "metrics.json", "train again") if (bundle / "metrics.json").is_file() else {}
    glossary = read_glossary(bundle)
    frames, clips = _frames(config.data.root, trained)

    def scores(model: PreTrainedModel, processor: ProcessorMixin, hardware: Hardware) -> np.ndarray:
        recognizer = VLMRecognizer(
            model.eval(),
            processor,
            prompt=trained.model.prompt,
            glossary=glossary,
            num_frames=trained.preprocess.shown_frames,
            hardware=hardware,
            chunk_size=config.evaluation.chunk_size,
        )
        return np.concatenate([recognizer.log_probs([shown]) for shown in frames])

    note(f"merging {bundle}; comparing on {clips}")
    adapted, processor = load_adapted(bundle, trained.model, _EXACT, {})
    expected = scores(unwrap(adapted), processor, _EXACT)
    try:
        merged: Any = adapted.merge_and_unload(safe_merge=True)
    except (ValueError, RuntimeError) as error:
        raise RunError(f"{bundle}: cannot be merged ({' '.join(str(error).split())[:200]}); train again") from error
    merged.to(getattr(torch, dtype))
    # As merged it runs: to quantize it again would not give the run's model back.
    settings = trained.model_copy(update={"quantization": {**trained.quantization, "load_in_4bit": False}})
    part = write_bundle(out, merged, processor, glossary, settings, metrics)
    del adapted, merged
    try:
        saved = trained.model.model_copy(update={"base": str(part), "revision": None})
        gap = Gap.between(scores(*load_base(saved, _EXACT, {}), _EXACT), expected)
        if dtype == "float32" and not gap.largest <= TOLERANCE:
            raise RunError(f"{bundle}: merged, it answers otherwise ({gap}); keep the adapter, and report this")
        gap_to_4bit = None
        if (metrics.get("hardware") or {}).get("load_in_4bit"):
            quantized = select(config.model.device, "auto", True)
            model, _ = load_adapted(bundle, trained.model, quantized, trained.quantization)
            gap_to_4bit = Gap.between(expected, scores(unwrap(model), processor, quantized))
        told = {"dtype": dtype, "clips": clips, "gap": asdict(gap), "gap_to_4bit": gap_to_4bit and asdict(gap_to_4bit)}
        write_json(part / "metrics.json", metrics | {"merged": told})
        if (bundle / CALIBRATION).is_file():
            shutil.copyfile(bundle / CALIBRATION, part / CALIBRATION)
        write_text(part / "README.md", model_card(part, name=out.name))
        part.rename(out)
    except OSError as error:
        raise RunError(f"{out}: cannot be written ({error}); free space or choose another folder") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    size = sum(path.stat().st_size for path in out.glob("*.safetensors"))
    return Merged(out, dtype, size, clips, gap, gap_to_4bit)


def _frames(root: Path, trained: Config) -> tuple[Sequence[np.ndarray], str]:
    """Returns uint8 (T, S, S, 3) clips to compare on, and what they are in words."""
    if Manifests(root).validated.is_file():
        rows = validated_rows(root)
        found = []
        for row in sorted(rows, key=lambda row: row["split"] != "test"):
            try:
                found.append(row_frames(decode_row(row, trained.preprocess)))
            except ClipError:
                continue  # the file has gone since; another one serves as well
            if len(found) == CLIPS:
                break
        if found:
            return found, f"{len(found)} clips of the data root"
    shape = (trained.preprocess.shown_frames, trained.preprocess.size, trained.preprocess.size, 3)
    return [np.random.default_rng(0).integers(0, 256, shape, np.uint8)], "a clip of noise, as there is no data root"

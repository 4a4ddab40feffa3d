"""The frozen vision tower's output, computed once a clip and view and kept on disk: training never loads the tower.

A file below `<data.root>/features` holds what the tower makes of one view of one clip, and its name says what it was
made from: the clip's bytes, how they are sampled and framed, the processor, the tower's weights and the dtype. What is
not asked for by that name is never read. View 0 shows a clip as it is; each further view is augmented, drawn once.
"""

import contextlib
import gc
import math
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from datasets import Dataset
from torch.utils.data import DataLoader
from tqdm import tqdm
from transformers import PreTrainedModel

from data_engineering.clip import write_json
from data_engineering.errors import RunError
from data_engineering.frames import pose_key, settings_key
from data_engineering.state import digest, unchanged
from signvlm import processes
from signvlm.config import Config
from signvlm.console import note
from signvlm.corpus import Corpus, clip_ids
from signvlm.hardware import Hardware
from signvlm.vlm.examples import UnreadableClipsError, as_examples
from signvlm.vlm.feature_files import StoredPrompts, read, whole, write
from signvlm.vlm.model import autocast, choose_attention, load_base, load_processor, torch_device
from signvlm.vlm.prompt import encode_prompts
from signvlm.vlm.sampler import Draw, DrawnExamples
from signvlm.vlm.tower import check_separable, take_tower_out, tower_key

FOLDER = "features"
_NAME = 24  # letters of a hash in the names of files and their folder
_RESERVE = 256 * 1024**2  # bytes left free when the space is estimated


class View(NamedTuple):
    """One view of one clip.

    Attributes:
        split: The clip's.
        number: Its place among the rows of its split.
        draw: 0 for the clip as it is, else the number of an augmented view.
        path: The file of its features.
    """

    split: str
    number: int
    draw: int
    path: Path


class Features:
    """The stored views of a corpus.

    Attributes:
        encode: What batches are encoded with.
        names: {split: each clip's id}.
        clips: {split: each clip's views, the plain one first}.
    """

    def __init__(self, config: Config, corpus: Corpus, hardware: Hardware) -> None:
        """Names the files; nothing is computed yet.

        Raises:
            ConfigError: The model's tower cannot be left out.
        """
        check_separable(config)
        self.config, self.corpus, self.hardware = config, corpus, hardware
        self.processor = load_processor(config.model)
        preprocess = config.preprocess
        self.encode = StoredPrompts(self.processor, config.model.prompt, preprocess.shown_frames, preprocess.size)
        attention, _ = choose_attention(config.model.attention, hardware)
        made_by = tower_key(config.model, self.processor, hardware, attention)
        self.folder = config.data.root / FOLDER / digest(made_by)[:_NAME]
        write_json(self.folder / "about.json", made_by)
        rows = {row["video_id"]: row for row in corpus.manifest}
        self.names = {split: clip_ids(corpus.rows[split]) for split in ("train", "validation")}
        self.clips = {
            split: [
                [
                    View(split, number, draw, self._path(rows[name], draw))
                    for draw in range(config.features.views if split == "train" else 1)
                ]
                for number, name in enumerate(names)
            ]
            for split, names in self.names.items()
        }

    def _path(self, row: Mapping[str, Any], draw: int) -> Path:
        media = row["media"]
        clip = [media["sha256"], media["start"], media["end"], media["motion"], row["bbox"]]
        clip += pose_key(row, self.config.preprocess)
        sampled = [settings_key(self.config.preprocess), self.config.preprocess.num_frames]
        varied = [self.config.augmentation.model_dump(), self._seed, draw] if draw else []
        return self.folder / f"{digest([clip, sampled, varied])[:_NAME]}.safetensors"

    @property
    def _seed(self) -> int:
        return self.config.training.get("seed") or 0

    def examples(self, split: str, *, vary: bool = True) -> Dataset:
        """Views a split's rows as examples {clip_id, gloss, frames, error}, `frames` being features (T, tokens, width).

        Args:
            split: train or validation.
            vary: Draw one of a clip's views, by torch's generator, whenever it is read; else show it as it is.
        """
        rows, clips = self.corpus.rows[split], self.clips[split]

        def transform(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
            views = [clips[number] for number in columns["number"]]
            drawn = [of_clip[int(torch.randint(len(of_clip), ())) if vary else 0] for of_clip in views]
            told = {key: columns[key] for key in ("clip_id", "gloss")}
            return told | {"frames": [read(view.path) for view in drawn], "error": [None] * len(drawn)}

        table = {"clip_id": self.names[split], "gloss": list(rows["gloss"]), "number": list(range(len(rows)))}
        return Dataset.from_dict(table).with_transform(transform)

    def complete(self) -> None:
        """Computes and stores the views that are not there yet; several processes take a share each.

        Raises:
            UnreadableClipsError: A clip cannot be read.
            RunError: The disk is (or would be) full, or clips have changed since they were validated.
        """
        views = self.config.features.views
        as_what = (
            "as it is, without augmentation" if views == 1 else f"in {views} views, each drawn once for all epochs"
        )
        note(f"features: training sees each clip {as_what}; features.views sets how many views are stored")
        wanted = {view.path: view for clips in self.clips.values() for of_clip in clips for view in of_clip}
        missing = [view for view in wanted.values() if not whole(view.path, self.config.preprocess.shown_frames)]
        if not missing:
            note(f"features: all {len(wanted)} views are in {self.folder}; the vision tower is not loaded")
        else:
            self._check_sources(missing)
            mine = missing[processes.rank() :: processes.count()]
            self._compute(mine, len(missing), len(wanted))
        processes.gathered([])  # none goes on before the others have stored theirs

    def _check_sources(self, missing: Iterable[View]) -> None:
        """Refuses to store one file's features under another's hash; preprocessed frames were checked when opened."""
        if "frames" in self.corpus.rows["train"].column_names:
            return
        wanted = {self.names[view.split][view.number] for view in missing}
        rows = [row for row in self.corpus.manifest if row["video_id"] in wanted]
        same = unchanged((row["video_id"], Path(row["video_path"]), row["media"]) for row in rows)
        if changed := sorted(wanted - same.keys()):
            raise RunError(
                f"{len(changed)} clips have changed since validation, e.g. {changed[0]}; validate them again"
            )

    def _compute(self, mine: Sequence[View], missing: int, wanted: int) -> None:
        tower = load_tower(self.config, self.hardware)
        pixels = DataLoader(
            _Pixels(self, mine),
            batch_size=None,
            num_workers=self.hardware.workers,
        )
        with contextlib.ExitStack() as held:
            bar = None
            for view, shown in zip(mine, pixels, strict=True):
                if not isinstance(shown, torch.Tensor):
                    raise UnreadableClipsError([shown])
                write(view.path, self._look(tower, shown))
                if bar is None:  # the note comes first: it would break into the bar
                    self._say_cost(tower, shown, view.path, missing, wanted)
                    bar = tqdm(total=len(mine), desc="features", unit="view", disable=not processes.first())
                    held.enter_context(bar)
                bar.update()

    def _look(self, tower: torch.nn.Module, pixels: torch.Tensor) -> torch.Tensor:
        """Runs the tower on a clip: pixels (T, 3, S, S) to features (T, tokens, width) as they are stored."""
        dtype = getattr(torch, self.hardware.dtype)
        with torch.no_grad(), autocast(self.hardware):
            seen = tower(pixel_values=pixels.to(torch_device(self.hardware), dtype)).last_hidden_state
        return seen.to("cpu", dtype)

    def _say_cost(self, tower: torch.nn.Module, pixels: torch.Tensor, path: Path, missing: int, wanted: int) -> None:
        """Says what the features take and when they pay, measured on a clip that is stored already.

        Raises:
            RunError: They would not fit on the disk.
        """
        started = time.perf_counter()
        features = self._look(tower, pixels)
        seen = time.perf_counter()
        write(path, features)
        written = time.perf_counter()
        read(path)
        reading = time.perf_counter() - written
        looking, storing = seen - started, written - seen
        each = path.stat().st_size
        free = shutil.disk_usage(self.folder).free
        if (missing - 1) * each + _RESERVE > free:
            raise RunError(
                f"{self.folder}: the features need {missing * each / 1e9:,.1f} GB and {free / 1e9:,.1f} GB are free; "
                "free space, lower features.views, or set features.cache=false"
            )
        saved = sum(map(len, self.clips.values())) * (looking - reading)
        epochs = f"{math.ceil(missing * (looking + storing) / saved)} epochs" if saved > 0 else "no number of epochs"
        note(
            f"features: {missing} of {wanted} views are to be computed, {each / 1e6:,.1f} MB each, "
            f"{missing * each / 1e9:,.2f} GB in {self.folder}; {looking:.2f} s a view to compute, {storing:.3f} s to "
            f"store and {reading:.3f} s to read: it pays after {epochs}"
        )


class _Pixels(torch.utils.data.Dataset[Any]):
    """What the tower is shown of views: pixels (T, 3, S, S), or why a clip cannot be read (clip_id, reason, detail)."""

    def __init__(self, features: Features, views: Sequence[View]) -> None:
        config, rows = features.config, features.corpus.rows
        self.views, self.seed = views, features._seed
        self.processor, self.prompt = features.processor, config.model.prompt
        self.plain = {split: as_examples(rows[split], config.preprocess) for split in features.clips}
        self.varied = DrawnExamples(as_examples(rows["train"], config.preprocess, config.augmentation))

    def __len__(self) -> int:
        return len(self.views)

    def __getitem__(self, index: int) -> torch.Tensor | tuple[str, str, str]:
        view = self.views[index]
        if view.draw:
            example = self.varied[Draw(view.number, int(digest([view.path.name, self.seed])[:12], 16))]
        else:
            example = self.plain[view.split][view.number]
        if example["error"]:
            return (example["clip_id"], *example["error"])
        return encode_prompts(self.processor, self.prompt, [example["frames"]])["pixel_values"]


def load_tower(config: Config, hardware: Hardware) -> torch.nn.Module:
    """Loads the base on the CPU, unquantized, and moves its tower alone to the device, with that device's attention."""
    on_cpu = Hardware("cpu", hardware.dtype, False, 0, False, ())
    attention, _ = choose_attention(config.model.attention, hardware)
    settings = config.model.model_copy(update={"attention": attention})
    base: PreTrainedModel = load_base(settings, on_cpu, {})[0]
    tower = take_tower_out(base).eval().requires_grad_(False)
    del base
    gc.collect()
    return tower.to(torch_device(hardware))

"""Validated clips turned into frames on disk: a DatasetDict of train, validation and test under `<root>/frames`.

Workers decode, crop and resize; this process only appends their rows to Arrow files, one at a time, so memory stays
flat at any number of clips. The new folder takes the old one's place when it is whole. Rows of the old one that still
hold are copied instead of decoded.
"""

import json
import os
import shutil
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
from datasets import (
    Dataset,
    DatasetDict,
    DatasetInfo,
    are_progress_bars_disabled,
    disable_progress_bars,
    enable_progress_bars,
    load_from_disk,
)
from datasets.table import InMemoryTable
from tqdm import tqdm

from data_engineering.clip import SPLITS, Manifests
from data_engineering.errors import ConfigError, RunError
from data_engineering.frames import FOLDER, about_frames, features_of, fingerprint, row_key, settings_key, stored_count
from data_engineering.pose.of_clip import check_poses
from data_engineering.quarantine import quarantine
from data_engineering.reasons import ClipError
from data_engineering.report import Report
from data_engineering.rows import check_sources, decode_job, validated_rows
from data_engineering.sandbox import cores, run_many
from data_engineering.settings import DataSettings, PreprocessSettings, ValidateSettings
from data_engineering.stage import check_selection

_PART, _OLD = f".{FOLDER}.part", f".{FOLDER}.old"
# What datasets calls the only file of a split that save_to_disk writes.
_ARROW = "data-00000-of-00001.arrow"
# Arrow's framing and everything but pixels, a row.
_OVERHEAD = 4096
# Left free when the space is estimated.
_RESERVE = 256 * 1024**2


def preprocess(
    data: DataSettings,
    settings: PreprocessSettings,
    *,
    limits: ValidateSettings | None = None,
    progress: bool = True,
) -> Report:
    """Writes the frames of all validated clips.

    A clip that fails now although it was validated is moved to corrupted_videos.json with its reason.

    Args:
        data: Gives the data root.
        settings: What a model is shown.
        limits: Time and memory a clip; None for the defaults.
        progress: Show a bar on stderr.

    Raises:
        ConfigError: The data root is no folder, or preprocess.stored_frames is less than num_frames.
        RunError: There is no manifest, clips have changed since, none is left, key points that are to be drawn are not
            there, or the disk is (or would be) full.
    """
    limits = limits or ValidateSettings()
    manifests = Manifests(data.root)
    rows = _read_rows(data, manifests)
    count = stored_count(settings)
    folder = data.root / FOLDER
    _recover(folder)
    keys = {row["video_id"]: row_key(row, settings) for row in rows}
    old, held = _held(folder)
    if held == keys:
        # Frames outlive clips that were deleted to make room, but not clips that were replaced.
        check_sources([row for row in rows if Path(row["video_path"]).exists()])
        report = Report("preprocess", {"clips": len(rows)}, reused=len(rows), next_step="signvlm train")
        report.notes.append(f"{folder} is up to date with the validated clips and the settings")
        return report
    check_sources(rows)
    if settings.draws:
        check_poses(data.root, rows)
    row_bytes = count * settings.size**2 * 3 + _OVERHEAD
    _check_space(data.root, len(rows) * row_bytes)

    part = _part(data.root)
    try:
        failed, reused = _write_splits(part, rows, settings, limits, progress, old, held, keys)
        kept = [row for row in rows if row["video_id"] not in failed]
        if failed:
            quarantine(data.root, failed)
        if not kept:
            raise RunError(f"{manifests.corrupted}: none of {len(rows)} clips decodes any more; run `signvlm validate`")
        _save_metadata(part, kept, settings)
        _swap(part, folder)
    except OSError as error:  # pyarrow's are OSErrors too
        raise RunError(
            f"{folder}: cannot be written ({error.strerror or error}); free space and run it again"
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Report(
        stage="preprocess",
        counts={"clips": len(kept), "frames each": count}
        | {split: sum(row["split"] == split for row in kept) for split in SPLITS}
        | {"MB": round(len(kept) * row_bytes / 1e6)},
        written=[folder] + ([manifests.validated, manifests.corrupted] if failed else []),
        refused=[f"{video_id} {error.reason}: {error.detail}" for video_id, error in failed.items()],
        reused=reused,
        next_step="signvlm train",
    )


def _read_rows(data: DataSettings, manifests: Manifests) -> list[dict[str, Any]]:
    if not data.root.is_dir():
        raise ConfigError(f"data.root: {data.root} is no folder; set it to one that `signvlm validate` has filled")
    rows = validated_rows(data.root)
    check_selection(data)
    if not rows:
        raise RunError(f"{manifests.validated}: holds no clip; see {manifests.health_page}")
    return rows


def _held(folder: Path) -> tuple[DatasetDict, dict[str, str]]:
    """The earlier frames and the keys of their rows; nothing if they are absent or damaged."""
    try:
        old = load_from_disk(str(folder))
        return old, about_frames(old)["clips"]
    except (OSError, ValueError, KeyError, StopIteration):
        return DatasetDict(), {}


def _check_space(root: Path, needed: int) -> None:
    # The old folder stays until the new one is whole.
    free = shutil.disk_usage(root).free
    if needed + _RESERVE > free:
        raise RunError(
            f"{root}: the frames need {needed / 1e6:,.0f} MB and {_RESERVE / 1e6:.0f} MB to spare, but only "
            f"{free / 1e6:,.0f} MB are free; free space, or lower preprocess.size or preprocess.stored_frames"
        )


def _write_splits(
    part: Path,
    rows: Sequence[dict[str, Any]],
    settings: PreprocessSettings,
    limits: ValidateSettings,
    progress: bool,
    old: DatasetDict,
    held: Mapping[str, str],
    keys: Mapping[str, str],
) -> tuple[dict[str, ClipError], int]:
    """Writes one Arrow file a split; returns the clips that failed, and how many rows were copied."""
    places = {clip_id: (split, at) for split, rows_ in old.items() for at, clip_id in enumerate(rows_["clip_id"])}
    copied = {video_id for video_id, key in keys.items() if held.get(video_id) == key and video_id in places}
    jobs = [(row, settings, part) for row in rows if row["video_id"] not in copied]
    decoded: Iterator[tuple[Any, Any]] = iter(())
    if jobs:
        workers = min(settings.workers or cores(), len(jobs))
        decoded = run_many(decode_job, jobs, workers=workers, timeout=limits.timeout, max_memory=limits.max_memory)
    failed: dict[str, ClipError] = {}
    schema = features_of(settings).arrow_schema
    with ExitStack() as stack:
        writers = {}
        for split in SPLITS:
            path = part / split / _ARROW
            path.parent.mkdir(parents=True)
            sink = stack.enter_context(pa.OSFile(str(path), "wb"))
            writers[split] = stack.enter_context(pa.ipc.new_stream(sink, schema))
        for row in tqdm(rows, desc="preprocess", unit="clip", disable=not progress):
            video_id = row["video_id"]
            if video_id in copied:
                split, at = places[video_id]
                result = old[split][at]
            else:
                _, result = next(decoded)
            if isinstance(result, ClipError):
                failed[video_id] = result
            else:
                writers[row["split"]].write_batch(_batch(result, schema))
    for spilled in part.glob("*.raw"):
        spilled.unlink(missing_ok=True)
    return failed, len(copied)


def _batch(row: Mapping[str, Any], schema: pa.Schema) -> pa.RecordBatch:
    """One row for Arrow; its frames, megabytes of them, are handed over as they are instead of being copied."""
    given = row["frames"]
    if isinstance(given, Path):
        with pa.memory_map(str(given)) as file:
            pixels = file.read_buffer()
        with suppress(PermissionError):  # the mapping holds it until it is written; Windows wants it to stay till then
            given.unlink()
    else:
        pixels = pa.py_buffer(given)
    offsets = pa.py_buffer(struct.pack("<qq", 0, pixels.size))
    frames = pa.Array.from_buffers(pa.large_binary(), 1, [None, offsets, pixels])
    columns = [frames if field.name == "frames" else pa.array([row[field.name]], field.type) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _save_metadata(part: Path, rows: Sequence[Mapping[str, Any]], settings: PreprocessSettings) -> None:
    """Adds what `load_from_disk` needs beside the Arrow files, by saving empty splits around them."""
    about = {
        "fingerprint": fingerprint(rows, settings),
        "settings": settings_key(settings),
        "preprocess": settings.model_dump(mode="json", exclude={"workers"}),
        "clips": {row["video_id"]: row_key(row, settings) for row in rows},
    }
    features = features_of(settings)
    info = DatasetInfo(description=json.dumps(about), features=features)
    empty = DatasetDict(
        {
            split: Dataset(
                InMemoryTable(features.arrow_schema.empty_table()),
                info=info,
                fingerprint=f"{about['fingerprint']}-{split}",
            )
            for split in SPLITS
        }
    )
    filled = {split: (part / split / _ARROW).rename(part / f"{split}.arrow") for split in SPLITS}
    # One shard each, so that an empty split has its (empty) file too; without one it could not be loaded.
    with _quiet():
        empty.save_to_disk(str(part), num_shards=dict.fromkeys(SPLITS, 1))
    for split, path in filled.items():
        path.replace(part / split / _ARROW)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the bars that datasets draws for saving nothing."""
    shown = not are_progress_bars_disabled()
    disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            enable_progress_bars()


def _part(root: Path) -> Path:
    """Returns where this process writes; what processes that were killed left there is removed."""
    for left in root.glob(f"{_PART}-*"):
        number = left.name.rpartition("-")[2]
        if not number.isdigit() or int(number) == os.getpid() or not psutil.pid_exists(int(number)):
            shutil.rmtree(left, ignore_errors=True)
    return root / f"{_PART}-{os.getpid()}"


def _swap(part: Path, folder: Path) -> None:
    old = folder.with_name(_OLD)
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    part.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _recover(folder: Path) -> None:
    """Puts the earlier frames back if a run was killed between the two renames of `_swap`."""
    old = folder.with_name(_OLD)
    if old.is_dir() and not folder.exists():
        old.rename(folder)

"""Which clips train, validate and test, and what leaks between them.

WLASL's own splits share nearly every signer and some identical videos between training and test (Li et al., WACV 2020,
split by clip). `signer` and `gloss` draw splits that do not; `leakage` puts figures on any of them.
"""

import json
import random
from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

from data_engineering.clip import SPLITS, Clip
from data_engineering.draw import by_gloss, by_signer, linked
from data_engineering.errors import ConfigError
from data_engineering.fields import SPLIT_NAMES, short
from data_engineering.hosts import media_key
from data_engineering.perceptual import look_alikes

DRAWN = ("signer", "gloss")

_RECORD = ("video_id", "gloss", "split", "signer_id", "url", "frame_start", "frame_end", "fps", "own_file")


class GivenSplit(NamedTuple):
    """A split read from a file.

    Attributes:
        splits: {video_id: train | validation | test}.
        selects: The file says which clips there are, too, as WLASL's nslt files do: others are left out.
    """

    splits: dict[str, str]
    selects: bool


def assign(clips: Sequence[Clip], split: str, seed: int, alike: Iterable[Collection[str]] = ()) -> dict[str, str]:
    """Assigns every clip to train, validation or test.

    In `signer` and `gloss`, clips cut alike from one address (`same_cut`) and clips known to be `alike` always stay on
    one side. What a split cannot cover, such as glosses without a test clip, is in `leakage(...)["glosses_without"]`.

    Args:
        clips: The selected clips.
        split: `official` (the index's own), `signer` (nobody signs on two sides; a gloss leaves train only where no
            other choice of signers exists), `gloss` (70/15/15 within each gloss, train first), or a JSON file
            {video_id: split} or {video_id: {"subset": split}}, as WLASL's nslt files.
        seed: Seeds `signer` and `gloss`; the same clips and seed give the same splits.
        alike: Groups of video_ids that show the same, as their files told; ids of other clips do not matter.

    Returns:
        {video_id: split} with every clip in the given order.

    Raises:
        ConfigError: The file is unreadable, names other splits, or leaves out a clip; or fewer than three signers.
    """
    if split == "official":
        return {clip.video_id: clip.split for clip in clips}
    if split == "signer":
        return by_signer(clips, _clusters(clips, alike), random.Random(seed))  # noqa: S311  a draw of clips, not keys
    if split == "gloss":
        return by_gloss(clips, _clusters(clips, alike), random.Random(seed))  # noqa: S311
    return as_given(clips, read_split(Path(split)), split)


def read_split(path: Path) -> GivenSplit:
    """Reads a split file: {video_id: split}, or {video_id: {"subset": split, ...}} as WLASL's nslt files.

    Raises:
        ConfigError: It is missing, no JSON object, or gives something else than train, val(idation) or test.
    """
    try:
        given = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(
            f"data.split: {path} cannot be read ({error.strerror or error}); give official, signer, gloss or a file"
        ) from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"data.split: {path} is not JSON; write {{video_id: train | validation | test}}") from error
    if not isinstance(given, dict):
        raise ConfigError(f"data.split: {path} holds no object; write {{video_id: train | validation | test}}")
    splits = {}
    for video_id, value in given.items():
        name = value.get("subset") if isinstance(value, dict) else value
        if not isinstance(name, str) or name not in SPLIT_NAMES:
            raise ConfigError(
                f"data.split: {path} gives clip {short(video_id)} no split of train, validation, test; correct it"
            )
        splits[video_id] = SPLIT_NAMES[name]
    return GivenSplit(splits, any(isinstance(value, dict) for value in given.values()))


def same_cut(clip: Clip | Mapping[str, Any]) -> Hashable:
    """Returns what clips share that show the same frames by their index entry: address and range in seconds.

    A clip with neither an address nor a file of the user's own shares nothing with any other.
    """
    record = _record(clip)
    if not record.get("own_file") and not record["url"]:
        return record["video_id"]
    start, end, fps = record["frame_start"], record["frame_end"], record.get("fps", 25.0)  # WLASL's clock
    place = record.get("own_file") or media_key(record["url"])
    return place, round((start - 1) / fps, 3), None if end < 0 else round(end / fps, 3)


def same_files(media: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """Returns the groups of clips whose files are byte for byte the same, from what validation found of each.

    Clips cut from one long file share it, too, and are no copies of each other: only those with the same range count.
    """
    groups: dict[Hashable, list[str]] = defaultdict(list)
    for video_id, found in media.items():
        groups[file_key(found)].append(video_id)
    return [group for group in groups.values() if len(group) > 1]


def file_key(found: Mapping[str, Any]) -> Hashable:
    """Returns what clips that are one stretch of one file share, of what validation found of each: `media`."""
    return found["sha256"], found.get("start"), found.get("end")


def leakage(
    clips_or_rows: Iterable[Clip | Mapping[str, Any]], alike: Iterable[Sequence[str]] | None = None
) -> dict[str, Any]:
    """Counts what the splits of clips or manifest rows share, by each one's own `split`.

    Args:
        clips_or_rows: The clips.
        alike: The groups of them that show the same, where `look_alikes` has been asked already.

    Returns:
        clips, glosses, signers: {split: count}.
        glosses_without: {split: sorted glosses that have clips, but none in that split}.
        signers_shared: {"train-test": count, ...} of signers who sign on both sides.
        same_cut, same_file: {groups: of two or more alike, clips: in them, across: of them in several splits,
            test_in_train: test clips that train holds as well, under_several_glosses: of the groups}, by address and
            range, and by the file's hash and range where a row has `media.sha256` (`hashed` counts those).
        same_looks: Likewise, by what is seen in the frames of the rows that have `media.looks`; identical files count.
        test_by_train_signers: Test clips whose signer is also in train.
        signer_unknown: Clips whose signer nobody named; who signs them may be anywhere.
    """
    records = [_record(item) for item in clips_or_rows]
    named = [r for r in records if r["signer_id"] != ""]
    signers = {split: {str(r["signer_id"]) for r in named if r["split"] == split} for split in SPLITS}
    glosses = {split: {r["gloss"] for r in records if r["split"] == split} for split in SPLITS}
    every_gloss = set().union(*glosses.values())
    hashed = [r for r in records if r.get("media", {}).get("sha256")]
    seen = [r for r in hashed if r["media"].get("looks")]
    if alike is None:
        alike = look_alikes({r["video_id"]: r["media"]["looks"] for r in seen})
    looks = {video_id: group[0] for group in alike for video_id in group}
    return {
        "clips": {split: sum(r["split"] == split for r in records) for split in SPLITS},
        "glosses": {split: len(glosses[split]) for split in SPLITS},
        "signers": {split: len(signers[split]) for split in SPLITS},
        "glosses_without": {split: sorted(every_gloss - glosses[split]) for split in SPLITS},
        "signers_shared": {f"{a}-{b}": len(signers[a] & signers[b]) for a, b in combinations(SPLITS, 2)},
        "test_by_train_signers": sum(r["split"] == "test" and str(r["signer_id"]) in signers["train"] for r in records),
        "signer_unknown": len(records) - len(named),
        "same_cut": _alike((same_cut(r), r) for r in records),
        "same_file": {**_alike((file_key(r["media"]), r) for r in hashed), "hashed": len(hashed)},
        "same_looks": {**_alike((looks.get(r["video_id"], r["video_id"]), r) for r in seen), "hashed": len(seen)},
    }


KINDS_OF_COPY = {
    "same_cut": "one address and range",
    "same_file": "identical files",
    "same_looks": "what the frames show",
}
"""What `leakage` calls the kinds of copies, and a reader's words for them."""


def leakage_lines(figures: Mapping[str, Any]) -> list[str]:
    """Returns the figures of `leakage` in words, a line each: what is shared, and what could not be covered."""
    shared = figures["signers_shared"]
    lines = [
        f"signers in both train and test: {shared['train-test']}, train and validation: {shared['train-validation']}; "
        f"{figures['test_by_train_signers']} of {figures['clips']['test']} test clips are by signers of train"
    ]
    if figures["signer_unknown"]:
        lines.append(f"signers are not named for {figures['signer_unknown']} clips, who may be in any split")
    for key, what in KINDS_OF_COPY.items():
        alike = figures[key]
        if alike["groups"]:
            lines.append(
                f"duplicates by {what}: {alike['groups']} groups of {alike['clips']} clips, {alike['across']} across "
                f"splits, {alike['test_in_train']} test clips also in train, "
                f"{alike['under_several_glosses']} under several glosses"
            )
    for split, glosses in figures["glosses_without"].items():
        if glosses:
            named = ", ".join(glosses[:5]) + (", ..." if len(glosses) > 5 else "")
            lines.append(f"glosses without a {split} clip: {len(glosses)} ({named})")
    return lines


def _record(item: Clip | Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(item, Clip):
        return item
    return {name: getattr(item, name) for name in _RECORD}


def _alike(pairs: Iterable[tuple[Hashable, Mapping[str, Any]]]) -> dict[str, int]:
    groups: dict[Hashable, list[Mapping[str, Any]]] = defaultdict(list)
    for key, record in pairs:
        groups[key].append(record)
    several = [group for group in groups.values() if len(group) > 1]
    splits = [Counter(record["split"] for record in group) for group in several]
    return {
        "groups": len(several),
        "clips": sum(map(len, several)),
        "across": sum(len(counter) > 1 for counter in splits),
        "test_in_train": sum(counter["test"] for counter in splits if counter["train"]),
        "under_several_glosses": sum(len({record["gloss"] for record in group}) > 1 for group in several),
    }


def _clusters(clips: Sequence[Clip], alike: Iterable[Collection[str]]) -> dict[str, Hashable]:
    """Names the clips so that those which show the same, by their cut or by their files, have one name."""
    cuts = ((clip.video_id, ("cut", same_cut(clip))) for clip in clips)
    files = ((video_id, next(iter(group))) for group in alike for video_id in group)
    name = linked([*cuts, *files])
    return {clip.video_id: name[clip.video_id] for clip in clips}


def as_given(clips: Sequence[Clip], given: GivenSplit, name: str) -> dict[str, str]:
    """Returns {video_id: split} with every clip in the given order, as the split file of that name says.

    Raises:
        ConfigError: It leaves out a clip.
    """
    if absent := [clip for clip in clips if clip.video_id not in given.splits]:
        raise ConfigError(
            f"data.split: {name} leaves out clip {absent[0].video_id} ({absent[0].gloss}), one of {len(absent)}; "
            "add it, or take the glossary and the index that the file was made for"
        )
    return {clip.video_id: given.splits[clip.video_id] for clip in clips}

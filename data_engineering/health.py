"""The health of a data root: what health.json holds."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data_engineering.clip import SPLITS, Clip
from data_engineering.evidence import first_bytes
from data_engineering.health_figures import copies, few_clips, measures, signers
from data_engineering.splits import leakage, same_files
from data_engineering.stage import Expected

# A host that is gone answers every address with one and the same body.
_ONE_BODY = 3
_NAMED = 4


def summary(
    wanted: Expected,
    rows: Sequence[dict[str, Any]],
    corrupted: Sequence[dict[str, Any]],
    missing: Sequence[Clip],
    strays: Sequence[str],
    alike: Sequence[Sequence[str]],
) -> dict[str, Any]:
    """Returns the content of health.json.

    Args:
        wanted: What should be there.
        rows: Validated rows.
        corrupted: Corrupted rows.
        missing: Clips whose file is absent.
        strays: Names of files that the selection does not know.
        alike: The groups of validated clips that show the same (`perceptual.look_alikes`).
    """
    states = {row["video_id"]: "validated" for row in rows} | {row["video_id"]: "corrupted" for row in corrupted}
    sources: dict[str, Counter[str]] = defaultdict(Counter)
    splits: dict[str, Counter[str]] = {split: Counter() for split in SPLITS}
    for clip in wanted.clips:
        state = states.get(clip.video_id, "missing")
        sources[clip.source][state] += 1
        splits[clip.split][state] += 1
    covered = {row["gloss"] for row in rows}
    bodies = same_files({row["video_id"]: row["media"] for row in rows})
    notes = [*wanted.notes, *_told(rows)]
    if strays:
        named = ", ".join(strays[:5]) + (", ..." if len(strays) > 5 else "")
        notes.append(f"{len(strays)} files in raw_videos are not in the selection and are left alone: {named}")
    for word, near in wanted.unmatched:
        notes.append(f"glossary word {word!r} is not in the index; nearest: {', '.join(near) or 'none'}")
    notes += [f"index entry {entry.where}: {entry.reason}" for entry in wanted.adjusted]
    notes += [
        f"{len(ids)} clips are one and the same stretch of one file: {', '.join(ids[:_NAMED])}, ..."
        for ids in bodies
        if len(ids) > _ONE_BODY
    ]
    without = [gloss for gloss in wanted.glosses if gloss not in covered]
    return {
        "counts": {
            "expected": len(wanted.clips),
            "validated": len(rows),
            "corrupted": len(corrupted),
            "missing": len(missing),
            "refused_entries": len(wanted.refused),
            "glosses": len(wanted.glosses),
            "glosses_without_a_clip": len(without),
            "not_in_index": len(strays),
        },
        "splits": {split: _coverage(counter) for split, counter in splits.items()},
        "sources": {source: _coverage(counter) for source, counter in sorted(sources.items())},
        "reasons": dict(Counter(row["reason"] for row in corrupted).most_common()),
        "decoders": dict(Counter(row["media"]["decoder"] for row in rows).most_common()),
        "leakage": leakage(rows, alike),
        "glosses_without_a_clip": without,
        "few_clips": few_clips(wanted.clips, rows),
        "signers": signers(rows),
        "copies": copies(rows, bodies, alike),
        "measures": measures(rows),
        "notes": notes,
        "corrupted": [{**row, "first_bytes": first_bytes(Path(row["video_path"]), row["reason"])} for row in corrupted],
        "missing": [
            {key: getattr(clip, key) for key in ("video_id", "gloss", "signer_id", "split", "url")} for clip in missing
        ],
        "refused_entries": [{"where": entry.where, "reason": entry.reason} for entry in wanted.refused],
    }


def _coverage(counter: Counter[str]) -> dict[str, Any]:
    total = counter.total()
    states = {state: counter[state] for state in ("validated", "corrupted", "missing")}
    return {"expected": total, **states, "coverage": round(counter["validated"] / total, 4) if total else None}


def _told(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The clips' notes by kind (what stands before the colon), the most frequent first."""
    kinds: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        for note in row["notes"]:
            kinds[note.partition(":")[0]].append(row["video_id"])
    lines = []
    for kind, ids in sorted(kinds.items(), key=lambda entry: -len(entry[1])):
        named = ", ".join(ids[:_NAMED]) + (", ..." if len(ids) > _NAMED else "")
        lines.append(f"{kind}: {len(ids)} clip{'s' * (len(ids) > 1)} ({named})")
    return lines

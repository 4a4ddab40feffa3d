"""Clips that failed after validation change manifests once, whatever came between."""

from data_engineering.clip import Manifests, read_json, write_json
from data_engineering.quarantine import quarantine
from data_engineering.reasons import ClipError


def row(name):
    told = {"video_id": name, "gloss": "book", "signer_id": "1", "split": "train", "video_path": f"{name}.mp4"}
    return told | {"media": {"stamp": "0"}}


def test_a_quarantine_that_was_killed_half_way_is_finished_without_a_second_row(tmp_path):
    manifests = Manifests(tmp_path)
    manifests.validated.parent.mkdir()
    write_json(manifests.validated, [row("1"), row("2")])
    failed = {"2": ClipError("truncated", "3 of 40 frames decode")}
    quarantine(tmp_path, failed)
    write_json(manifests.validated, [row("1"), row("2")])  # what is written second
    quarantine(tmp_path, failed)
    assert [clip["video_id"] for clip in read_json(manifests.validated, "")] == ["1"]
    assert [(clip["video_id"], clip["reason"]) for clip in read_json(manifests.corrupted, "")] == [("2", "truncated")]

"""What a user hands over, as frames: images, folders of frames, arrays, and folders searched for clips."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from clips import level, number, write_clip
from PIL import Image

from data_engineering.reasons import ClipError
from data_engineering.settings import PreprocessSettings, ValidateSettings
from signvlm.media import find_clips, frames_of, natural, read_clip

SMALL = PreprocessSettings(size=32, num_frames=4)
LIMITS = ValidateSettings()


def picture(path: Path, grey: int = 200, size: tuple[int, int] = (40, 40), **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (grey, grey, grey)).save(path, **options)
    return path


def frame_folder(folder: Path, count: int) -> Path:
    for index in range(count):
        picture(folder / f"frame{index}.png", level(index))
    return folder


# A clip that is a folder, an image, an array


def test_a_folder_of_images_is_a_clip_whose_frames_are_taken_in_natural_order(tmp_path: Path) -> None:
    frames = read_clip(frame_folder(tmp_path / "sign", 12), SMALL, LIMITS)
    assert (frames.shape, frames.dtype) == ((4, 32, 32, 3), np.uint8)
    assert [number(frame) for frame in frames] == [1, 4, 7, 10]  # the centres of four segments of three


def test_a_folder_with_fewer_images_than_frames_repeats_them(tmp_path: Path) -> None:
    frames = read_clip(frame_folder(tmp_path / "sign", 2), SMALL, LIMITS)
    assert [number(frame) for frame in frames] == [0, 0, 1, 1]


def test_an_image_stands_still_and_is_padded_to_a_square(tmp_path: Path) -> None:
    frames = read_clip(picture(tmp_path / "a.jpg", size=(64, 32)), SMALL, LIMITS)
    assert all((frame == frames[0]).all() for frame in frames)
    assert frames[0, 0].max() == 0
    assert frames[0, 16].min() > 190


def test_an_image_is_turned_as_its_camera_says(tmp_path: Path) -> None:
    upright = np.zeros((64, 32, 3), np.uint8)
    upright[:8] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # stored a quarter turn to the left
    Image.fromarray(np.rot90(upright)).save(tmp_path / "a.jpg", exif=exif, quality=95)
    frame = read_clip(tmp_path / "a.jpg", SMALL, LIMITS)[0]
    assert frame[1, 12:20].min() > 200
    assert frame[20].max() < 60


def test_an_array_is_what_a_folder_of_the_same_frames_is(tmp_path: Path) -> None:
    array = np.stack([np.full((40, 40, 3), level(index), np.uint8) for index in range(12)])
    np.testing.assert_array_equal(
        frames_of(array, SMALL), read_clip(frame_folder(tmp_path / "sign", 12), SMALL, LIMITS)
    )


@pytest.mark.parametrize(
    ("shape", "kind"),
    [((4, 8, 8, 3), np.float32), ((8, 8, 3), np.uint8), ((4, 3, 8, 8), np.uint8), ((0, 8, 8, 3), np.uint8)],
)
def test_an_array_of_another_kind_is_refused(shape: tuple[int, ...], kind: type) -> None:
    with pytest.raises(ValueError, match=r"frames must be uint8 \(T, H, W, 3\) RGB, these are "):
        frames_of(np.zeros(shape, kind), SMALL)


def test_frames_are_cropped_to_what_moves_as_the_video_that_holds_them_is(tmp_path: Path) -> None:
    pictures = np.full((30, 240, 320, 3), 90, np.uint8)
    for index, frame in enumerate(pictures):
        across = 150 + 40 * (index % 6) // 5
        frame[80:140, across : across + 40] = (230, 200, 180)
        frame[60:80, 160:180] = 140 + 4 * (index % 5)
    video = write_clip(tmp_path / "a.mp4", frames=30, size=(320, 240), paint=lambda index: pictures[index])
    of_array, of_video = frames_of(pictures, SMALL), read_clip(video, SMALL, LIMITS)
    whole = frames_of(pictures, SMALL.model_copy(update={"crop": "full"}))
    apart = [np.abs(of_array.astype(int) - other).mean() for other in (of_video, whole)]
    assert apart[0] < 6
    assert apart[1] > 20


# What is none


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.png", b"", "empty"),
        ("a.png", b"\x89PNG\r\n\x1a\n but no more", "undecodable"),
        ("a.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n", "undecodable"),  # Pillow would call Ghostscript
        ("a.txt", b"notes of the meeting", "not_video"),
    ],
)
def test_what_is_no_image_has_its_reason(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ClipError) as refused:
        read_clip(tmp_path / name, SMALL, LIMITS)
    assert refused.value.reason == reason
    assert str(tmp_path) not in refused.value.detail


def test_an_image_cut_short_and_one_that_would_fill_the_memory(tmp_path: Path) -> None:
    whole = picture(tmp_path / "a.png", size=(300, 300))
    whole.write_bytes(whole.read_bytes()[:-40])
    Image.new("1", (9000, 9000)).save(tmp_path / "b.png")  # 10 KB of file, 243 MB of pixels
    for path, reason in ((whole, "undecodable"), (tmp_path / "b.png", "too_large")):
        with pytest.raises(ClipError) as refused:
            read_clip(path, SMALL, LIMITS)
        assert refused.value.reason == reason


def test_one_bad_frame_is_named_not_passed_over(tmp_path: Path) -> None:
    folder = frame_folder(tmp_path / "sign", 4)
    (folder / "frame2.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(ClipError, match=r"undecodable: frame2\.png: "):
        read_clip(folder, SMALL, LIMITS)


# Folders searched


def test_numbers_count_by_their_value() -> None:
    names = ["a10", "a9", "b1", "a010b", "a2", "10", "9"]
    assert [path.name for path in natural(map(Path, names))] == ["9", "10", "a2", "a9", "a10", "a010b", "b1"]


def test_a_folder_gives_its_videos_and_frame_folders_and_passes_the_rest_over(tmp_path: Path) -> None:
    for name in ("2.mp4", "10.MOV", ".hidden.mp4", "notes.txt", "thumbnail.jpg", "deep/er/3.webm"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    frame_folder(tmp_path / "frames", 2)
    (tmp_path / "empty").mkdir()
    found = [path.relative_to(tmp_path).as_posix() for path in find_clips([tmp_path])]
    assert found == ["2.mp4", "10.MOV", "deep/er/3.webm", "frames"]
    assert list(find_clips([tmp_path / "frames"])) == [tmp_path / "frames"]


def test_what_is_no_folder_or_holds_nothing_passes_unchanged(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    given = [tmp_path / "empty", tmp_path / "absent.mp4", Path("a\0b"), Path("x" * 5000), Path("notes.txt")]
    assert list(find_clips(given)) == given


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_link_to_a_folder_is_not_followed_so_that_a_circle_ends(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4", frames=2)
    (tmp_path / "round").symlink_to(tmp_path, target_is_directory=True)
    assert list(find_clips([tmp_path])) == [tmp_path / "a.mp4"]


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="permissions do not bind root")
def test_a_folder_that_may_not_be_read_says_so(tmp_path: Path) -> None:
    folder = frame_folder(tmp_path / "sign", 1)
    folder.chmod(0)
    try:
        assert list(find_clips([folder])) == [folder]
        with pytest.raises(ClipError, match="unreadable"):
            read_clip(folder, SMALL, LIMITS)
    finally:
        folder.chmod(0o755)

"""Whatever a user hands over → the frames a model sees: a video file, an image, a folder of frames, an array."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from data_engineering.crop import signer_box, square, window
from data_engineering.motion_crop import motion_box
from data_engineering.reasons import ClipError
from data_engineering.settings import PreprocessSettings, ValidateSettings
from data_engineering.sketch import SIDE
from data_engineering.sniff import check_file
from data_engineering.survey import survey
from data_engineering.video import clip_frames

VIDEOS = frozenset(
    {".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ogv", ".swf", ".ts", ".webm", ".wmv"}
)
IMAGES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".webp"})
_FORMATS = ("BMP", "JPEG", "PNG", "WEBP")  # not PostScript and the like, which Pillow hands to other programs
_LOOKED_AT = 32  # frames of a clip that tell what moves
_MAX_IMAGE_PIXELS = 60_000_000  # the largest cameras' pictures; as RGB 180 MB

# What to do about a file of one's own; `ClipError.remedy` speaks of a data root, where `download` fetches it again.
REMEDIES = {
    "absent": "Check the path.",
    "not_a_file": "Name a clip, an image, or a folder that holds some.",
    "empty": "Copy or record it again; the file has no bytes.",
    "html": "The file is a web page: open the address in a browser and save the video itself.",
    "not_video": "Name a video (MP4, WebM, MOV, ...) or an image (JPEG, PNG, WebP, BMP).",
    "moov_missing": "The recording or the copy broke off before its end; make it again.",
    "truncated": "The recording or the copy broke off before its end; make it again.",
    "undecodable": "Play the file; if it plays, re-encode it: ffmpeg -i FILE new.mp4",
}


def find_clips(paths: Iterable[Path]) -> Iterator[Path]:
    """Expands folders into the clips that they hold, as they are taken; whatever is no folder passes unchanged.

    A folder that directly holds images and no video is one clip, its files being its frames. Of any other folder every
    video is a clip, and its subfolders are searched alike, in natural order; hidden files and links to folders are
    passed over. A folder without any passes unchanged, so that whoever reads it finds out.
    """
    for path in paths:
        if _is_folder(path):
            yield from list(_inside(path)) or [path]
        else:
            yield path


def _inside(folder: Path) -> Iterator[Path]:
    try:
        entries = [entry for entry in natural(folder.iterdir()) if not entry.name.startswith(".")]
    except OSError:
        entries = []  # it may not be read; as a clip, it says so
    videos = [entry for entry in entries if entry.suffix.lower() in VIDEOS and not entry.is_dir()]
    if not videos and frame_files(folder):
        yield folder
    yield from videos
    for entry in entries:
        if entry.is_dir() and not entry.is_symlink():
            yield from _inside(entry)


def frame_files(folder: Path) -> list[Path]:
    """Returns the images that lie directly in a folder, in natural order: frame 2 before frame 10."""
    return natural(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in IMAGES and not path.name.startswith(".") and path.is_file()
    )


def natural(paths: Iterable[Path]) -> list[Path]:
    """Sorts by name, numbers in it by their value: 2 and 002 before 10."""

    def key(path: Path) -> list[tuple[int, str]]:
        parts = re.split(r"([0-9]+)", path.name)  # every other one is a number
        return [(len(part.lstrip("0")), part.lstrip("0")) if odd % 2 else (0, part) for odd, part in enumerate(parts)]

    return sorted(paths, key=key)


def _is_folder(path: Path) -> bool:
    """Like Path.is_dir, but no for a name that no file can have, where that raises."""
    try:
        return path.is_dir()
    except OSError:
        return False


def read_clip(path: Path, preprocess: PreprocessSettings, limits: ValidateSettings) -> np.ndarray:
    """Reads what no index describes: all of it, cropped to what moves (preprocess.crop `full`: the whole frame).

    Args:
        path: A video, whose black ends are cut; an image, a clip that stands still; or a folder of images, its frames.
        preprocess: Gives num_frames, size S and crop.
        limits: The largest file, frame and count of frames.

    Returns:
        uint8 (num_frames, S, S, 3) RGB.

    Raises:
        ClipError: It is no clip that decodes.
    """
    if _is_folder(path):
        try:
            files = frame_files(path)
        except OSError as error:
            raise ClipError("unreadable", error.strerror or str(error)) from error
        if not files:
            raise ClipError("not_a_file", "a folder without a video or an image")
        return _read_images(files, preprocess, limits)
    if path.suffix.lower() in IMAGES:
        return _read_images([path], preprocess, limits)
    media = survey(path, frame_start=1, frame_end=-1, fps=25.0, trimmed=True, validate=limits, preprocess=preprocess)
    frames, _ = clip_frames(
        path,
        bbox=None,
        motion=media.motion,
        start=media.start,
        end=media.end,
        num_frames=preprocess.num_frames,
        preprocess=preprocess,
    )
    return frames


def frames_of(array: np.ndarray, preprocess: PreprocessSettings) -> np.ndarray:
    """Takes a clip that is in memory already, as `read_clip` takes a folder's images.

    Args:
        array: uint8 (T, H, W, 3) RGB, T at least 1; the frames are taken as evenly spaced in time.
        preprocess: Gives num_frames, size S and crop.

    Returns:
        uint8 (num_frames, S, S, 3) RGB: the frames at the centres of equal segments, cropped to what moves.

    Raises:
        ValueError: Another type or shape.
    """
    check_frames(array)
    return _framed(lambda index: array[index], len(array), preprocess)


def check_frames(array: np.ndarray) -> None:
    """Checks that an array is frames: uint8 (T, H, W, 3), none of them 0; raises ValueError where it is not."""
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[-1] != 3 or 0 in array.shape:
        raise ValueError(f"frames must be uint8 (T, H, W, 3) RGB, these are {array.dtype} {array.shape}")


def pictures(path: Path, limits: ValidateSettings) -> Iterator[np.ndarray]:
    """Returns the pictures of a folder, or an image, as they are: uint8 (H, W, 3) RGB, in natural order.

    Args:
        path: A folder or an image.
        limits: The largest file and count of frames.

    Raises:
        ClipError: There are none, too many, or one that does not decode.
    """
    try:
        files = frame_files(path) if _is_folder(path) else [path]
    except OSError as error:
        raise ClipError("unreadable", error.strerror or str(error)) from error
    if not files:
        raise ClipError("not_a_file", "a folder without a video or an image")
    if len(files) > limits.max_frames:
        raise ClipError("too_large", f"{len(files):,} images; validate.max_frames is {limits.max_frames:,}")
    return (_image(file, limits.max_bytes) for file in files)


def is_pictures(path: Path) -> bool:
    """Tells a folder or an image, which hold pictures, from a video."""
    return _is_folder(path) or path.suffix.lower() in IMAGES


def _read_images(files: Sequence[Path], preprocess: PreprocessSettings, limits: ValidateSettings) -> np.ndarray:
    if len(files) > limits.max_frames:
        raise ClipError("too_large", f"{len(files):,} images; validate.max_frames is {limits.max_frames:,}")
    return _framed(lambda index: _image(files[index], limits.max_bytes), len(files), preprocess)


def _framed(frame_at: Callable[[int], np.ndarray], count: int, preprocess: PreprocessSettings) -> np.ndarray:
    """Samples a clip of `count` frames, and crops it to what moves, as a video without an index is."""
    chosen, looked_at = _centres(count, preprocess.num_frames), _centres(count, min(count, _LOOKED_AT))
    frames, small, shapes = {}, [], set()
    for index in sorted({*chosen, *looked_at}):
        frame = frame_at(index)
        shapes.add(frame.shape)
        if index in looked_at:
            small.append(_small(frame))
        if index in chosen:
            frames[index] = frame
    # Pictures of several sizes are no clip of one camera: each is shown whole.
    moving = motion_box(np.stack(small)) if len(shapes) == 1 and len(small) > 2 else None
    shown = {}
    for index, frame in frames.items():
        height, width = frame.shape[:2]
        motion = moving and [round(part * side) for part, side in zip(moving, (width, height) * 2, strict=True)]
        box, _ = signer_box(None, motion, width, height, preprocess)
        shown[index] = square(frame, window(box, width, height, 1.0, preprocess), preprocess.size)
    return np.stack([shown[index] for index in chosen])


def _small(frame: np.ndarray) -> np.ndarray:
    """A grey picture, uint8 (h, w), as large as `data_engineering.sketch` makes them."""
    height, width = frame.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA)


def _image(path: Path, max_bytes: int) -> np.ndarray:
    """Decodes an image, turned as its metadata say; returns uint8 (H, W, 3) RGB."""
    check_file(path, max_bytes)
    try:
        with Image.open(path, formats=_FORMATS) as image:
            if image.width * image.height > _MAX_IMAGE_PIXELS:
                raise ClipError("too_large", f"{path.name}: {image.width} x {image.height} pixels")
            return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    # What Pillow raises on hostile images, a decompression bomb's error among it.
    except (OSError, ValueError, SyntaxError, TypeError, Image.DecompressionBombError) as error:
        reason = " ".join(str(error).split()).replace(str(path), path.name)
        raise ClipError("undecodable", f"{path.name}: {reason[:160]}") from error


def _centres(count: int, wanted: int) -> list[int]:
    """The frames at the centres of `wanted` equal segments of `count`; some more than once where there are fewer."""
    return [int((segment + 0.5) * count / wanted) for segment in range(wanted)]

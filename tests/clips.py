"""Real little video files for the tests: clips of a chosen size, rate and shape, and files broken in many ways.

A frame's grey level tells its number, so a test can say which frame it was given.
"""

import gzip
import json
import os
import struct
import wave
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import av
import numpy as np
from PIL import Image

TICKS = 12_800


def level(index: int) -> int:
    """The grey level of frame `index`, far enough from its neighbours to survive the codec; it repeats after 36."""
    return 70 + 5 * (index % 36)


def number(frame: np.ndarray) -> int:
    """The number of the frame that this picture is; black gives a negative one."""
    height, width = frame.shape[:2]
    middle = frame[height // 2 - 2 : height // 2 + 2, width // 2 - 2 : width // 2 + 2]
    return round((float(middle.mean()) - 70) / 5)


def write_clip(
    path: Path,
    *,
    frames: int = 30,
    size: tuple[int, int] = (64, 48),
    rate: float = 25,
    times: Iterable[float] | None = None,
    black_head: int = 0,
    black_tail: int = 0,
    rotation: int = 0,
    pixel_aspect: Fraction | None = None,
    codec: str = "libx264",
    faststart: bool = False,
    sound: bool = False,
    paint: Callable[[int], np.ndarray] | None = None,
) -> Path:
    """Encodes a clip.

    Args:
        path: The file; its suffix chooses the container.
        frames: How many, the black ones included.
        size: Width and height in stored pixels.
        rate: Frames a second.
        times: Seconds at which each frame is shown instead (a variable frame rate).
        black_head: So many frames at the start are black.
        black_tail: So many frames at the end are black.
        rotation: Degrees clockwise written as metadata: 0 | 90 | 180 | 270.
        pixel_aspect: Width of a pixel over its height.
        codec: FFmpeg's encoder.
        faststart: Put the index before the pixels.
        sound: Add a sound track.
        paint: Gives frame i as uint8 (H, W, 3) instead of its grey level.
    """
    width, height = size
    stamps = list(times) if times is not None else [index / rate for index in range(frames)]
    options = {"movflags": "faststart"} if faststart else {}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=Fraction(rate).limit_denominator(1001))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, TICKS)
        if pixel_aspect:
            stream.codec_context.sample_aspect_ratio = pixel_aspect
        if codec == "libx264":
            stream.codec_context.options = {"crf": "8", "preset": "ultrafast", "g": "12"}
        tone = container.add_stream("aac", rate=16_000) if sound else None
        for index, stamp in enumerate(stamps):
            black = index < black_head or index >= len(stamps) - black_tail
            picture = paint(index) if paint else np.full((height, width, 3), level(index), np.uint8)
            frame = av.VideoFrame.from_ndarray(picture * (not black), format="rgb24")
            frame.pts, frame.time_base = round(stamp * TICKS), Fraction(1, TICKS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if tone is not None:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 16_000), np.float32), format="fltp", layout="mono")
            silence.sample_rate, silence.pts = 16_000, 0
            container.mux(tone.encode(silence))
            container.mux(tone.encode())
    if rotation:
        _rotate(path, rotation)
    return path


def write_index(path: Path, clips: Iterable[dict[str, Any]]) -> Path:
    """Writes a WLASL-shaped index; a clip is {video_id, gloss} and any field that is not as usual."""
    entries: dict[str, list[dict[str, Any]]] = {}
    for position, clip in enumerate(clips):
        usual = {
            "bbox": [8, 4, 56, 48],
            "fps": 25,
            "frame_start": 1,
            "frame_end": -1,
            "instance_id": position,
            "signer_id": position % 3,
            "source": "lab",
            "split": ("train", "val", "test")[position % 3],
            "url": f"https://example.org/{clip['video_id']}.mp4",
            "variation_id": 0,
        }
        entry = usual | {key: value for key, value in clip.items() if key != "gloss"}
        entries.setdefault(clip["gloss"], []).append(entry)
    path.write_text(json.dumps([{"gloss": gloss, "instances": instances} for gloss, instances in entries.items()]))
    return path


def _rotate(path: Path, degrees: int) -> None:
    """Writes the display matrix of the first track, whose nine numbers stand 40 bytes into a version 0 header."""
    turn = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}[degrees]
    a, b, c, d = (value << 16 for value in turn)
    content = bytearray(path.read_bytes())
    matrix = content.index(b"tkhd") + 4 + 40
    content[matrix : matrix + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)


def patched(path: Path, box: bytes, offset: int, value: bytes) -> None:
    """Overwrites bytes of the first box of a kind, counted from behind its name."""
    content = bytearray(path.read_bytes())
    place = content.index(box) + 4 + offset
    content[place : place + len(value)] = value
    path.write_bytes(content)


def _html(path: Path) -> None:
    path.write_text("<!DOCTYPE html><html><head><title>404 Not Found</title></head><body>gone</body></html>")


def _commented_html(path: Path) -> None:
    path.write_text("\n<!-- cached -->\n<html lang='en'><body>Please log in</body></html>")


def _hls(path: Path) -> None:
    path.write_text("#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")


def _concat(path: Path) -> None:
    path.write_text("ffconcat version 1.0\nfile /etc/passwd\n")


def _dash(path: Path) -> None:
    path.write_text('<?xml version="1.0"?><MPD profiles="urn:mpeg:dash:profile:isoff-live:2011"></MPD>')


def _truncated(path: Path) -> None:
    write_clip(path, faststart=True, paint=_noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _no_moov(path: Path) -> None:
    write_clip(path, paint=_noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _moov_lost(path: Path) -> None:
    write_clip(path)
    path.write_bytes(path.read_bytes().replace(b"moov", b"free"))


def _sound_only(path: Path) -> None:
    with av.open(str(path), "w") as container:
        tone = container.add_stream("aac", rate=16_000)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 16_000), np.float32), format="fltp", layout="mono")
        silence.sample_rate = 16_000
        container.mux(tone.encode(silence))
        container.mux(tone.encode())


def _wav(path: Path) -> None:
    with path.open("wb") as file, wave.open(file) as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(8000))


def _no_frames(path: Path) -> None:
    write_clip(path)
    # The sample sizes' count, behind version, flags and the common size.
    patched(path, b"stsz", 8, bytes(4))


def _huge(path: Path) -> None:
    write_clip(path, frames=3, size=(4112, 2176))


def _lying_sizes(path: Path) -> None:
    write_clip(path)
    patched(path, b"stsz", 12, struct.pack(">I", 0x7FFFFFFF) * 4)


def _no_codec_data(path: Path) -> None:
    write_clip(path)
    path.write_bytes(path.read_bytes().replace(b"avcC", b"free"))


def _unknown_codec(path: Path) -> None:
    write_clip(path)
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))


def _pixels_zeroed(path: Path) -> None:
    write_clip(path, paint=_noise)
    content = bytearray(path.read_bytes())
    start = content.index(b"mdat") + 4
    end = content.index(b"moov") - 4
    content[start:end] = bytes(end - start)
    path.write_bytes(content)


def _flipped(path: Path) -> None:
    """Bits that turned over on a failing disk: the index is whole, most frames are not."""
    write_clip(path, paint=_noise)
    content = bytearray(path.read_bytes())
    for place in range(content.index(b"mdat") + 3000, content.index(b"moov") - 8, 700):
        content[place] ^= 0xFF
    path.write_bytes(content)


def _frozen(path: Path) -> None:
    write_clip(path, paint=lambda _: _noise(0))


def _too_fast(path: Path) -> None:
    """All of it over in 30 milliseconds."""
    write_clip(path, rate=1000)


def _image(path: Path, kind: str) -> None:
    with path.open("wb") as file:
        Image.fromarray(_noise(0)).save(file, format=kind)


def _zip(path: Path) -> None:
    with ZipFile(path, "w") as archive:
        archive.writestr("clip.mp4", write_clip(path.with_name("inside.mkv")).read_bytes())
    path.with_name("inside.mkv").unlink()


def _nested(path: Path) -> None:
    """A container that claims to hold itself, eight deep."""
    box = b""
    for _ in range(8):
        box = struct.pack(">I", len(box) + 8) + b"ftyp" + box
    path.write_bytes(box)


def _endless_box(path: Path) -> None:
    path.write_bytes(struct.pack(">I", 20) + b"ftypisom" + bytes(8) + struct.pack(">IQ", 1, 2**63 - 1) + b"mdat")


def _flood_of_boxes(path: Path) -> None:
    path.write_bytes((struct.pack(">I", 8) + b"free") * 100_000)


def _half_a_header(path: Path) -> None:
    write_clip(path, faststart=True)
    path.write_bytes(path.read_bytes()[:200])


def _black_middle(path: Path) -> None:
    """A first frame, a last frame, and nothing between that decodes."""
    write_clip(path, paint=_noise)
    content = bytearray(path.read_bytes())
    start, end = content.index(b"mdat") + 4, content.index(b"moov") - 4
    length = end - start
    content[start + length // 10 : end - length // 10] = bytes(end - start - 2 * (length // 10))
    path.write_bytes(content)


def _noise(index: int) -> np.ndarray:
    return np.random.default_rng(index).integers(60, 255, (48, 64, 3), np.uint8)


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.write_bytes(b""), "empty"),
    "html": (_html, "html"),
    "commented_html": (_commented_html, "html"),
    "hls": (_hls, "playlist"),
    "concat": (_concat, "playlist"),
    "dash": (_dash, "playlist"),
    "json": (lambda path: path.write_text('{"error": "quota"}'), "not_video"),
    "zeros": (lambda path: path.write_bytes(bytes(5000)), "not_video"),
    "one_byte": (lambda path: path.write_bytes(b"\x00"), "not_video"),
    "random": (lambda path: path.write_bytes(np.random.default_rng(0).bytes(5000)), "not_video"),
    "png": (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100)), "not_video"),
    "fake_matroska": (lambda path: path.write_bytes(b"\x1a\x45\xdf\xa3" + bytes(500)), "undecodable"),
    "fake_swf": (lambda path: path.write_bytes(b"FWS\x07" + bytes(500)), "undecodable"),
    "fake_flv": (lambda path: path.write_bytes(b"FLV\x01\x05" + bytes(500)), "undecodable"),
    "box_only": (lambda path: path.write_bytes(b"\x00\x00\x00\x14ftypisom\x00\x00\x00\x00isom"), "moov_missing"),
    "truncated": (_truncated, "truncated"),
    "no_moov": (_no_moov, "moov_missing"),
    "moov_lost": (_moov_lost, "moov_missing"),
    "sound_only": (_sound_only, "no_video_stream"),
    "wav": (_wav, "no_video_stream"),
    "no_frames": (_no_frames, "no_frames"),
    "one_frame": (lambda path: write_clip(path, frames=1), "too_short"),
    "black": (lambda path: write_clip(path, frames=10, black_tail=10), "black"),
    "huge": (_huge, "too_large"),
    "lying_sizes": (_lying_sizes, "no_frames"),
    "no_codec_data": (_no_codec_data, "undecodable"),
    "unknown_codec": (_unknown_codec, "undecodable"),
    "pixels_zeroed": (_pixels_zeroed, "undecodable"),
    "flipped": (_flipped, "undecodable"),
    "zeroed_middle": (_black_middle, "undecodable"),
    "frozen": (_frozen, "frozen"),
    "too_fast": (_too_fast, "too_short"),
    "gif": (lambda path: _image(path, "GIF"), "not_video"),
    "jpeg": (lambda path: _image(path, "JPEG"), "not_video"),
    "webp": (lambda path: _image(path, "WEBP"), "not_video"),
    "zip": (_zip, "not_video"),
    "pdf": (lambda path: path.write_bytes(b"%PDF-1.7\n" + bytes(range(256))), "not_video"),
    "gzip": (lambda path: path.write_bytes(gzip.compress(b"a clip")), "not_video"),
    "program": (lambda path: path.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(200)), "not_video"),
    "script": (lambda path: path.write_text("#!/bin/sh\nrm -rf /\n"), "not_video"),
    "swf_zlib": (lambda path: path.write_bytes(b"CWS\x09" + bytes(300)), "undecodable"),
    "sdp": (lambda path: path.write_text("v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n"), "playlist"),
    "pls": (lambda path: path.write_text("[playlist]\nFile1=http://127.0.0.1/a.mp4\n"), "playlist"),
    "nested": (_nested, "moov_missing"),
    "endless_box": (_endless_box, "moov_missing"),
    "flood_of_boxes": (_flood_of_boxes, "moov_missing"),
    "half_a_header": (_half_a_header, "moov_missing"),
    "fifo": (os.mkfifo, "not_a_file"),
    "folder": (lambda path: path.mkdir(), "not_a_file"),
    "dangling": (lambda path: path.symlink_to("nothing.mp4"), "not_a_file"),
    "loop": (lambda path: path.symlink_to(path.name), "outside_root"),
    "outside": (lambda path: path.symlink_to("/etc/passwd"), "outside_root"),
}
"""Files that are no clip: how each is made, and the reason that must be given for it."""

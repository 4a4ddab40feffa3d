"""A clip of the avatar: gloss + signer + seed, in memory for training, or as a real mp4.

The signs are ASL-LIKE and simplified: a measuring instrument, not teaching material.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_engineering.crop import Box, window
from data_engineering.settings import PreprocessSettings
from data_engineering.synthetic.body import Figure, outlines
from data_engineering.synthetic.camera import Shot, film, keypoints, signer_box
from data_engineering.synthetic.degrade import noise, noise_tile, recompress
from data_engineering.synthetic.hand import Array
from data_engineering.synthetic.motion import Performance, perform
from data_engineering.synthetic.mp4 import write_mp4
from data_engineering.synthetic.phonology import Sign
from data_engineering.synthetic.render import draw
from data_engineering.synthetic.signer import Signer
from data_engineering.synthetic.timing import Timing, timing

_outlines = functools.lru_cache(maxsize=64)(outlines)
_tile = functools.lru_cache(maxsize=4)(lambda height, width: noise_tile(height, width, np.random.default_rng(0)))
# A hand's velocity is taken over this many seconds.
_STEP = 0.01


def render_clip(
    sign: Sign, signer: Signer, seed: int, *, num_frames: int = 8, size: int = 64
) -> tuple[np.ndarray, np.ndarray]:
    """Renders what the pipeline would show a model of a clip, without the detour over a file.

    Args:
        sign: What is signed.
        signer: By whom.
        seed: Draws timing, sway and noise; the same call gives the same pixels.
        num_frames: T, sampled at the centres of equal segments of the clip.
        size: S, side of the square frames in pixels.

    Returns:
        Frames uint8 (T, S, S, 3) RGB, and the key points of `keypoints.KEYPOINTS` as float32 (T, 64, 3): x, y in 0..1
        of the square, and 1 where the point is in it and nothing is in front.
    """
    rng = np.random.default_rng(seed)
    when = timing(sign, signer, rng)
    centres = (np.arange(num_frames) + 0.5) * (when.duration / num_frames)
    times = np.floor(centres * signer.fps) / signer.fps
    performance, shot, velocity = _shoot(sign, signer, times, when, rng)
    box: Box = signer_box(shot, signer, rng)
    area = window(box, signer.width, signer.height, 1.0, PreprocessSettings())
    frames = np.empty((num_frames, size, size, 3), np.uint8)
    tile = _tile(size, size)
    # Reducing averages the noise away, as far as it is not already compressed into blotches.
    sigma = signer.noise * min(1.0, 0.8 * size / (area[3] - area[1]))
    quality = int(np.clip(112 - 1.6 * signer.crf - rng.uniform(0, 12), 35, 95))
    for t, picture in enumerate(draw(shot, performance, signer, area, (size, size), velocity)):
        frames[t] = recompress(noise(picture, sigma, tile, rng), quality)
    _blacken(frames, area, signer)
    points, _, clear = keypoints(shot, signer)
    labels = np.empty((num_frames, points.shape[1], 3), np.float32)
    labels[..., :2] = (points - np.array(area[:2])) / (area[2] - area[0])
    inside = ((points > 0) & (points < [signer.width, signer.height])).all(-1) & (
        (labels[..., :2] > 0) & (labels[..., :2] < 1)
    ).all(-1)
    labels[..., 2] = clear & inside
    return frames, labels


@dataclass(frozen=True, slots=True)
class Recording:
    """What is known of a filmed clip.

    Attributes:
        fps: Frames a second.
        width: Pixels.
        height: Pixels.
        bbox: The signer's box, xmin, ymin, xmax, ymax in pixels.
        keypoints: float32 (T, 64, 4): x, y in pixels of the frame, depth towards the camera in shoulder widths, and 1
            where the point is in the frame and nothing is in front; order of `keypoints.KEYPOINTS`.
        phases: (T,) index into `motion.PHASES`.
        sign: What was signed.
        signer: By whom.
    """

    fps: int
    width: int
    height: int
    bbox: tuple[int, int, int, int]
    keypoints: np.ndarray
    phases: np.ndarray
    sign: Sign
    signer: Signer


def record(sign: Sign, signer: Signer, seed: int) -> tuple[Recording, Iterator[np.ndarray]]:
    """Films a clip with the signer's camera.

    Args:
        sign: What is signed.
        signer: By whom.
        seed: Draws timing, sway and noise; the same call gives the same pixels.

    Returns:
        What is known of the clip, and its frames, uint8 (height, width, 3) RGB, drawn as they are asked for.
    """
    rng = np.random.default_rng(seed)
    when = timing(sign, signer, rng)
    times = np.arange(int(when.duration * signer.fps)) / signer.fps
    performance, shot, velocity = _shoot(sign, signer, times, when, rng)
    bbox = signer_box(shot, signer, rng)
    points, depth, clear = keypoints(shot, signer)
    inside = ((points > 0) & (points < [signer.width, signer.height])).all(-1)
    labels = np.concatenate([points, depth[..., None], (clear & inside)[..., None]], axis=-1).astype(np.float32)
    recording = Recording(signer.fps, signer.width, signer.height, bbox, labels, when.phases(times), sign, signer)
    size = (signer.width, signer.height)
    pictures = draw(shot, performance, signer, (0.0, 0.0, float(signer.width), float(signer.height)), size, velocity)
    tile = _tile(signer.height, signer.width)
    return recording, (noise(picture, signer.noise, tile, rng) for picture in pictures)


def render_video(sign: Sign, signer: Signer, seed: int, path: Path) -> Recording:
    """Films a clip into an mp4 file; the same call on the same versions gives the same bytes."""
    recording, frames = record(sign, signer, seed)
    write_mp4(path, frames, fps=signer.fps, crf=signer.crf, width=signer.width, height=signer.height)
    return recording


def _shoot(
    sign: Sign, signer: Signer, times: Array, when: Timing, rng: np.random.Generator
) -> tuple[Performance, Shot, Array]:
    """Performs and films a sign; also the hands' velocities (2, T, 2) in frame pixels a second."""
    # A second copy of the times, a step later, gives velocities from the same draw.
    both = np.concatenate([times, times + _STEP])
    performance = perform(sign, signer, both, when, rng)
    trunk, head = _outlines(signer)
    shot = film(Figure(signer, performance, trunk, head), performance.frames, signer, rng)
    count = len(times)
    middles = np.stack([shot.part(f"hand{side}")[:, 9] for side in (0, 1)])
    velocity = (middles[:, count:] - middles[:, :count]) / _STEP
    shot = Shot(shot.points[:count], shot.depth[:count], shot.slices, shot.scale, shot.facing[:, :count])
    return performance, shot, velocity


def _blacken(frames: np.ndarray, area: Box, signer: Signer) -> None:
    """Blackens, in place, what of the square lies beyond the camera's frame."""
    size = frames.shape[1]
    scale = size / (area[2] - area[0])
    left, top = (max(round(-value * scale), 0) for value in area[:2])
    right = min(round((signer.width - area[0]) * scale), size)
    bottom = min(round((signer.height - area[1]) * scale), size)
    frames[:, :top] = frames[:, bottom:] = 0
    frames[:, :, :left] = frames[:, :, right:] = 0

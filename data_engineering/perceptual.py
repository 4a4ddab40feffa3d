"""Clips that show the same although their bytes differ: what a clip looks like in 310 letters, and who looks alike.

Both parts are a clip's lowest frequencies in space and time (Coskun, Sankur and Memon, Spatio-temporal transform based
video hashing, IEEE Transactions on Multimedia 8(6), 2006); another encoding, size or frame rate leaves those alone.
Their signs, 128 bits, find candidates without comparing each clip with each. The frequencies of the motion decide,
as all clips of one signer in one studio share what stands still: on the shared clips they correlate by 0.99 and more
with a re-encoded or halved copy, by 0.89 with one that lacks every third frame, and by at most 0.8 with any other clip.
"""

import base64
from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping

import cv2
import numpy as np

from data_engineering.draw import linked

# A clip is looked at in so many pictures of so many pixels either way.
_PICTURES, _SIDE = 16, 32
# Frequencies across and down of the mean picture; in time, across and down of the motion, for the bits and to compare.
_STILL, _MOTION, _COMPARED = 8, (4, 4, 4), (6, 6, 6)
_BITS, _COMPARED_BYTES = 16, 6 * 6 * 6
# Candidates differ in at most so many bits of the still and of the moving half; copies correlate at least so much.
_STILL_APART, _MOTION_APART, _ALIKE = 8, 18, 0.85


def clip_looks(pictures: np.ndarray) -> str:
    """Describes what a clip shows.

    Args:
        pictures: uint8 (T, h, w), small grey pictures of the clip in order, as `sketch` makes them.

    Returns:
        Base64 of 64 bits of the mean picture, 64 bits of the motion, and 216 frequencies of the motion, int8.
    """
    small = np.stack([cv2.resize(picture, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA) for picture in pictures])
    plane = np.stack([cv2.dct(picture) for picture in _evenly(small.astype(np.float32))])
    time = np.arange(_PICTURES)
    turns = np.cos(np.pi * (time + 0.5) * np.arange(_COMPARED[0] + 1)[:, None] / _PICTURES)
    volume = np.tensordot(turns, plane, axes=1)
    still = volume[0, :_STILL, :_STILL].copy()
    # The mean brightness is always positive; the next frequency beyond the square stands in for it.
    still[0, 0] = volume[0, _STILL, _STILL]
    moving = volume[1 : _MOTION[0] + 1, : _MOTION[1], : _MOTION[2]]
    bits = np.packbits(np.concatenate([still.ravel() > 0, moving.ravel() > 0]))
    compared = volume[1:, : _COMPARED[1], : _COMPARED[2]].ravel()
    largest = max(float(np.abs(compared).max()), 1e-6)
    return base64.b64encode(bits.tobytes() + np.round(compared * (127 / largest)).astype(np.int8).tobytes()).decode()


def look_alikes(looks: Mapping[str, str]) -> list[list[str]]:
    """Returns the groups of clips that show the same.

    Candidates share at least one byte of the still half's bits and one of the moving half's, which holds for every pair
    with at most 7 different bits a half (Norouzi, Punjani and Fleet, Fast search in Hamming space, CVPR 2012).

    Args:
        looks: {video_id: `clip_looks`}.

    Returns:
        Groups of two or more video_ids, linked by pairs, in the given order.
    """
    # Identical clips are found at once, however many they are.
    same: dict[str, list[str]] = defaultdict(list)
    for video_id, look in looks.items():
        same[look].append(video_id)
    told = b"".join(base64.b64decode(look) for look in same)
    raw = np.frombuffer(told, np.uint8).reshape(-1, _BITS + _COMPARED_BYTES)
    bits = np.ascontiguousarray(raw[:, :_BITS])
    motion = raw[:, _BITS:].view(np.int8).astype(np.float32)
    motion /= np.maximum(np.linalg.norm(motion, axis=1, keepdims=True), 1e-6)
    name = linked(_copies(bits, motion))
    groups: dict[Hashable, list[str]] = defaultdict(list)
    for index, ids in enumerate(same.values()):
        groups[name.get(index, index)].extend(ids)
    return [ids for ids in groups.values() if len(ids) > 1]


def _copies(bits: np.ndarray, motion: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yields the places of clips that show the same, two by two; of uint8 (n, b) bits and float32 (n, m) motion."""
    for still in range(_BITS // 2):
        for moving in range(_BITS // 2, _BITS):
            shared = bits[:, still].astype(np.uint16) << 8 | bits[:, moving]
            for one, other in _near(bits.view(np.uint64), shared):
                copies = np.einsum("ij,ij->i", motion[one], motion[other]) >= _ALIKE
                yield from zip(one[copies].tolist(), other[copies].tolist(), strict=True)


def _evenly(pictures: np.ndarray) -> np.ndarray:
    """Pictures at the centres of equal segments, float32 (16, h, w), each between the two nearest."""
    places = np.clip((np.arange(_PICTURES) + 0.5) * len(pictures) / _PICTURES - 0.5, 0, len(pictures) - 1)
    before = places.astype(int)
    after = np.minimum(before + 1, len(pictures) - 1)
    share = (places - before).astype(np.float32)[:, None, None]
    mixed: np.ndarray = pictures[before] * (1 - share) + pictures[after] * share
    return mixed


def _near(halves: np.ndarray, shared: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields candidates among clips with an equal value, as arrays of their first and second clips' places.

    Args:
        halves: uint64 (n, 2), the bits of what stands still and of what moves.
        shared: uint16 (n,).
    """
    order = np.argsort(shared, kind="stable")
    value, in_order = shared[order], halves[order]
    # Equal values stand side by side; each is compared with the next one, the next but one, ...
    places = np.arange(len(order))
    for distance in range(1, len(order)):
        places = places[: np.searchsorted(places, len(order) - distance)]
        places = places[value[places] == value[places + distance]]
        if not len(places):
            return
        apart = np.bitwise_count(in_order[places] ^ in_order[places + distance])
        near = places[(apart[:, 0] <= _STILL_APART) & (apart[:, 1] <= _MOTION_APART)]
        if len(near):
            yield order[near], order[near + distance]

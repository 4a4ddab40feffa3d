"""What the tiny base is shown before it meets a task: fresh clips of signs composed at random, under invented words.

No sign of `params/signs.yaml` takes part, neither its parameters nor its word.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from data_engineering.errors import ConfigError
from data_engineering.keypoints import SWAPPED
from data_engineering.pose.normalize import normalized
from data_engineering.pose.realism import realistic
from data_engineering.pose.skeleton import drawn, panel_places, shown
from data_engineering.pose.vary import varied
from data_engineering.synthetic.clips import render_clip
from data_engineering.synthetic.exact import perform_pose
from data_engineering.synthetic.phonology import CHANNELS, PARAMETERS, Sign, describe, differing_channels, parameters
from data_engineering.synthetic.signer import Signer
from data_engineering.synthetic.signs import load_signs, make_sign, random_sign
from signvlm.config import PROMPT
from signvlm.vlm.tiny import IMAGE_SIZE

NUM_FRAMES = 8
FAMILY = 4  # signs
DESCRIBE = "Describe this sign: hands, handshape, location, contact, fingers, palm, movement."
# Signers are right-handed but for one in eight; a mirrored clip is a left-handed signer's, and the same sign.
MIRRORED = 0.25
# Parts of invented words. They reach every letter and most of the pairs that English words are made of: an output
# token that was never right in pre-training stays hard to say for a fine-tuning that leaves the embeddings as they are.
_ONSETS = (
    *("b", "bl", "br", "c", "ch", "cl", "cr", "d", "dr", "f", "fl", "fr", "g", "gl", "gr", "h", "j", "k", "kn", "l"),
    *("m", "n", "p", "pl", "pr", "qu", "r", "s", "sc", "sh", "sl", "sm", "sp", "st", "str", "t", "th", "tr", "tw"),
    *("v", "w", "wh", "y", "z", ""),
)
_NUCLEI = ("a", "e", "i", "o", "u", "a", "e", "i", "o", "u", "ai", "ea", "ee", "ie", "oa", "oo", "ou", "ay", "ow", "y")
_CODAS = (
    *("", "", "", "b", "ck", "d", "er", "ft", "g", "k", "l", "ll", "m", "n", "nd", "ng", "nk", "nt", "p", "r", "rd"),
    *("s", "ss", "st", "t", "th", "x", "ve", "se", "te", "le", "ne"),
)

Show = Callable[[Sign, Signer, np.random.Generator], tuple[np.ndarray, np.ndarray]]


class FreshClips(Dataset):
    """Clips rendered when they are read, each a function of the seed and its number alone.

    One in `every` is of a sign that has a word; the others are of signs composed for this one clip.
    """

    def __init__(
        self, seed: int, stage: int, count: int, named: list[tuple[str, Sign]], every: int = 2, show: Show | None = None
    ) -> None:
        """Args: seed, stage: of the draws. count: clips. named: words and their signs. every: see above.

        show: How a sign becomes frames and key points; None films it.
        """
        self.seed, self.stage, self.count, self.named, self.every = seed, stage, count, named, every
        self.show: Show = show or filmed

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> dict[str, Any]:
        rng = np.random.default_rng([self.seed, self.stage, number])
        word, sign = self.named[rng.integers(len(self.named))] if number % self.every == 0 else ("", unseen(rng))
        frames, keypoints = self.show(sign, Signer.sample(rng), rng)
        return {"clip_id": str(number), "word": word, "sign": sign, "frames": frames, "keypoints": keypoints}


def filmed(sign: Sign, signer: Signer, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Films a clip: frames uint8 (T, S, S, 3); key points (T, 64, 3): x, y in 0..1 of the frame, 1 where visible."""
    frames, keypoints = render_clip(sign, signer, int(rng.integers(2**31)), num_frames=NUM_FRAMES, size=IMAGE_SIZE)
    return mirrored(frames, keypoints) if rng.random() < MIRRORED else (frames, keypoints)


def sketched(sign: Sign, signer: Signer, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draws a clip's key points as an extractor would have found them, and as training varies them.

    Returns:
        Frames uint8 (T, S, S, 3); key points (T, 64, 3): x, y in 0..1 of their panel (`skeleton.panel_places`), score.
    """
    pose = perform_pose(sign, signer, rng)
    found = realistic(normalized(pose.points, pose.size), pose.times, rng)
    what = shown(varied(found, rng, mirror=bool(rng.random() < MIRRORED)), NUM_FRAMES)
    return drawn(what, IMAGE_SIZE), panel_places(what)


def mirrored(frames: np.ndarray, keypoints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mirrors a clip: frames uint8 (T, S, S, 3); key points (T, 64, 3), x in 0..1, left and right exchanged."""
    keypoints = keypoints[:, SWAPPED].copy()
    keypoints[..., 0] = 1 - keypoints[..., 0]
    return np.ascontiguousarray(frames[:, :, ::-1]), keypoints


@functools.cache
def _shipped() -> frozenset[tuple[object, ...]]:
    return frozenset(parameters(sign) for sign in load_signs().values())


def unseen(rng: np.random.Generator) -> Sign:
    """Composes a sign whose parameters are none of the shipped signs'."""
    while True:
        sign = random_sign(rng)
        if parameters(sign) not in _shipped():
            return sign


def description(sign: Sign) -> str:
    """Returns a sign's phonology as one line of words."""
    return ", ".join(describe(sign).values())


def invented_word(rng: np.random.Generator) -> str:
    """Draws a word of one to three syllables; one in eight is two words, one in eight each is Capital and CAPITAL."""

    def word() -> str:
        syllables = [str(rng.choice(_ONSETS)) + str(rng.choice(_NUCLEI)) for _ in range(rng.choice((1, 2, 2, 3)))]
        return "".join(syllables) + str(rng.choice(_CODAS))

    text = f"{word()} {word()}" if rng.random() < 1 / 8 else word()
    return (text.title(), text.upper(), *[text] * 6)[rng.integers(8)]


def invented(count: int, seed: int) -> list[tuple[str, Sign]]:
    """Composes `count` signs, each with an invented word that is no shipped sign's, whole or in part."""
    rng = np.random.default_rng([seed, 99])
    words = _free_words(rng)
    named: dict[str, Sign] = {}
    while len(named) < count:
        named.setdefault(next(words), unseen(rng))
    return list(named.items())


def families(count: int, seed: int) -> list[tuple[str, Sign]]:
    """Composes `count` families of four signs that share all but one channel, each sign with an invented word."""
    rng = np.random.default_rng([seed, 97])
    signs: list[Sign] = []
    for _ in range(count):
        head = unseen(rng)
        family = [head]
        while len(family) < FAMILY:
            relative = _relative(head, rng)
            if parameters(relative) not in _shipped() | {parameters(sign) for sign in family}:
                family.append(relative)
        signs += family
    words: dict[str, None] = {}
    for word in _free_words(rng):
        words[word] = None
        if len(words) == len(signs):
            break
    return list(zip(words, signs, strict=True))


def _relative(sign: Sign, rng: np.random.Generator) -> Sign:
    """Takes one channel from another sign of the same hands and place; half of the time that is the handshape."""
    while True:
        channel = str(rng.choice(("handshape", "handshape", "orientation", "movement")))
        other = random_sign(rng)
        while (other.hands, other.location, other.contact) != (sign.hands, sign.location, sign.contact):
            other = random_sign(rng)
        try:
            taken = {name: getattr(other, name) for name in CHANNELS[channel] if getattr(other, name)}
            kept = {name: getattr(sign, name) for name in PARAMETERS if getattr(sign, name)}
            relative = make_sign(sign.gloss, {k: v for k, v in kept.items() if k not in CHANNELS[channel]} | taken)
        except ConfigError:  # the channels of the two do not go together
            continue
        if differing_channels(sign, relative) == (channel,):
            return relative


def _free_words(rng: np.random.Generator) -> Iterator[str]:
    """Draws words that no shipped sign bears, whole or in part; one may come twice."""
    taken = {part for gloss in load_signs() for part in gloss.casefold().split("-")}
    while True:
        word = invented_word(rng)
        if not taken & set(word.casefold().split()):
            yield word


def corpus(seed: int) -> list[str]:
    """Texts for the tokenizer: the prompts, invented words, and descriptions as they will occur."""
    rng = np.random.default_rng([seed, 98])
    descriptions = [description(random_sign(rng)) for _ in range(2000)]
    return [*[PROMPT, DESCRIBE] * 500, *[invented_word(rng) for _ in range(20_000)], *descriptions]

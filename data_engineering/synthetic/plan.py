"""What a dataset of the avatar holds, decided before anything is rendered: clips, files, copies, broken files.

A clip is a sign by a signer, a take of several. A file holds one clip, or is a compilation: clips of one signer after
another, which the index cuts apart. Some clips are exact copies of others, one of them under a wrong gloss. All of it
follows from the recipe's seed.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from data_engineering.clip import SPLITS
from data_engineering.errors import ConfigError
from data_engineering.synthetic.break_files import KINDS
from data_engineering.synthetic.phonology import Sign

# A compilation has at most so many clips.
_LONGEST = 6
# The seed's streams beside the first, so that copies and compilations change no clip.
_COPIES, _REELS = 1, 2


@dataclass(frozen=True, slots=True)
class Recipe:
    """What decides a dataset.

    Attributes:
        signs: In the order of the index.
        signers: How many people sign in each split; no one signs in two.
        clips_per_cell: Clips of each sign by each signer.
        seed: Draws signers, clips, and which clips are compiled, copied or broken.
        broken: Split to kinds of `break_files.KINDS`; each kind named breaks one file.
        compilations: Share of the clips that lie in longer files and are cut from them by frame_start and frame_end.
        duplicates: Copies to add, as a share of the clips; if any, one more stands under two glosses.
        across_splits: Share of the copies that stand in another split than their original, and so leak.
        size: Height of the frames in pixels; None for each signer's own camera.
        base_url: A clip's address is `<base_url>/<video_id>.mp4`.
    """

    signs: tuple[Sign, ...]
    signers: Mapping[str, int]
    clips_per_cell: int
    seed: int
    broken: Mapping[str, Sequence[str]]
    compilations: float = 0.1
    duplicates: float = 0.0
    across_splits: float = 0.0
    size: int | None = None
    base_url: str = "https://avatar.invalid"


@dataclass(frozen=True, slots=True)
class Plan:
    """One clip of the index.

    Attributes:
        video_id: Digits, five or more.
        gloss: As the index spells it; not the sign's in a copy under a wrong gloss.
        sign: What is signed.
        split: `train`, `validation` or `test`.
        signer_id: From 1.
        take: Counts the clips of one sign and signer, from 0.
        seed: Of the clip.
        broken: The kind of `break_files.KINDS`, or "".
        copy_of: The video_id of the clip whose file it shares byte for byte, or "".
    """

    video_id: str
    gloss: str
    sign: Sign
    split: str
    signer_id: int
    take: int
    seed: int
    broken: str = ""
    copy_of: str = ""

    @property
    def mislabelled(self) -> bool:
        """Whether its gloss is another sign's."""
        return self.gloss != indexed_gloss(self.sign.gloss)


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A sign of the same signer in a clip's file that the index does not know; before the clip, or after it."""

    sign: Sign
    seed: int
    before: bool


@dataclass(frozen=True, slots=True)
class Reel:
    """One file to render, under the name of every clip in it.

    Attributes:
        clips: The clips in the file, in its order.
        neighbour: What else is in it, where only one clip of the index is.
        copies: Further clips of the index whose file is the same.
    """

    clips: tuple[Plan, ...]
    neighbour: Neighbour | None = None
    copies: tuple[Plan, ...] = ()

    @property
    def compiled(self) -> bool:
        """Whether its clips are cut from it."""
        return len(self.clips) > 1 or self.neighbour is not None


def indexed_gloss(gloss: str) -> str:
    """Returns a sign's gloss as WLASL's index spells glosses: in lower case, words apart."""
    return gloss.lower().replace("-", " ")


def plan(recipe: Recipe) -> list[Reel]:
    """Decides every file; ids run through the glosses, as in WLASL.

    Raises:
        ConfigError: Two signs have one gloss in the index, or there are fewer clips than files to break or to copy.
    """
    _check_glosses(recipe.signs)
    rng = np.random.default_rng([recipe.seed, 0])
    people = list(chain.from_iterable([split] * recipe.signers[split] for split in SPLITS))
    cells = [
        (sign, split, number + 1, take)
        for sign in recipe.signs
        for number, split in enumerate(people)
        for take in range(recipe.clips_per_cell)
    ]
    end = 100_000
    while len(cells) > end // 2:
        end *= 10
    numbers = np.sort(rng.choice(np.arange(1000, end), len(cells), replace=False))
    spoiled = _spoil([cell[1] for cell in cells], recipe.broken, rng)
    clips: list[Plan] = []
    neighbours: dict[int, Neighbour] = {}
    for place, ((sign, split, signer_id, take), number) in enumerate(zip(cells, numbers, strict=True)):
        other: Sign | None = None
        before = False
        if len(recipe.signs) > 1 and place not in spoiled and rng.random() < recipe.compilations:
            others = [other for other in recipe.signs if other is not sign]
            other, before = others[int(rng.integers(len(others)))], bool(rng.random() < 0.5)
        seed = int(rng.integers(2**31))
        gloss = indexed_gloss(sign.gloss)
        clips.append(Plan(f"{number:05d}", gloss, sign, split, signer_id, take, seed, spoiled.get(place, "")))
        if other is not None:
            neighbours[place] = Neighbour(other, seed + (1 if before else 2), before)
    return _reels(clips, neighbours, _copies(recipe, clips, set(neighbours), end), recipe.seed)


def spread(broken: float | Mapping[str, int], clips: Mapping[str, int]) -> dict[str, tuple[str, ...]]:
    """Spreads broken files over kinds and splits.

    Args:
        broken: A share of all clips, spread evenly over the kinds; or how many of each kind.
        clips: How many clips each split has.

    Returns:
        Split to kinds, each split with its share of the files.
    """
    total = sum(clips.values())
    if isinstance(broken, Mapping):
        kinds = [kind for kind, count in broken.items() for _ in range(count)]
    else:
        kinds = [list(KINDS)[number % len(KINDS)] for number in range(round(broken * total))]
    given: dict[str, list[str]] = {split: [] for split in SPLITS}
    for number, kind in enumerate(kinds):
        # To the split that lacks most of its share of the files so far.
        lacking = {split: (number + 1) * clips[split] / total - len(given[split]) for split in SPLITS if clips[split]}
        given[max(lacking, key=lambda split: lacking[split])].append(kind)
    return {split: tuple(names) for split, names in given.items()}


def _check_glosses(signs: Sequence[Sign]) -> None:
    seen: dict[str, str] = {}
    for sign in signs:
        gloss = indexed_gloss(sign.gloss)
        if not gloss.strip() or not gloss.isprintable() or len(gloss) > 200:
            raise ConfigError(f"sign {ascii(sign.gloss)[:60]}: no gloss for an index; give it a printable name")
        if gloss in seen:
            raise ConfigError(f"signs {seen[gloss]} and {sign.gloss}: both are {gloss!r} in the index; rename one")
        seen[gloss] = sign.gloss


def _spoil(splits: Sequence[str], broken: Mapping[str, Sequence[str]], rng: np.random.Generator) -> dict[int, str]:
    """Draws which files are broken: place of the clip to kind."""
    spoiled: dict[int, str] = {}
    for split, kinds in broken.items():
        places = [place for place, name in enumerate(splits) if name == split]
        unknown = [kind for kind in kinds if kind not in KINDS]
        if split not in SPLITS or unknown:
            raise ConfigError(
                f"broken: {split}: {unknown or split!r} unknown; splits: {', '.join(SPLITS)}; kinds: {', '.join(KINDS)}"
            )
        if len(kinds) > len(places):
            raise ConfigError(
                f"broken: {split}: {len(kinds)} files to break but only {len(places)} clips; name fewer kinds"
            )
        for place, kind in zip(rng.choice(places, len(kinds), replace=False).tolist(), kinds, strict=True):
            spoiled[place] = kind
    return spoiled


def _copies(recipe: Recipe, clips: Sequence[Plan], compiled: set[int], end: int) -> dict[str, Plan]:
    """Draws the copies, by the id of their original: a whole file, and not a broken one."""
    count = round(recipe.duplicates * len(clips))
    if not count:
        return {}
    whole = [clip for place, clip in enumerate(clips) if place not in compiled and not clip.broken]
    wrong = len(recipe.signs) > 1
    if count + wrong > len(whole):
        raise ConfigError(
            f"duplicates: {count + wrong} copies of {len(whole)} clips that are neither compiled nor broken; lower it"
        )
    rng = np.random.default_rng([recipe.seed, 0, _COPIES])
    taken = {clip.video_id for clip in clips}
    originals = [whole[place] for place in rng.permutation(len(whole))]
    # The one with two glosses is training's where it can be: a wrong label in a test would be a wrong figure.
    original = next((clip for clip in originals if clip.split == "train"), originals[0])
    originals.remove(original)
    leaking = round(recipe.across_splits * count)
    copies: dict[str, Plan] = {}

    def copy(clip: Plan, gloss: str, split: str) -> None:
        name = ""
        while not name or name in taken:
            name = f"{int(rng.integers(1000, end)):05d}"
        taken.add(name)
        copies[clip.video_id] = Plan(
            name, gloss, clip.sign, split, clip.signer_id, clip.take, clip.seed, copy_of=clip.video_id
        )

    for number, clip in enumerate(originals[:count]):
        others = [split for split in SPLITS if split != clip.split and recipe.signers[split]]
        across = bool(others) and number < leaking
        copy(clip, clip.gloss, others[int(rng.integers(len(others)))] if across else clip.split)
    if wrong:
        others = [sign.gloss for sign in recipe.signs if sign is not original.sign]
        copy(original, indexed_gloss(others[int(rng.integers(len(others)))]), original.split)
    return copies


def _reels(
    clips: Sequence[Plan], neighbours: Mapping[int, Neighbour], copies: Mapping[str, Plan], seed: int
) -> list[Reel]:
    """Puts the clips into files; compilations hold clips of one signer, in an order of their own."""
    rng = np.random.default_rng([seed, 0, _REELS])
    by_signer: dict[int, list[int]] = defaultdict(list)
    for place in neighbours:
        by_signer[clips[place].signer_id].append(place)
    reels: dict[int, Reel] = {}
    for places in by_signer.values():
        order = rng.permutation(places).tolist()
        for part in np.array_split(order, -(-len(order) // _LONGEST)):
            first = min(part.tolist())
            together = tuple(clips[place] for place in part.tolist())
            reels[first] = Reel(together, neighbours[first] if len(together) == 1 else None)
    for place, clip in enumerate(clips):
        if place not in neighbours:
            reels[place] = Reel((clip,), copies=(copies[clip.video_id],) if clip.video_id in copies else ())
    return [reels[place] for place in sorted(reels)]

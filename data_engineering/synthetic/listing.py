"""The files beside a dataset's clips: the index as WLASL has it, official-style splits, and what is known of it all.

The signs are ASL-LIKE and simplified: a measuring instrument, not teaching material.
"""

import dataclasses
import io
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from data_engineering.clip import write_json, write_text
from data_engineering.keypoints import KEYPOINTS
from data_engineering.synthetic.phonology import PARAMETERS, Sign
from data_engineering.synthetic.plan import Plan, Recipe, indexed_gloss
from data_engineering.synthetic.reels import CLOCK, Made, signer_of
from data_engineering.synthetic.timing import PHASES

NOTICE = (
    "Simplified, ASL-like signs performed by an avatar, not ASL. No Deaf signer has reviewed them. "
    "A measuring instrument, not teaching material."
)
RECIPE, TRUTH, PHONOLOGY, CLASSES = "avatar.json", "avatar.jsonl", "phonology.yaml", "class_list.txt"


def recipe_record(recipe: Recipe, version: str) -> dict[str, Any]:
    """Returns what decides a dataset, as JSON has it; equal for equal datasets."""
    record = dataclasses.asdict(recipe) | {"signs": {sign.gloss: _parameters(sign) for sign in recipe.signs}}
    loaded: dict[str, Any] = json.loads(json.dumps(record | {"version": version}))
    return loaded


def write_recipe(path: Path, recipe: Recipe, version: str) -> None:
    """Writes avatar.json: the recipe, its signs and signers, and the order of the key points."""
    people = range(1, sum(recipe.signers.values()) + 1)
    signers = {number: dataclasses.asdict(signer_of(recipe.seed, number, recipe.size)) for number in people}
    write_json(
        path,
        {
            "notice": NOTICE,
            "recipe": recipe_record(recipe, version),
            "signers": signers,
            "phases": PHASES,
            "keypoints": KEYPOINTS,
        },
    )


def write_phonology(path: Path, signs: Iterable[Sign]) -> None:
    """Writes the signs' parameters, under the glosses of the index, as `data.phonology` reads them."""
    stream = io.StringIO()
    yaml = YAML(typ="safe", pure=True)  # the C emitter is YAML 1.1, which quotes `no` but not everything that 1.2 needs
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump({indexed_gloss(sign.gloss): _parameters(sign) for sign in signs}, stream)
    write_text(path, f"# {NOTICE}\n{stream.getvalue()}")


def write_lists(index: Path, made: Sequence[tuple[Plan, dict[str, Any], int]], signs: Sequence[Sign]) -> list[Path]:
    """Writes the index, and beside it the class list and the splits as WLASL's nslt files have them.

    Args:
        index: The WLASL-shaped JSON.
        made: Of each clip: its plan, its entry, and how many 25ths of a second it lasts.
        signs: In the order of the index.

    Returns:
        The files written, the index last.
    """
    classes = {indexed_gloss(sign.gloss): number for number, sign in enumerate(signs)}
    entries: dict[str, list[dict[str, Any]]] = defaultdict(list)
    official = {}
    for plan, entry, length in sorted(made, key=lambda item: (len(item[0].video_id), item[0].video_id)):
        entries[plan.gloss].append(entry | {"instance_id": len(entries[plan.gloss])})
        official[plan.video_id] = {"subset": entry["split"], "action": [classes[plan.gloss], 1, length]}
    splits = index.with_name(f"nslt_{len(classes)}.json")
    names = index.with_name(CLASSES)
    write_text(names, "".join(f"{number}\t{gloss}\n" for gloss, number in classes.items()))
    write_json(splits, official)
    write_json(index, [{"gloss": gloss, "instances": entries[gloss]} for gloss in classes])
    return [names, splits, index]


def clip_length(made: Made) -> int:
    """Returns how many 25ths of a second a clip lasts, at least one."""
    return max(1, int(made.truth["frames"] / made.truth["fps"] * CLOCK))


def _parameters(sign: Sign) -> dict[str, Any]:
    """What is not as usual, as in params/signs.yaml; the shape always."""
    usual = Sign("")
    values = {name: getattr(sign, name) for name in PARAMETERS}
    return {name: value for name, value in values.items() if name == "shape" or value != getattr(usual, name)}

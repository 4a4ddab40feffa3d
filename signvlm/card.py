"""The model card: README.md of an adapter bundle, written from what lies in the bundle and beside it.

It is written when training ends, before there are results, and again by `push`, when there may be.
"""

import importlib.metadata
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id
from ruamel.yaml import YAML, YAMLError

from data_engineering.clip import read_json
from data_engineering.errors import RunError
from signvlm.bundles import POSE_WEIGHTS
from signvlm.calibration import read_calibration
from signvlm.config import shipped
from signvlm.console import note
from signvlm.evaluation.results import read_results
from signvlm.evaluation.summary import bracket, percent
from signvlm.identity import files_of
from signvlm.templating import markdown

RESULTS = "evaluation_results.json"
_FIGURES = {"top1": "top-1 accuracy", "top5": "top-5 accuracy", "per_class_top1": "mean per-class top-1 accuracy"}

_WLASL = (
    "[WLASL](https://github.com/dxli94/WLASL) (Li et al., WACV 2020), under the Computational Use of Data Agreement "
    "(C-UDA) 1.0: academic and computational use only. The videos belong to their makers."
)
_OWN = "Clips of the index named below. Their terms are those of the people who made them, and hold for this model too."

_ADAPTER_USAGE = """\
from peft import PeftModel
from transformers import AutoModelForImageTextToText, AutoProcessor

processor = AutoProcessor.from_pretrained({name})
base = AutoModelForImageTextToText.from_pretrained({base}, dtype="auto")
model = PeftModel.from_pretrained(base, {name})
"""
# From the folder, not by `subfolder=`: transformers would follow the adapter_config.json above it elsewhere.
_WITH_BASE_USAGE = """\
from peft import PeftModel
from transformers import AutoModelForImageTextToText, AutoProcessor

folder = {name}
processor = AutoProcessor.from_pretrained(folder)
base = AutoModelForImageTextToText.from_pretrained(folder + "/base", dtype="auto")
model = PeftModel.from_pretrained(base, folder)
"""
_FETCHED = "from huggingface_hub import snapshot_download\n" + _WITH_BASE_USAGE.replace(
    "{name}", "snapshot_download({name})"
)
_MODEL_USAGE = """\
from transformers import AutoModelForImageTextToText, AutoProcessor

processor = AutoProcessor.from_pretrained({name})
model = AutoModelForImageTextToText.from_pretrained({name}, dtype="auto")
"""
_ASK = """\
question = [{{"type": "video", "video": frames}}, {{"type": "text", "text": {prompt}}}]
chat = [{{"role": "user", "content": question}}]
inputs = processor.apply_chat_template(
    [chat], add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
)
answer = model.generate(**inputs, max_new_tokens=16)[0, inputs["input_ids"].shape[1] :]
print(processor.decode(answer, skip_special_tokens=True))"""


_POSE_USAGE = """\
from signvlm import SignRecognizer

with SignRecognizer.from_pretrained({name}) as recognizer:
    for answer in recognizer.rank("clip.mp4", top=5):
        print(answer.gloss, answer.probability)"""


def model_card(bundle: Path, *, name: str | None = None, results: Path | None = None) -> str:
    """Returns the card as Markdown under its metadata.

    Args:
        bundle: The bundle's folder. Read where they are there: adapter_config.json (base and revision), config.yaml
            (data, prompt, frames, network), glossary.json, metrics.json (`leakage`, `hardware`, `seconds`, `merged`),
            calibration.json, base/ (whether the base comes with it).
        name: How users will name it: a repository `user/name`, or None for the folder itself.
        results: An evaluation_results.json; None takes the one that `eval` wrote for this bundle, or none: in it, or
            beside it where it is a run's `adapter`. Figures of other weights are left out, and said to be.

    Raises:
        RunError: One of those files is broken.
    """
    adapter = _json(bundle / "adapter_config.json")
    config = _yaml(bundle / "config.yaml")
    glossary = _json(bundle / "glossary.json") or []
    metrics = _json(bundle / "metrics.json")
    evaluated = _evaluated(bundle, results or (bundle.parent if bundle.name == "adapter" else bundle) / RESULTS)
    data, model, preprocess = (config.get(section) or {} for section in ("data", "model", "preprocess"))
    run = evaluated.get("run") or {}

    over_points = (bundle / POSE_WEIGHTS).is_file()
    base = str(adapter.get("base_model_name_or_path") or model.get("base") or "unknown")
    on_hub = _is_hub_id(base)
    shown_base = base if on_hub else Path(base).name
    revision = adapter.get("revision") or model.get("revision")
    wlasl, said = terms(data.get("index", ""))
    dataset = "WLASL" if wlasl else Path(str(data.get("index", "clips"))).stem
    title = name or bundle.resolve().name
    metadata = ModelCardData(
        base_model=base if on_hub and not over_points else None,
        library_name="signvlm" if over_points else "peft" if adapter else "transformers",
        pipeline_tag="video-classification" if over_points else "video-text-to-text",
        license="other",
        license_name="terms-of-data" if over_points else "terms-of-base-and-data",
        license_link="README.md",
        tags=["sign-language", "sign-language-recognition", "signvlm", *(["wlasl"] if wlasl else [])],
        metrics=["accuracy"],
        model_name=title,
        eval_results=_eval_results(evaluated, dataset) or None,
    )
    has_base = (bundle / "base").is_dir()
    with_base = _FETCHED if name and name.count("/") == 1 else _WITH_BASE_USAGE
    load = (with_base if has_base else _ADAPTER_USAGE) if adapter else _MODEL_USAGE
    usage = (_POSE_USAGE if over_points else load + _ASK).format(
        name=_quoted(name or bundle.name),
        base=_quoted(shown_base) + (f", revision={_quoted(str(revision))}" if revision and on_hub else ""),
        prompt=_quoted(str(model.get("prompt", "Which sign is this?"))),
    )
    template = markdown().get_template("card.md.j2")
    text = template.render(
        title=title,
        adapter=bool(adapter),
        over_points=over_points,
        network=(config.get("pose") or {}).get("network", "unknown"),
        weights=(metrics.get("parameters") or {}).get("total"),
        base=shown_base,
        base_on_hub=on_hub,
        has_base=has_base,
        base_link=f"https://huggingface.co/{base}" if on_hub else "#use-it",
        revision=revision,
        version=importlib.metadata.version("signvlm"),
        glossary=glossary,
        num_frames=preprocess.get("num_frames", 8),
        size=preprocess.get("size", 448),
        view=preprocess.get("view", "rgb"),
        usage=usage,
        rows=[_row(mode, figures) for mode, figures in (evaluated.get("summary") or {}).items()],
        split=evaluated.get("split", "test"),
        note=run.get("note") or data.get("note"),
        calibration=read_calibration(bundle),
        merged=metrics.get("merged"),
        chance=percent(1 / len(glossary)) if glossary else "unknown",
        terms=said,
        index=Path(str(data.get("index", "unknown"))).name,
        data_split=Path(str(data.get("split", "unknown"))).name,
        leakage=shared_between_splits(metrics.get("leakage") or run.get("leakage")),
        hardware=_hardware(metrics.get("hardware") or run.get("hardware")),
        seconds=f"{metrics['seconds'] / 60:.1f} minutes" if metrics.get("seconds") else None,
    )
    return f"---\n{metadata.to_yaml()}\n---\n\n{text}"


def terms(index: str | Path) -> tuple[bool, str]:
    """Returns whether an index is WLASL's, and the terms of its clips, as a paragraph."""
    wlasl = "wlasl" in str(index).lower()
    return wlasl, _WLASL if wlasl else _OWN


def _eval_results(evaluated: Mapping[str, Any], dataset: str) -> list[EvalResult]:
    """Returns every figure of every answering mode as the Hub's model index takes it, with its interval."""
    return [
        EvalResult(
            task_type="video-classification",
            task_name="Isolated sign recognition",
            dataset_type=dataset.lower(),
            dataset_name=dataset,
            dataset_split=evaluated["split"],
            metric_type="accuracy",
            metric_name=f"{title} ({mode})",
            metric_value=round(figures[key], 4),
            metric_args={
                "interval_95": [round(end, 4) for end in figures["intervals"].get(key) or ()],
                "clips": figures["on_disk"],
            },
        )
        for mode, figures in (evaluated.get("summary") or {}).items()
        for key, title in _FIGURES.items()
    ]


def _row(mode: str, figures: Mapping[str, Any]) -> list[str]:
    intervals = figures["intervals"]
    cells = [f"{percent(figures[key])} {bracket(intervals.get(key))}".rstrip() for key in ("top1", "top1_all", "top5")]
    return [
        f"`{mode}`",
        *cells,
        f"{percent(figures['per_class_top1'])} {bracket(intervals.get('per_class_top1'))}".rstrip(),
        str(figures["on_disk"]),
        percent(figures["coverage"]),
    ]


def shared_between_splits(figures: Mapping[str, Any] | None) -> list[str]:
    """Returns what the splits share, a sentence each, from what `data_engineering.splits.leakage` counted."""
    if not figures:
        return ["What the splits share was not measured for this card."]
    shared = figures["signers_shared"]["train-test"]
    lines = [
        f"Clips in train, validation and test: {figures['clips']['train']}, {figures['clips']['validation']} and "
        f"{figures['clips']['test']}.",
        f"Signers: {figures['signers']['train']} in train, {figures['signers']['test']} in test, {shared} in both. "
        + ("The test signers were never seen." if not shared else "So this does not measure unseen signers."),
    ]
    for key, what in (("same_cut", "cut from the same video"), ("same_file", "the identical file")):
        if figures[key]["test_in_train"]:
            lines.append(f"{figures[key]['test_in_train']} test clips have {what} in train.")
    return lines


def _hardware(chosen: Mapping[str, Any] | None) -> str | None:
    if not chosen:
        return None
    reasons = [reason for reason in chosen.get("reasons", ()) if not reason.startswith("warning:")]
    return "; ".join(reasons) or f"{chosen.get('device')}, {chosen.get('dtype')}"


def _quoted(text: str) -> str:
    """A text as Python source, in double quotes: JSON's strings are Python's."""
    return json.dumps(text, ensure_ascii=False)


def _is_hub_id(base: str) -> bool:
    try:
        validate_repo_id(base)
    except HFValidationError:
        return False
    return base.count("/") == 1 and not shipped(base).exists()


def _evaluated(bundle: Path, path: Path) -> dict[str, Any]:
    """Reads the results of a bundle; nothing where they are of other weights, as after a longer training."""
    if not path.is_file():
        return {}
    results = read_results(path)
    if results["run"].get("files") in (None, files_of(bundle)):
        return results
    note(f"{path}: its figures are of other weights, so the card goes without; run `signvlm eval` again")
    return {}


def _json(path: Path) -> Any:
    return read_json(path, "write it again with signvlm train or eval") if path.is_file() else {}


def _yaml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8")) or {}
    except YAMLError as error:
        raise RunError(f"{path}: not YAML ({' '.join(str(error).split())[:120]}); train again, or mend it") from error

"""Write docs/configuration.md from the configuration's records: their types, defaults and docstrings.

    python scripts/configuration_reference.py            # after any change of a key; commit what it wrote

A test fails while the committed file says anything else. The records are signvlm.config.Config and what it is made of.
"""

import inspect
import json
import re
from pathlib import Path
from typing import Any

from data_engineering.settings import Section
from signvlm.config import Config
from signvlm.passthrough import FIXED_TRAINING
from signvlm.vlm.beam import DEFAULTS as BEAMS

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "configuration.md"

INTRODUCTION = """\
# Configuration reference

Written by `scripts/configuration_reference.py` from the code; do not edit it.

A configuration is a YAML file of sections, given with `--config FILE`; whatever it leaves out has the default below.
`--set section.key=value` overrides a key, the value in YAML, and may be repeated; the last one wins. An unknown key or
a wrong type ends the call with status 2 before anything loads, naming the place and the nearest right key. The merged
configuration is saved as `config.yaml` beside every result, and can be given to `--config` again. Relative paths are
relative to the working directory. YAML is read as version 1.2: `1e-4` is a number, and `no` and `on` are words.

A file may hold the sections {sections}.
"""

LIBRARIES = {
    "quantization": (
        "[transformers.BitsAndBytesConfig](https://huggingface.co/docs/transformers/main_classes/quantization)",
        "`load_in_4bit` is `auto` (on CUDA with bitsandbytes), `true` (anywhere, with a warning where it is slow) or "
        "`false`. The vision tower, the projector and the head are never quantized.",
    ),
    "lora": (
        "[peft.LoraConfig](https://huggingface.co/docs/peft/package_reference/lora)",
        "Without `target_modules` every linear layer of the language model gets an adapter, and an adapter anywhere "
        "else is refused. The projector is trained in full. `null` instead of a section trains the whole language "
        "model.",
    ),
    "training": (
        "[trl.SFTConfig](https://huggingface.co/docs/trl/sft_trainer)",
        "Precision, device, workers and where TensorBoard writes are chosen by the machine unless given. "
        "These are fixed, and a file that sets them otherwise is refused: {fixed}.",
    ),
    "generation": (
        "[transformers.GenerationConfig](https://huggingface.co/docs/transformers/main_classes/text_generation)",
        "Only the two beam modes of `eval` generate. Where nothing is given: {beams}.",
    ),
}


def reference() -> str:
    """Returns the text of docs/configuration.md.

    Raises:
        ValueError: A key has no description in its record's docstring.
    """
    parts = []
    for name, field in Config.model_fields.items():
        if field.exclude:
            continue
        title = field.alias or name
        record = field.annotation
        if isinstance(record, type) and issubclass(record, Section):
            parts.append((title, _record(title, record)))
        else:
            parts.append((title, _library(title)))
    introduction = INTRODUCTION.format(sections=", ".join(f"[`{title}`](#{title})" for title, _ in parts))
    return "\n".join([introduction, *(text for _, text in parts)])


def _record(title: str, record: type[Section]) -> str:
    """A section of keys of our own, as a table."""
    summary, described = _docstring(record)
    properties = record.model_json_schema()["properties"]
    if missing := properties.keys() - described.keys():
        raise ValueError(f"{record.__name__}: {', '.join(sorted(missing))} undescribed; add to its docstring")
    rows = [
        f"| `{title}.{key}` | {_kind(told)} | {_value(told['default'])} | {_worded(described[key])} |"
        for key, told in properties.items()
    ]
    heading = [f"## {title}", "", _worded(summary), "", "| key | type | default | what |", "|---|---|---|---|"]
    return "\n".join([*heading, *rows, ""])


def _library(title: str) -> str:
    """A section that goes to a library as it stands."""
    link, told = LIBRARIES[title]
    told = told.format(fixed=_pairs(FIXED_TRAINING), beams=_pairs(BEAMS))
    return f"## {title}\n\nGoes as it stands to {link}: every key of its, by its name. {told}\n"


def _docstring(record: type[Section]) -> tuple[str, dict[str, str]]:
    """Returns what stands before `Attributes:`, and {attribute: its description}."""
    summary, _, attributes = inspect.cleandoc(record.__doc__ or "").partition("Attributes:\n")
    found = re.findall(r"^    (\w+): (.*(?:\n {8,}.*)*)", attributes, re.MULTILINE)
    return summary.strip(), {name: " ".join(text.split()) for name, text in found}


def _kind(told: dict[str, Any]) -> str:
    """Returns what JSON Schema says of a value, in words."""
    if "anyOf" in told:
        return " or ".join(map(_kind, told["anyOf"]))
    if "enum" in told:
        *words, last = (f"`{word}`" for word in told["enum"])
        return f"{', '.join(words)} or {last}"
    kind = told.get("type")
    if kind == "array":
        return f"list of {_kind(told['items'])}"
    if kind in ("integer", "number"):
        return " ".join(["whole number" if kind == "integer" else "number", *_bounds(told)])
    if kind == "string" and "maxLength" in told:
        return f"text of {told.get('minLength', 0)} to {told['maxLength']} characters"
    if "const" in told:
        return f"`{told['const']}`"
    text = "path" if told.get("format") == "path" else "text"
    return {"string": text, "boolean": "true or false", "null": "null"}.get(str(kind), "any")


def _bounds(told: dict[str, Any]) -> list[str]:
    low = [f"> {told['exclusiveMinimum']:g}"] if "exclusiveMinimum" in told else []
    low += [f"≥ {told['minimum']:g}"] if "minimum" in told else []
    high = [f"< {told['exclusiveMaximum']:g}"] if "exclusiveMaximum" in told else []
    high += [f"≤ {told['maximum']:g}"] if "maximum" in told else []
    return [", ".join(low + high)] if low or high else []


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(f"`{key}: {json.dumps(value)}`" for key, value in values.items())


def _value(value: Any) -> str:
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def _worded(text: str) -> str:
    """Python's words as YAML's, and nothing that a table would take for a column."""
    return re.sub(r"\bNone\b", "`null`", " ".join(text.split())).replace("|", "\\|")


def main() -> None:
    """Write the file."""
    REFERENCE.write_text(reference(), encoding="utf-8")
    print(f"wrote {REFERENCE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()

"""Where results are from: when, with which versions and settings, and how often their split was looked at."""

import importlib.metadata
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from data_engineering.clip import read_json
from data_engineering.errors import RunError
from signvlm.config import EvaluationSettings

PACKAGES = ("signvlm", "torch", "transformers", "trl", "peft", "datasets", "numpy", "scipy", "scikit-learn")


def times(*written: Path) -> int:
    """Counts how often a split was looked at, this time included: clips looked at often are no test any more.

    Args:
        written: The results that a look at this split leaves, those of limited runs among them.
    """
    return 1 + max(map(_looks, written))


def _looks(path: Path) -> int:
    if not path.is_file():
        return 0
    try:
        earlier = read_json(path, "")["run"].get("times", 1)
    except (RunError, KeyError, TypeError, AttributeError):
        return 0
    return earlier if isinstance(earlier, int) else 1


def provenance(settings: EvaluationSettings, limit: int | None, looks: int) -> dict[str, Any]:
    """Returns when and with what an evaluation was made, and how often its split was looked at."""
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "times": looks,
        "evaluation": {**settings.model_dump(mode="json"), "limit": limit},
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
    }


def plain(told: Any) -> Any:
    """Returns it as JSON holds it, paths as text and no infinities, so that the page shows what the file says."""
    return json.loads(json.dumps(told, default=str), parse_constant=lambda name: None)

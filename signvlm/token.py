"""The Hugging Face Hub token: where it is found; never shown."""

import os
from dataclasses import dataclass

import huggingface_hub
from dotenv import dotenv_values, find_dotenv


@dataclass(frozen=True, repr=False)
class Token:
    """A Hub token and where it was found. It has no repr, so that no log can show it by accident.

    Attributes:
        value: The token.
        source: Where it comes from, in words.
    """

    value: str
    source: str


def find_token() -> Token | None:
    """Looks for a Hub token: HF_TOKEN in the environment, then in the nearest `.env`, then huggingface_hub's login."""
    if value := os.environ.get("HF_TOKEN", "").strip():
        return Token(value, "HF_TOKEN in the environment")
    file = find_dotenv(usecwd=True)
    if value := (dotenv_values(file).get("HF_TOKEN") or "").strip() if file else "":
        return Token(value, f"HF_TOKEN in {file}")
    stored = huggingface_hub.get_token()
    return Token(stored, "the stored login of huggingface_hub") if stored else None

"""What identifies settings stays the same from version to version, or all that is stored would be made again."""

import hashlib
from pathlib import Path

from data_engineering.state import digest


def test_a_digest_tells_settings_apart():
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) != digest({"a": 1, "b": 3})


def test_a_digest_is_the_hash_of_sorted_json():
    """Names of stored features and frames hold it."""
    text = rb'{"a": [1, "\u00e9"], "b": "x"}'
    assert digest({"b": Path("x"), "a": [1, "\u00e9"]}) == hashlib.sha256(text).hexdigest()

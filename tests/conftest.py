"""What several test files share: the folder of real clips, and `tests/` itself on the import path."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_clips() -> Path:
    """The folder named by SIGNVLM_WLASL_CLIPS: clips_index.json and clips/<video_id>.mp4."""
    name = os.environ.get("SIGNVLM_WLASL_CLIPS")
    if not name:
        pytest.skip("SIGNVLM_WLASL_CLIPS does not name a folder of real clips")
    return Path(name)

"""What must hold for the tree itself: the lock without addresses, the wall between the two packages."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
STRIP = ROOT / "scripts" / "strip_lock.py"

# As uv writes it, in little: `.invalid` is a name that no server can have (RFC 2606).
WRITTEN_BY_UV = """\
version = 1
requires-python = ">=3.11"

[[package]]
name = "absl-py"
version = "2.5.1"
source = { registry = "https://a.invalid/all" }
dependencies = [
    { name = "numpy", version = "2.4.6", source = { registry = "https://a.invalid/all" }, marker = "extra == 'a'" },
]
sdist = { url = "https://b.invalid/28/absl_py-2.5.1.tar.gz", hash = "sha256:28", size = 1, upload-time = "2026-10" }
wheels = [
    { url = "https://b.invalid/72/absl_py-2.5.1-py3-none-any.whl", hash = "sha256:72", upload-time = "2026-10-09" },
    { url = "https://b.invalid/73/absl_py-2.5.1-py2-none-any.whl" },
]

[package.metadata]
requires-dist = [
    { name = "numpy", specifier = ">=1.26" },
    { name = "torch", extras = ["opt"], specifier = ">=2.4" },
]
provides-extras = ["a"]

[package.metadata.requires-dev]
dev = [
    { name = "pytest", specifier = ">=8.3" },
]
"""
STRIPPED = """\
version = 1
requires-python = ">=3.11"

[[package]]
name = "absl-py"
version = "2.5.1"
source = { registry = "simple" }
dependencies = [
    { name = "numpy", version = "2.4.6", source = { registry = "simple" }, marker = "extra == 'a'" },
]
sdist = { path = "absl_py-2.5.1.tar.gz", hash = "sha256:28" }
wheels = [
    { path = "absl_py-2.5.1-py3-none-any.whl", hash = "sha256:72" },
    { path = "absl_py-2.5.1-py2-none-any.whl" },
]

[package.metadata]
requires-dist = []
provides-extras = ["a"]

[package.metadata.requires-dev]
dev = [
    { name = "pytest", specifier = ">=8.3" },
]
"""


def git(*arguments: str) -> str:
    """What git answers in this checkout; skips the test where the tree is not one (an unpacked sdist)."""
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"not a git checkout: {done.stderr.strip()[:100]}")
    return done.stdout


def strip_lock(*arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, STRIP, *arguments], input=stdin, capture_output=True, text=True, check=False)


def test_stripping_keeps_names_versions_and_hashes_and_no_address(tmp_path):
    lock = tmp_path / "uv.lock"
    lock.write_text(WRITTEN_BY_UV)
    assert strip_lock(lock).returncode == 0
    assert lock.read_text() == STRIPPED


def test_stripping_twice_changes_nothing(tmp_path):
    lock = tmp_path / "uv.lock"
    lock.write_text(STRIPPED)
    assert strip_lock(lock).returncode == 0
    assert lock.read_text() == STRIPPED


@pytest.mark.parametrize(("text", "status"), [(WRITTEN_BY_UV, 1), (STRIPPED, 0)])
def test_the_check_changes_nothing_and_tells_the_fix(tmp_path, text, status):
    lock = tmp_path / "uv.lock"
    lock.write_text(text)
    for done in (strip_lock("--check", lock), strip_lock("--check", "-", stdin=text)):
        assert done.returncode == status
        assert ("scripts/strip_lock.py" in done.stderr) == bool(status)
    assert lock.read_text() == text


def test_the_committed_lock_is_stripped():
    staged = git("show", ":uv.lock")
    assert strip_lock("--check", "-", stdin=staged).returncode == 0
    assert 'registry = "simple"' in staged
    assert "\nrequires-dist = []\n" in staged


def test_no_committed_file_names_a_package_index():
    address = re.compile(r"https?://[^ \"']*/(simple|packages/[0-9a-f]{2}/[0-9a-f]{2})\b")
    texts = ((name, (ROOT / name).read_bytes()) for name in git("ls-files").splitlines() if name != "uv.lock")
    assert [name for name, data in texts if address.search(data.decode("utf-8", "replace"))] == []


def test_no_secret_file_is_committed():
    assert [name for name in git("ls-files").splitlines() if Path(name).name == ".env"] == []


def test_data_engineering_knows_no_model():
    """The data side must import, and run in its worker processes, without the libraries that models need."""
    forbidden = {"signvlm", "torch", "transformers", "peft", "trl", "accelerate"}
    offences = []
    for path in sorted((ROOT / "data_engineering").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            offences += [f"{path.name}: {name}" for name in names if name.split(".")[0] in forbidden]
    assert offences == []

"""What this machine has for signvlm: a line a check, and the remedy for whatever is wrong.

signvlm doctor
"""

import importlib
import importlib.metadata
import io
import platform
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from data_engineering.errors import ConfigError
from signvlm import hardware
from signvlm.config import shipped

Status = Literal["ok", "warn", "problem"]
# By the distribution's name, with Python's name for it. These hold compiled code, whose wheels can mismatch the machine
# or each other, so they are loaded; those of LISTED are plain Python, and loading them would take half a minute.
LOADED = {
    "torch": "torch",
    "torchvision": "torchvision",
    "numpy": "numpy",
    "datasets": "datasets",
    "tokenizers": "tokenizers",
    "safetensors": "safetensors",
    "decord2": "data_engineering.cpu_decord",
    "av": "av",
}
LISTED = ("transformers", "trl", "peft", "accelerate", "huggingface-hub")
OPTIONAL = {
    "bitsandbytes": "4-bit loading",
    "tensorboard": "watching a training",
    "yt-dlp": "downloading from YouTube",
}
CONFIGS = ("internvl3_5_2b.yaml", "wlasl_smoke.yaml", "demo.yaml")
GIB = 1024**3
MEMORY = 8 * GIB  # bytes; 2.3 G parameters take 4.4 GiB in half precision, and loading needs room beside them
DISK = 20 * GIB  # bytes; that base, adapters, WLASL100 (2,038 clips) and its frames (8 x 448 x 448 x 3 bytes: 9.1 GiB)
TINY_FRAMES = 25


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: What.
        status: `problem` stops something that every run needs; `warn` narrows what can be done.
        found: What there is.
        remedy: What to do; empty where nothing is wrong.
    """

    name: str
    status: Status
    found: str
    remedy: str = ""


@dataclass(frozen=True)
class Report:
    """All checks.

    Attributes:
        checks: In the order in which they are shown.
    """

    checks: tuple[Check, ...]

    @property
    def exit_status(self) -> int:
        """1 where something that every run needs is broken, else 0."""
        return int(any(check.status == "problem" for check in self.checks))

    def __str__(self) -> str:
        """Returns a line a check, each remedy under its own."""
        width = max(len(check.name) for check in self.checks)
        lines = []
        for check in self.checks:
            lines.append(f"{check.status:<7}  {check.name:<{width}}  {check.found}")
            if check.remedy:
                lines.append(f"{'':7}  {'':{width}}  -> {check.remedy}")
        return "\n".join(lines)


def doctor(
    root: Path,
    *,
    device: str = "auto",
    dtype: str = "auto",
    load_in_4bit: bool | Literal["auto"] = "auto",
    workers: int | None = None,
) -> Report:
    """Looks at everything a run needs.

    Args:
        root: The data root, whose disk is looked at; it need not exist yet.
        device: As in the configuration, and so are the next three.
        dtype: See `hardware.select`.
        load_in_4bit: See `hardware.select`.
        workers: See `hardware.select`.
    """
    checks = list(_versions())
    broken = {check.name for check in checks if check.status == "problem"}
    if "torch" not in broken:
        checks += _hardware(device, dtype, load_in_4bit, workers)
    checks += [_memory(), _disk(root)]
    if "av" not in broken:
        checks.append(_h264())
    if not broken & {"av", "decord2"}:
        checks.append(_decord())
    if "huggingface-hub" not in broken:
        checks.append(_token())
    return Report((*checks, _configs()))


def _versions() -> Iterable[Check]:
    yield Check("python", "ok", f"{platform.python_version()}, {platform.platform()}")
    for name, module in LOADED.items():
        try:
            importlib.import_module(module)
        # A wheel for another torch, CUDA or numpy raises what it likes while it is loaded.
        except Exception as error:
            found = f"cannot be loaded ({type(error).__name__}: {_one_line(error)})"
            yield Check(name, "problem", found, f"uv sync --reinstall-package {name}")
        else:
            yield Check(name, "ok", importlib.metadata.version(name))
    for name in (*LISTED, *OPTIONAL):
        try:
            yield Check(name, "ok", importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            without = f": no {OPTIONAL[name]}" if name in OPTIONAL else ""
            yield Check(name, "warn" if without else "problem", f"not installed{without}", "uv sync")


def _hardware(device: str, dtype: str, load_in_4bit: bool | Literal["auto"], workers: int | None) -> Iterable[Check]:
    try:
        chosen = hardware.select(device, dtype, load_in_4bit, workers)
    except ConfigError as error:
        key, _, rest = str(error).partition(": ")
        reason, _, remedy = rest.partition("; ")
        yield Check("device", "problem", f"{key}: {reason}", remedy)
        return
    for reason in chosen.reasons:
        name, _, found = reason.partition(": ")
        if name == "warning":
            yield Check("device", "warn", found, "set the key back to auto")
        else:
            yield Check(name, "ok", found)
    if chosen.device == "cpu":
        yield Check(
            "training",
            "warn",
            "without an accelerator only the tiny bases train in useful time",
            "for a 2B base use a machine with a CUDA card; check nvidia-smi if this is one",
        )
    if chosen.device == "cuda":
        import torch

        free, total = torch.cuda.mem_get_info()
        yield Check("GPU memory", "ok", f"{free / GIB:.1f} of {total / GIB:.1f} GiB free")


def _memory() -> Check:
    memory = psutil.virtual_memory()
    found = f"{memory.available / GIB:.1f} of {memory.total / GIB:.1f} GiB free"
    if memory.available < MEMORY:
        return Check(
            "memory", "warn", found, f"a 2B base wants {MEMORY // GIB} GiB free; close programs, or use a tiny base"
        )
    return Check("memory", "ok", found)


def _disk(root: Path) -> Check:
    there = next(folder for folder in (root.absolute(), *root.absolute().parents) if folder.exists())
    free = shutil.disk_usage(there).free
    found = f"{free / GIB:.1f} GiB free at {there}"
    if free < DISK:
        return Check(
            "disk", "warn", found, f"a 2B run on WLASL100 wants {DISK // GIB} GiB; set data.root to a larger disk"
        )
    return Check("disk", "ok", found)


def _h264() -> Check:
    """Encodes and decodes a second of ever lighter grey: the proof that clips can be written and read here."""
    import av

    try:
        with av.open(io.BytesIO(_tiny_clip()), "r") as container:
            frames = len(list(container.decode(video=0)))
    except (av.FFmpegError, ValueError) as error:
        return Check("h264 (PyAV)", "problem", _one_line(error), "uv sync --reinstall-package av")
    return _decoded("h264 (PyAV)", frames, "av")


def _decord() -> Check:
    """Decodes the same with decord, the reader that clips go through first."""
    from data_engineering.cpu_decord import decord

    try:
        frames = len(decord.VideoReader(io.BytesIO(_tiny_clip())).get_batch(range(TINY_FRAMES)).asnumpy())
    # decord has an error class of its own (decord._ffi.base.DECORDError) and raises RuntimeError and others besides.
    except Exception as error:
        return Check("h264 (decord)", "problem", _one_line(error), "uv sync --reinstall-package decord2")
    return _decoded("h264 (decord)", frames, "decord2")


def _tiny_clip() -> bytes:
    """Returns an h264 mp4 of 25 frames, 64 x 64 pixels, made here."""
    import av
    import numpy as np

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=TINY_FRAMES)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for number in range(TINY_FRAMES):
            picture = np.full((64, 64, 3), 10 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return file.getvalue()


def _decoded(name: str, frames: int, package: str) -> Check:
    if frames != TINY_FRAMES:
        found = f"{frames} of {TINY_FRAMES} frames came back"
        return Check(name, "problem", found, f"uv sync --reinstall-package {package}")
    return Check(name, "ok", f"encoded and decoded {frames} frames")


def _token() -> Check:
    from signvlm.token import find_token

    token = find_token()
    if token is None:
        remedy = "only push and gated bases need one: put HF_TOKEN into .env (see .env.example)"
        return Check("Hub token", "warn", "none", remedy)
    return Check("Hub token", "ok", f"present: {token.source}")


def _configs() -> Check:
    missing = [name for name in CONFIGS if not shipped(f"params/{name}").is_file()]
    if missing:
        return Check(
            "configurations", "problem", f"not found: {', '.join(missing)}", "uv sync --reinstall-package signvlm"
        )
    return Check("configurations", "ok", ", ".join(CONFIGS))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__

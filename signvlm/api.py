"""The recogniser for Python programs: load once, rank clips, close."""

import gc
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Literal

import numpy as np
import torch

from data_engineering.errors import RunError
from signvlm.config import load
from signvlm.console import silence
from signvlm.fetch import find_checkpoint
from signvlm.loading import Loaded, load_recognizer
from signvlm.predict import Prediction, RankedGloss, predict


class SignRecognizer:
    """Names the sign in a clip: one isolated sign in, the glosses of a glossary out, the likeliest first.

    A clip is a video file, an image (a sign that stands still), a folder of images (its frames, in natural order), or
    a uint8 array (T, H, W, 3): T RGB frames of one size, evenly spaced in time, whatever their rate. A sign should fill
    the clip; black ends of a video are cut.

    One object serves one thread at a time. Loading takes seconds and holds the model in memory until `close`.

    Examples:
        >>> from signvlm import SignRecognizer
        >>> with SignRecognizer.from_pretrained("my-adapter") as recognizer:
        ...     best = recognizer.rank("hello.mp4")[0]
        >>> best.gloss in recognizer.glossary, 0 <= best.probability <= 1
        (True, True)
    """

    def __init__(self, loaded: Loaded) -> None:
        """Takes what `signvlm.loading.load_recognizer` loaded; `from_pretrained` is the usual way."""
        self._loaded: Loaded | None = loaded
        self._glossary = loaded.recognizer.glossary

    @classmethod
    def from_pretrained(
        cls,
        path_or_repo: str | Path,
        *,
        revision: str | None = None,
        token: str | None = None,
        device: Literal["auto", "cuda", "directml", "mps", "cpu"] = "auto",
        dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto",
        load_in_4bit: Literal["auto", True, False] | None = None,
    ) -> "SignRecognizer":
        """Loads an adapter bundle or a merged model, with its base.

        Args:
            path_or_repo: A folder, or `user/name` on the Hub: fetched into the Hub's cache, without any pickle.
            revision: A branch, tag or commit of the repository.
            token: A Hub token for a private repository; None looks for HF_TOKEN in the environment and `.env`.
            device: Where it runs; `auto` takes the best there is.
            dtype: What it computes in; `auto` takes half precision on CUDA, float32 elsewhere.
            load_in_4bit: Whether the base's weights are quantized; None as the bundle's own configuration says.

        Raises:
            ConfigError: The folder or repository is no bundle, or its adapter does not fit the base.
            RunError: The repository or the base cannot be fetched.
        """
        found = find_checkpoint(path_or_repo, revision=revision, token=token)
        overrides = [*found.overrides, f"model.device={device}", f"model.dtype={dtype}"]
        if load_in_4bit is not None:
            overrides.append(f"quantization.load_in_4bit={str(load_in_4bit).lower()}")
        with silence():
            # Where there is no configuration to read, load_recognizer says what the folder lacks.
            own = found.folder / "config.yaml"
            config = load(own, overrides) if own.is_file() else load(overrides=overrides)
            return cls(load_recognizer(config, found.folder))

    @property
    def glossary(self) -> tuple[str, ...]:
        """The glosses that it knows."""
        return self._glossary

    @property
    def device(self) -> str:
        """Where it runs: `cuda`, `directml`, `mps` or `cpu`."""
        return self._open().hardware.device

    @property
    def calibrated(self) -> bool:
        """Whether probabilities are calibrated: a temperature was fitted on held-out clips."""
        return self._open().calibration is not None

    def rank(self, clip: str | Path | np.ndarray, *, top: int | None = None) -> tuple[RankedGloss, ...]:
        """Ranks the glossary for one clip.

        Args:
            clip: A file, a folder of frames, or a uint8 array (T, H, W, 3), RGB.
            top: How many glosses; None for all.

        Returns:
            The likeliest glosses, best first: `.gloss`, `.log_prob` (natural logarithm, not normalised over the
            glossary) and `.probability` (0 to 1; over the whole glossary they sum to 1).

        Raises:
            RunError: The file is no clip; the message has the reason and the remedy.
            ValueError: The array has another type or shape, `top` is below 1, or the recogniser is closed.

        Examples:
            >>> import numpy as np
            >>> frames = np.zeros((30, 240, 320, 3), np.uint8)
            >>> len(recognizer.rank(frames, top=2))
            2
            >>> round(sum(answer.probability for answer in recognizer.rank("hello.mp4")), 6)
            1.0
            >>> recognizer.rank("notes.txt")
            Traceback (most recent call last):
            data_engineering.errors.RunError: notes.txt: not_video: ...
        """
        [prediction] = self.rank_many([clip], top=top)
        if prediction.error is not None:
            raise RunError(f"{prediction.clip}: {prediction.error}; {prediction.remedy}")
        return prediction.answers

    def rank_many(
        self, clips: Iterable[str | Path | np.ndarray], *, batch_size: int = 8, top: int | None = None
    ) -> Iterator[Prediction]:
        """Ranks the glossary for many clips, as they come; the iterable is read a batch ahead, never whole.

        Args:
            clips: What `rank` takes.
            batch_size: Clips that run through the model together: more are faster on a GPU and need more memory.
            top: How many glosses a clip; None for all.

        Yields:
            A `Prediction` a clip, in order. What is no clip has `.error` and `.remedy` instead of `.answers`, and the
            rest goes on.

        Raises:
            ValueError: An array has another type or shape, a number is below 1, or the recogniser is closed.

        Examples:
            >>> for prediction in recognizer.rank_many(["hello.mp4", "notes.txt"], top=1):
            ...     print(prediction.clip, len(prediction.answers), prediction.error is None)
            hello.mp4 1 True
            notes.txt 0 False
        """
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, this is {batch_size}")
        if top is not None and top < 1:
            raise ValueError(f"top must be at least 1 or None, this is {top}")
        loaded = self._open()
        given = (clip if isinstance(clip, np.ndarray) else Path(clip) for clip in clips)
        return predict(
            loaded.recognizer,
            loaded.config,
            given,
            top,
            batch_size=batch_size,
            temperature=loaded.temperature,
            reader=loaded.reader,
        )

    def close(self) -> None:
        """Frees the model's memory, the GPU's too, and ends extraction; closing twice does nothing."""
        if self._loaded is not None:
            self._loaded.reader.close()
        self._loaded = None
        gc.collect()  # a model's modules refer to one another
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def __enter__(self) -> "SignRecognizer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> Loaded:
        if self._loaded is None:
            raise ValueError("the recogniser is closed; load it again with SignRecognizer.from_pretrained")
        return self._loaded

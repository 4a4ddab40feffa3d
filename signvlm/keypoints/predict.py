"""`signvlm keypoints predict`: the key points of images, as data, and drawn over them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from data_engineering.errors import ConfigError
from data_engineering.keypoints import KEYPOINTS
from signvlm.hardware import Hardware
from signvlm.keypoints.batches import as_input
from signvlm.keypoints.checkpoint import Loaded
from signvlm.keypoints.device import Precision, on, placed
from signvlm.keypoints.heatmaps import decode
from signvlm.keypoints.images import letterbox, read_image
from signvlm.keypoints.labels import SUFFIXES


class Finder:
    """A detector ready for use.

    Args:
        loaded: The detector.
        hardware: Where it computes.
    """

    def __init__(self, loaded: Loaded, hardware: Hardware) -> None:
        self._detector = placed(loaded.detector, hardware)
        self._device = on(hardware)
        self._precision = Precision(hardware)
        self._size = loaded.size

    def find(self, image: np.ndarray) -> np.ndarray:
        """Finds the key points of the person in an image.

        Args:
            image: uint8 (height, width, 3) RGB.

        Returns:
            float32 (64, 3): x, y in pixels of the image, and a score in 0..1, low where the point is not seen.
        """
        square, fit = letterbox(image, self._size)
        with torch.inference_mode(), self._precision.autocast():
            points = decode(self._detector(as_input(torch.from_numpy(square)[None], self._device)))[0]
        return fit.back(points.cpu().numpy())


@dataclass(frozen=True, eq=False)
class Found:
    """What was found in an image.

    Attributes:
        path: The image.
        image: uint8 (height, width, 3) RGB; None where it could not be read.
        points: float32 (64, 3), pixels of the image and score; None likewise.
        error: Why it could not be read.
    """

    path: Path
    image: np.ndarray | None = None
    points: np.ndarray | None = None
    error: str | None = None

    def record(self, threshold: float) -> dict[str, Any]:
        """Returns it as a label file has it, with the scores; `visible` is 1 from the threshold on."""
        if self.points is None or self.image is None:
            return {"image": str(self.path), "error": self.error}
        height, width = self.image.shape[:2]
        named = [
            {
                "name": name,
                "x": round(float(x), 2),
                "y": round(float(y), 2),
                "visible": int(score >= threshold),
                "score": round(float(score), 4),
            }
            for name, (x, y, score) in zip(KEYPOINTS, self.points, strict=True)
        ]
        return {"image": str(self.path), "width": width, "height": height, "keypoints": named}

    def line(self, threshold: float) -> str:
        """Returns it as one line."""
        if self.points is None:
            return f"{self.path}: {self.error}"
        seen = self.points[:, 2] >= threshold
        mean = self.points[seen, 2].mean() if seen.any() else 0.0
        return f"{self.path}: {int(seen.sum())} of {len(seen)} points seen, mean score {mean:.2f}"


def predict(finder: Finder, paths: Sequence[Path]) -> Iterator[Found]:
    """Yields what is found in images, one by one."""
    for path in paths:
        try:
            image = read_image(path)
        except ValueError as error:
            yield Found(path, error=str(error))
            continue
        yield Found(path, image, finder.find(image))


def find_images(paths: Sequence[Path]) -> list[Path]:
    """Returns the images named, and those in the folders named, in the order of their names.

    Raises:
        ConfigError: Nothing of that name is there, or a folder holds no image.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(each for each in path.iterdir() if each.suffix.lower() in SUFFIXES)
            if not inside:
                raise ConfigError(f"{path}: holds no {', '.join(SUFFIXES)}; name images or a folder of them")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise ConfigError(f"{path}: is not there; name images or a folder of them")
    return found

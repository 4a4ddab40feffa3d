"""The configuration sections that belong to data: `data`, `download`, `validate`, `preprocess`.

Frozen records; an unknown key or a wrong type is refused when they are built. `signvlm.config` composes them with the
model's sections and reads the YAML.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[int, Field(gt=0, strict=True)]  # strict: `true` is no number
Seconds = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """A frozen configuration section that refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DataSettings(Section):
    """Which clips: where they lie, which index describes them, which glosses and which split.

    Attributes:
        root: The data root; everything the stages write lies below it.
        index: A WLASL-shaped index (JSON). Its terms are its authors'.
        glossary: None for every gloss of the index, `core`, `first-K`, or a file: one gloss a line, or a YAML list.
        split: `official` (the index's own), `signer` (no signer on two sides), `gloss` (70/15/15 within each gloss),
            or a JSON file {video_id: train | validation | test}.
        seed: Seeds the splits drawn here.
        note: A sentence that every reader of a result must see, such as what the clips are.
        phonology: A YAML or JSON file {gloss: {parameter: value}}, for reports by parameter and minimal pairs; None
            leaves them out.
    """

    root: Path = Path("data/wlasl")
    index: Path = Path("data/wlasl/WLASL_v0.3.json")
    glossary: str | None = None
    split: str = "official"
    seed: int = 0
    note: str | None = None
    phonology: Path | None = None


class DownloadSettings(Section):
    """How politely clips are fetched.

    Attributes:
        limit: At most this many clips are attempted; None for all.
        only_hosts: Ask these hosts alone (`youtube`, `www.handspeak.com`, or `handspeak.com` for all below it); empty
            for all.
        timeout: Seconds without a byte before an attempt is given up.
        retries: Further attempts after a failure that may pass (429, 5xx, a broken connection).
        pause: Seconds between two requests to one host.
        youtube_pause: Seconds between two videos of YouTube, which lets a guest have about 300 an hour.
        backoff: Seconds before the first retry; each further one waits twice as long.
        max_bytes: A larger body is refused, in bytes.
        allow_hosts: Host names that may resolve to private or loopback addresses (a lab's own mirror).
        cookies: A cookies.txt for yt-dlp, for hosts that ask for a login.
    """

    limit: Positive | None = None
    only_hosts: tuple[str, ...] = ()
    timeout: Seconds = 30.0
    retries: Annotated[int, Field(ge=0)] = 3
    pause: Annotated[float, Field(ge=0)] = 1.0
    youtube_pause: Annotated[float, Field(ge=0)] = 10.0
    backoff: Annotated[float, Field(ge=0)] = 2.0
    max_bytes: Positive = 500_000_000
    allow_hosts: tuple[str, ...] = ()
    cookies: Path | None = None


class ValidateSettings(Section):
    """Limits on one clip's decode; a clip beyond them is quarantined with the reason.

    Attributes:
        workers: Worker processes; None for one a core.
        timeout: Seconds that one clip may take before its process is killed.
        max_bytes: Largest file, in bytes.
        max_pixels: Largest frame, width x height in pixels.
        max_frames: Longest kept range, in frames of the file.
        max_memory: Address space of a worker process, in bytes (where the platform can limit it).
        min_frames: Shortest kept range, in frames of the file.
    """

    workers: Positive | None = None
    timeout: Seconds = 60.0
    max_bytes: Positive = 2_000_000_000
    max_pixels: Positive = 3840 * 2160
    max_frames: Positive = 20_000
    max_memory: Positive = 8 * 1024**3
    min_frames: Positive = 2


class PreprocessSettings(Section):
    """What a model is shown of a clip.

    Attributes:
        view: `rgb` shows the film, `skeleton` drawings of the key points that `signvlm pose` found in it,
            `rgb+skeleton` the film's frames and after them as many drawings.
        num_frames: Frames of the film the model sees, sampled at the centres of equal segments of the kept range; of
            drawings as many, of the segment in which somebody signs.
        stored_frames: Frames stored a clip (>= num_frames), so that training can jitter; None for num_frames. Only with
            the view `rgb`: where there are drawings, training varies the key points instead.
        size: Side of the square frames, in pixels.
        crop: `bbox` crops to the index's box of the signer grown by `margin`, or, where there is none or one over nine
            tenths of the frame, to what moves: head and hands. `motion` always takes what moves, `full` pads the whole
            frame to a square.
        margin: Growth of the box on each side, as a fraction of its longer side, as far as the frame reaches: a margin
            never adds black bars.
        cut_black: Cut black frames at both ends.
        workers: Worker processes; None for one a core.
    """

    view: Literal["rgb", "skeleton", "rgb+skeleton"] = "rgb"
    num_frames: Positive = 8
    stored_frames: Positive | None = None
    size: Annotated[int, Field(ge=16, le=2048)] = 448
    crop: Literal["bbox", "motion", "full"] = "bbox"
    margin: Fraction = 0.2
    cut_black: bool = True
    workers: Positive | None = None

    @property
    def films(self) -> bool:
        """Whether a model sees the film."""
        return self.view != "skeleton"

    @property
    def draws(self) -> bool:
        """Whether a model sees drawings of key points."""
        return self.view != "rgb"

    @property
    def shown_frames(self) -> int:
        """How many frames a model sees of a clip, film and drawings together."""
        return self.num_frames * (self.films + self.draws)

"""An invented signer: body, looks, habits, and the camera in front of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from data_engineering.synthetic.hand import Array

Color = tuple[int, int, int]
Item = TypeVar("Item")

SKIN: tuple[Color, ...] = (
    (252, 220, 196), (242, 201, 168), (230, 182, 142), (212, 160, 118), (188, 134, 94), (158, 106, 70),
    (126, 82, 54), (96, 62, 44), (70, 46, 36),
)  # fmt: skip
HAIR: tuple[Color, ...] = (
    (28, 24, 24), (48, 34, 28), (82, 54, 36), (120, 78, 44), (176, 130, 76), (212, 178, 122), (140, 62, 36),
    (150, 148, 148),
)  # fmt: skip
CLOTH: tuple[Color, ...] = (
    (34, 40, 58), (44, 62, 92), (30, 84, 92), (38, 92, 66), (116, 40, 54), (92, 56, 112), (58, 60, 66), (26, 28, 32),
    (186, 96, 62), (196, 160, 74), (120, 148, 176), (170, 186, 170), (226, 222, 212), (86, 112, 150), (150, 60, 92),
)  # fmt: skip
WALL: tuple[Color, ...] = (
    (206, 212, 216), (178, 194, 206), (214, 204, 190), (120, 142, 160), (84, 104, 124), (188, 200, 184),
    (150, 136, 150), (232, 230, 226), (64, 70, 82), (104, 132, 122), (196, 176, 160), (44, 82, 140), (60, 132, 80),
)  # fmt: skip
# Of the darker skins.
DARK_HAIR: tuple[Color, ...] = ((24, 21, 22), (36, 28, 26), (52, 38, 32), (74, 48, 36), (132, 130, 130))
HAIR_STYLES = ("short", "bob", "long", "bun", "curly", "bald", "parted", "ponytail")
GARMENTS = ("plain", "plain", "buttons", "cardigan")
BACKGROUNDS = ("plain", "gradient", "curtain", "room", "shelf", "bokeh")
FRAME_RATES = (15, 15, 24, 24, 24, 25, 25, 25, 25, 25, 30, 30, 30, 30, 30, 30, 30, 30, 30, 60)


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs, and how they are filmed. Sizes are factors of the standard body, angles degrees, colours RGB.

    Attributes:
        right_handed: Whether the dominant hand is the right one.
        head: Size of the head. `hand`, `arm` and `torso` likewise.
        hand: See `head`.
        arm: See `head`.
        torso: Width of the trunk.
        girth: Thickness of neck and arms.
        skin: Skin tone.
        hair: Hair colour.
        hair_style: One of `HAIR_STYLES`.
        beard: Whether they have one.
        glasses: Whether they wear any.
        lips: How much redder than the skin the lips are (0..1).
        cloth: Colour of the shirt.
        sleeve: Where the sleeve ends (0 shoulder, 1 elbow, 2 wrist).
        neckline: Depth of the neckline (shoulder widths).
        garment: One of `GARMENTS`.
        amplitude: Size of movements.
        speed: Pace.
        rest: Where the hands rest (own-side x, y, z in shoulder widths).
        habit: Constant offset of signs made in free space (x, y, z in shoulder widths).
        background: One of `BACKGROUNDS`; `wall` is its colour.
        wall: See `background`.
        light: Red, green and blue gain.
        light_angle: Where the light comes from; 0 is above, positive from the picture's right.
        yaw: Turn of the body; `roll` turns the camera.
        roll: See `yaw`.
        zoom: Size in the frame (1: head to waist fill it).
        shift: Where they stand, in frame heights (x, y).
        shake: Camera jitter (frame heights, standard deviation).
        noise: Sensor noise (grey levels of 255, standard deviation at 448 px).
        exposure: Shutter time in seconds: motion blur.
        fps: Frames a second of their camera.
        crf: x264's constant rate factor.
        width: Frame width in pixels.
        height: Frame height in pixels.
        look: Seeds the details of hair and background.
    """

    right_handed: bool
    head: float
    hand: float
    arm: float
    torso: float
    girth: float
    skin: Color
    hair: Color
    hair_style: str
    beard: bool
    glasses: bool
    lips: float
    cloth: Color
    sleeve: float
    neckline: float
    garment: str
    amplitude: float
    speed: float
    rest: tuple[float, float, float]
    habit: tuple[float, float, float]
    background: str
    wall: Color
    light: tuple[float, float, float]
    light_angle: float
    yaw: float
    roll: float
    zoom: float
    shift: tuple[float, float]
    shake: float
    noise: float
    exposure: float
    fps: int
    crf: int
    width: int
    height: int
    look: int

    @classmethod
    def sample(cls, rng: np.random.Generator) -> "Signer":
        """Draws a signer."""
        skin = _near(_pick(rng, SKIN), rng, 1.5, rng.uniform(0.93, 1.04))
        cloth = _contrasting(rng, CLOTH, skin, 55)
        warmth = rng.uniform(-0.06, 0.06)
        gain = rng.uniform(0.82, 1.12)
        width, height = _pick(rng, ((320, 240), (320, 240), (384, 288), (352, 288), (426, 320), (320, 320)))
        style = _pick(rng, HAIR_STYLES)
        return cls(
            right_handed=bool(rng.random() >= 0.12),
            head=rng.uniform(1.06, 1.2),
            hand=rng.uniform(0.98, 1.18),
            arm=rng.uniform(0.96, 1.06),
            torso=rng.uniform(0.88, 1.12),
            girth=rng.uniform(0.86, 1.18),
            skin=skin,
            hair=_near(_pick(rng, HAIR if luminance(skin) > 150 else DARK_HAIR), rng, 6),
            hair_style=style,
            beard=bool(style in ("short", "bald", "parted") and rng.random() < 0.4),
            glasses=bool(rng.random() < 0.2),
            lips=rng.uniform(0.15, 0.6),
            cloth=_near(cloth, rng, 8),
            sleeve=float(_pick(rng, (0.55, 0.62, 1.35, 1.95, 1.95))),
            neckline=rng.uniform(0.03, 0.15),
            garment=_pick(rng, GARMENTS),
            amplitude=rng.uniform(0.75, 1.3),
            speed=rng.uniform(0.75, 1.35),
            rest=(rng.uniform(0.48, 0.66), rng.uniform(1.12, 1.24), rng.uniform(0.14, 0.26)),
            habit=(rng.uniform(-0.05, 0.06), rng.uniform(-0.07, 0.07), rng.uniform(-0.04, 0.04)),
            background=_pick(rng, BACKGROUNDS),
            wall=_near(_contrasting(rng, WALL, skin, 28), rng, 10),
            light=(gain * (1 + warmth), gain, gain * (1 - warmth)),
            light_angle=rng.uniform(-55, 55),
            yaw=rng.uniform(-12, 12),
            roll=rng.uniform(-2.5, 2.5),
            zoom=rng.uniform(0.93, 1.07),
            shift=(rng.uniform(-0.06, 0.06), rng.uniform(-0.02, 0.03)),
            shake=float(_pick(rng, (0.0, 0.0, 0.0015))),
            noise=rng.uniform(0.3, 3.5),
            exposure=rng.uniform(0.004, 0.02),
            fps=int(_pick(rng, FRAME_RATES)),
            crf=int(rng.integers(18, 39)),
            width=width,
            height=height,
            look=int(rng.integers(2**31)),
        )


def _pick(rng: np.random.Generator, options: Sequence[Item]) -> Item:
    return options[int(rng.integers(len(options)))]


def luminance(color: Array | Color) -> float:
    """Returns a colour's luma (ITU-R BT.601), 0..255."""
    return 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2]


def _contrasting(rng: np.random.Generator, colors: tuple[Color, ...], skin: Color, distance: float) -> Color:
    """Draws a colour against which hands of this skin stand out."""
    apart = [
        color
        for color in colors
        if np.abs(np.subtract(color, skin)).max() >= distance and abs(luminance(color) - luminance(skin)) > 25
    ]
    return apart[int(rng.integers(len(apart)))]


def _near(color: Color, rng: np.random.Generator, spread: float, gain: float = 1.0) -> Color:
    red, green, blue = (int(np.clip(value * gain + rng.normal(0, spread), 8, 255)) for value in color)
    return red, green, blue

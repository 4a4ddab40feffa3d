"""The configuration section `keypoints`."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from data_engineering.settings import Fraction, Positive, Section

STRIDE = 4
"""Pixels of the input a cell of the heatmaps."""


class VariationSettings(Section):
    """Changes to training images, one draw an image.

    Attributes:
        scale: The person's size is multiplied by a factor from 1 - this to 1 + this.
        rotation: Turned by up to so many degrees either way.
        shift: Moved by up to this share of the side either way, across and down.
        color: Brightness and each colour are multiplied by 1 ± this, contrast and saturation likewise.
        mirror: Share of images that are mirrored, their left and right points exchanged.
    """

    scale: Annotated[float, Field(ge=0, lt=1)] = 0.25
    rotation: Annotated[float, Field(ge=0, le=180)] = 15.0
    shift: Annotated[float, Field(ge=0, le=0.5)] = 0.06
    color: Annotated[float, Field(ge=0, le=0.9)] = 0.2
    mirror: Fraction = 0.5


class KeypointSettings(Section):
    """The key-point detector and its training. Its images and labels lie in `data.root`.

    Attributes:
        network: What computes the features: torchvision's `mobilenet_v3_small` or `resnet18`, from random weights.
        head_channels: Channels of the three deconvolutions behind it.
        size: Side of the square that an image is fitted into, pixels; heatmaps have a quarter of it.
        sigma: Standard deviation of the heatmaps' Gaussians, in cells of the heatmaps.
        steps: Optimizer steps; the learning rate falls to nothing over them.
        half_size: Share of the steps, the first ones, that take the images at half the size: four times as fast, and
            the network learns most of it there.
        batch_size: Images a step.
        learning_rate: AdamW's, at its highest.
        weight_decay: AdamW's.
        warmup: Share of the steps over which the learning rate rises.
        evaluate_every: Steps between two looks at the held-out images; the state to resume from is written then.
        watched: How many held-out images these looks take, a seeded draw; the last takes all. None for all.
        seed: Draws the split, the weights, the batches and their variations.
        variation: Changes to training images.
    """

    network: Literal["mobilenet_v3_small", "resnet18"] = "mobilenet_v3_small"
    head_channels: Positive = 64
    size: Annotated[int, Field(ge=128, le=2048)] = 512
    sigma: Annotated[float, Field(gt=0, le=16)] = 2.0
    steps: Positive = 4000
    half_size: Fraction = 0.6
    batch_size: Annotated[int, Field(ge=2, strict=True)] = 16
    learning_rate: Annotated[float, Field(gt=0)] = 2e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    warmup: Fraction = 0.05
    evaluate_every: Positive = 250
    watched: Positive | None = 200
    seed: int = 0
    variation: VariationSettings = VariationSettings()

    @field_validator("size")
    @classmethod
    def _whole_cells(cls, size: int) -> int:
        if size % 64:
            raise ValueError("should be a multiple of 64: the networks halve it five times, and half of it")
        return size

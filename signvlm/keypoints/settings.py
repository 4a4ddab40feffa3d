"""The configuration section `keypoints`."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from data_engineering.settings import Fraction, Positive, Section

STRIDE = 4
"""Pixels of the input a cell of the heatmaps."""


class KeypointSettings(Section):
    """The key-point detector and its training. Its images and labels lie in `data.root`.

    Attributes:
        network: What computes the features: torchvision's `mobilenet_v3_small` or `resnet18`, from random weights.
        head_channels: Channels of the three deconvolutions behind it.
        size: Side of the square that an image is fitted into, pixels; heatmaps have a quarter of it.
        sigma: Standard deviation of the heatmaps' Gaussians, in cells of the heatmaps; at a smaller size they are
            smaller with the image, down to one cell.
        steps: Optimizer steps.
        quarter_size: Share of the steps, the first ones, that take the images at a quarter of the size: sixteen times
            as fast, and where a body's parts are is learned there.
        half_size: Share of the steps, the next ones, that take them at half the size.
        batch_size: Images a step.
        learning_rate: AdamW's, at its highest; it falls to nothing over the steps at each size.
        weight_decay: AdamW's.
        warmup: Share of the steps at each size over which the learning rate rises.
        evaluate_every: Steps between two looks at the held-out images; the state to resume from is written then.
        watched: How many held-out images these looks take, a seeded draw; None for all. The detector that is kept is
            measured on all of them at the end.
        seed: Draws the split, the weights, the batches and their variations.
        scale: A training image is enlarged by a factor drawn from 1 - this to 1 + this; so are the next ones drawn, one
            draw an image.
        rotation: Turned by up to so many degrees either way.
        shift: Moved by up to this share of the side either way, across and down.
        color: Brightness, contrast, saturation and half as much each colour, multiplied by 1 ± this.
        mirror: Share of training images that are mirrored, their left and right points exchanged.
    """

    network: Literal["mobilenet_v3_small", "resnet18"] = "mobilenet_v3_small"
    head_channels: Positive = 64
    size: Annotated[int, Field(ge=128, le=2048)] = 512
    sigma: Annotated[float, Field(gt=0, le=16)] = 2.0
    steps: Positive = 4000
    quarter_size: Fraction = 0.35
    half_size: Fraction = 0.5
    batch_size: Annotated[int, Field(ge=2, strict=True)] = 8
    learning_rate: Annotated[float, Field(gt=0)] = 3e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    warmup: Fraction = 0.05
    evaluate_every: Positive = 250
    watched: Positive | None = 200
    seed: int = 0
    scale: Annotated[float, Field(ge=0, lt=1)] = 0.15
    rotation: Annotated[float, Field(ge=0, le=180)] = 10.0
    shift: Annotated[float, Field(ge=0, le=0.5)] = 0.05
    color: Annotated[float, Field(ge=0, le=0.9)] = 0.2
    mirror: Fraction = 0.5

    @field_validator("size")
    @classmethod
    def _whole_cells(cls, size: int) -> int:
        if size % 128:
            raise ValueError("should be a multiple of 128: the networks halve it five times, and a quarter of it")
        return size

    @model_validator(mode="after")
    def _shares_of_one_whole(self) -> "KeypointSettings":
        if self.quarter_size + self.half_size > 1:
            raise ValueError("quarter_size and half_size are shares of the steps and should be 1 together at most")
        return self

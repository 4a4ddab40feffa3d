"""The detector's network: a small image classifier's features, and three deconvolutions up to heatmaps.

After Xiao et al. 2018, "Simple Baselines for Human Pose Estimation and Tracking" (ECCV), section 2: from features of a
32nd of the image's size three deconvolutions (4 x 4, stride 2, batch normalisation, ReLU) lead to a quarter, and a
1 x 1 convolution to a map a key point. Theirs have 256 channels on a ResNet; a few are enough here, and faster.
"""

from typing import Literal

import torch
import torchvision
from torch import nn

from data_engineering.keypoints import KEYPOINTS

Name = Literal["mobilenet_v3_small", "resnet18"]
_DEEPEST = {"mobilenet_v3_small": 576, "resnet18": 512}
# Mean and standard deviation of ImageNet's pixels, as torchvision's networks are fed.
_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_MOMENTUM = 0.1  # of batch normalisation's running means: MobileNetV3's own 0.01 lags behind a training this short
_PRIOR = -5.0  # of a cell, as a logit: few of them belong to a point, so training starts with nearly empty maps


class Detector(nn.Module):
    """Images to heatmaps.

    Args:
        network: torchvision's name of the features' network; its weights are drawn, nothing is downloaded.
        head_channels: Channels of the deconvolutions.
    """

    def __init__(self, network: Name, head_channels: int) -> None:
        super().__init__()
        self.mean: torch.Tensor
        self.spread: torch.Tensor
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("spread", torch.tensor(_SPREAD).view(1, 3, 1, 1), persistent=False)
        whole = torchvision.models.get_model(network, weights=None)
        self.features = (
            whole.features if network == "mobilenet_v3_small" else nn.Sequential(*list(whole.children())[:-2])
        )
        layers: list[nn.Module] = []
        channels = _DEEPEST[network]
        for _ in range(3):
            up = nn.ConvTranspose2d(channels, head_channels, kernel_size=4, stride=2, padding=1, bias=False)
            layers += [up, nn.BatchNorm2d(head_channels), nn.ReLU(inplace=True)]
            channels = head_channels
        self.head = nn.Sequential(*layers)
        self.maps = nn.Conv2d(head_channels, len(KEYPOINTS), kernel_size=1)
        for layer in self.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = _MOMENTUM
        for layer in self.head:
            if isinstance(layer, nn.ConvTranspose2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="relu")
        nn.init.normal_(self.maps.weight, std=0.01)
        assert self.maps.bias is not None  # noqa: S101  for the type checker
        nn.init.constant_(self.maps.bias, _PRIOR)

    def logits(self, images: torch.Tensor) -> torch.Tensor:
        """Returns the heatmaps' logits, (N, 64, S / 4, S / 4).

        Args:
            images: Float (N, 3, S, S) RGB, 0..1; S a multiple of 32.
        """
        maps: torch.Tensor = self.maps(self.head(self.features((images - self.mean) / self.spread)))
        return maps

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Returns the heatmaps, (N, 64, S / 4, S / 4) in 0..1."""
        return self.logits(images).float().sigmoid()


def sizes(detector: Detector) -> str:
    """Returns how many parameters the parts of a detector have, as one reads it."""
    parts = {"features": detector.features, "head": nn.ModuleList([detector.head, detector.maps])}
    counts = {name: sum(weight.numel() for weight in part.parameters()) for name, part in parts.items()}
    told = ", ".join(f"{name} {count / 1e6:.2f} M" for name, count in counts.items())
    return f"{sum(counts.values()) / 1e6:.2f} M parameters ({told})"

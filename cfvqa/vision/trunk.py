"""A small convolutional trunk that two CPU cores train in minutes, and the input range it expects."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def standardise(image: Tensor) -> Tensor:
    """Map uint8 radiographs (B, 1, S, S) to zero mean and unit deviation each, over their non-zero pixels.

    Exposure differs from study to study; what remains is contrast. Padding stays zero.

    Raises:
        TypeError: if the image is no uint8, the sign of a wrong intensity range.
    """
    if image.dtype != torch.uint8:
        raise TypeError(f"expected uint8 frames in 0..255, got {image.dtype}")
    value = image.float() / 255
    inside = (image > 0).float()
    count = inside.sum((2, 3), keepdim=True).clamp(min=1)
    mean = (value * inside).sum((2, 3), keepdim=True) / count
    deviation = (((value - mean) * inside).square().sum((2, 3), keepdim=True) / count).sqrt()
    return (value - mean) * inside / deviation.clamp(min=1e-3)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with batch normalisation around a shortcut."""

    def __init__(self, channels_in: int, channels_out: int, *, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels_out)
        self.shortcut = nn.Identity()
        if stride != 1 or channels_in != channels_out:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride, ceil_mode=True) if stride > 1 else nn.Identity(),
                nn.Conv2d(channels_in, channels_out, 1, bias=False),
                nn.BatchNorm2d(channels_out),
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C', H / stride, W / stride)."""
        y = F.relu(self.norm1(self.conv1(x)), inplace=True)
        return F.relu(self.norm2(self.conv2(y)) + self.shortcut(x), inplace=True)


class Trunk(nn.Module):
    """Residual stages with a top-down path: one map at a stride of 8 that sees far and fine.

    Args:
        channels: of the stem and the stages; the stem halves twice, every further stage halves once.
        width: channels of the map.
    """

    stride = 8

    def __init__(self, *, channels: tuple[int, int, int, int] = (32, 64, 128, 192), width: int = 128) -> None:
        super().__init__()
        stem, second, third, fourth = channels
        self.stem = nn.Sequential(
            nn.Conv2d(1, stem, 5, 2, 2, bias=False),
            nn.BatchNorm2d(stem),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, 1),
        )
        self.stage1 = ResidualBlock(stem, stem, stride=1)
        self.stage2 = ResidualBlock(stem, second, stride=2)
        self.stage3 = ResidualBlock(second, third, stride=2)
        self.stage4 = ResidualBlock(third, fourth, stride=2)
        self.laterals = nn.ModuleList(nn.Conv2d(c, width, 1) for c in (second, third, fourth))
        self.smooth = nn.Conv2d(width, width, 3, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Map uint8 images (B, 1, S, S) to (B, width, S/8, S/8)."""
        x = standardise(image).contiguous(memory_format=torch.channels_last)
        fine = self.stage2(self.stage1(self.stem(x)))
        middle = self.stage3(fine)
        coarse = self.stage4(middle)
        top = self.laterals[2](coarse)
        for lateral, source in ((self.laterals[1], middle), (self.laterals[0], fine)):
            top = lateral(source) + F.interpolate(top, size=source.shape[-2:], mode="nearest")
        return self.smooth(F.relu(top))

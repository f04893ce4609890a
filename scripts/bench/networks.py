"""NN1 and MobileFaceNet as one writes them in Python torch: the twins of host-trainer/src/network."""

import torch
from torch import nn
from torch.nn import functional as F


class ResponseNorm(nn.Module):
    """Local response normalization over 3 channels, beta 0.75, as a banded 1x1 convolution of the squares.

    nn.LocalResponseNorm is several times slower on a CPU; the twin is given the faster composition that the
    trainer uses, so that the ratio is not won here.
    """

    def __init__(self, channels, alpha=6e-5, size=3, bias=1.0):
        super().__init__()
        band = torch.ones(channels, channels).triu(-(size // 2)).tril(size // 2) * (alpha / size)
        self.register_buffer("band", band.view(channels, channels, 1, 1))
        self.register_buffer("bias", torch.full((channels,), bias))

    def forward(self, x):
        root = F.conv2d(x.square(), self.band, self.bias).sqrt()
        return x / (root * root.sqrt())


class Same(nn.Module):
    """TensorFlow's SAME padding where it is uneven: more at the end than at the start."""

    def __init__(self, before, after, value=0.0):
        super().__init__()
        self.sides, self.value = (before, after, before, after), value

    def forward(self, x):
        return F.pad(x, self.sides, value=self.value)


def nn1(dimension=128):
    """FaceNet's Table 1 with ReLU and dropout in fc1 and fc2; faces of 220 px."""

    def conv(inside, outside, kernel):
        return [nn.Conv2d(inside, outside, kernel, padding=kernel // 2), nn.ReLU()]

    def halve(even=False):
        pool = nn.MaxPool2d(3, 2, padding=1 if even else 0)
        return [pool] if even else [Same(0, 1, float("-inf")), pool]

    layers = [Same(2, 3), nn.Conv2d(3, 64, 7, 2), nn.ReLU(), *halve(), ResponseNorm(64)]
    layers += [*conv(64, 64, 1), *conv(64, 192, 3), ResponseNorm(192), *halve(even=True)]
    layers += [*conv(192, 192, 1), *conv(192, 384, 3), *halve()]
    layers += [*conv(384, 384, 1), *conv(384, 256, 3), *conv(256, 256, 1), *conv(256, 256, 3)]
    layers += [*conv(256, 256, 1), *conv(256, 256, 3), *halve(), nn.Flatten()]
    layers += [nn.Linear(256 * 7 * 7, 4096), nn.ReLU(), nn.Dropout(0.5)]
    layers += [nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(0.5), nn.Linear(4096, dimension)]
    return nn.Sequential(*layers), 220


class Bottleneck(nn.Module):
    """Expand by 1x1, filter by depthwise 3x3, project by 1x1; added to the input where the shapes agree."""

    def __init__(self, inside, outside, expansion, stride):
        super().__init__()
        wide = inside * expansion
        self.layers = nn.Sequential(
            *normed(inside, wide, 1), nn.PReLU(wide),
            *normed(wide, wide, 3, stride, groups=wide), nn.PReLU(wide),
            *normed(wide, outside, 1),
        )
        self.residual = stride == 1 and inside == outside

    def forward(self, x):
        return x + self.layers(x) if self.residual else self.layers(x)


def normed(inside, outside, kernel, stride=1, groups=1, padding=None):
    padding = kernel // 2 if padding is None else padding
    conv = nn.Conv2d(inside, outside, kernel, stride, padding, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(outside)]


def mobilefacenet(dimension=128):
    """Chen et al. 2018, Table 1; faces of 112 px."""
    layers = [*normed(3, 64, 3, 2), nn.PReLU(64), *normed(64, 64, 3, groups=64), nn.PReLU(64)]
    inside = 64
    table = [(2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1)]
    for expansion, outside, repeats, stride in table:
        for block in range(repeats):
            layers.append(Bottleneck(inside, outside, expansion, stride if block == 0 else 1))
            inside = outside
    layers += [*normed(inside, 512, 1), nn.PReLU(512), *normed(512, 512, 7, groups=512, padding=0)]
    layers += [nn.Flatten(), nn.Linear(512, dimension, bias=False), nn.BatchNorm1d(dimension)]
    return nn.Sequential(*layers), 112


NETWORKS = {"nn1": nn1, "mobilefacenet": mobilefacenet}

"""The two networks: a U-Net on one side's medial temporal lobe, and one on the whole head."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

Tensor = torch.Tensor


class Block(nn.Sequential):
    """Two convolutions with instance normalisation."""

    def __init__(self, n_in: int, n_out: int) -> None:
        layers: list[nn.Module] = []
        for first in (n_in, n_out):
            layers += [nn.Conv3d(first, n_out, 3, padding=1, bias=False), nn.InstanceNorm3d(n_out, affine=True)]
            layers += [nn.LeakyReLU(0.01)]
        super().__init__(*layers)


class UNet(nn.Module):
    """U-Net whose input and output may be finer than its first level.

    Parameters
    ----------
    n_classes
        Channels of the output.
    widths
        Channels of each level, fine to coarse.
    fold
        Each `fold` x `fold` x `fold` voxels become channels of one voxel before the first level, and the output is
        unfolded again. With 2, a level costs an eighth.

    Notes
    -----
    Input shape (N, 1, X, Y, Z), output (N, n_classes, X, Y, Z): logits. X, Y, Z are multiples of
    fold * 2 ** (levels - 1). Ronneberger et al. 2015; folding as in Shi et al. 2016, doi 10.1109/CVPR.2016.207.
    """

    def __init__(self, n_classes: int, widths: Sequence[int], fold: int) -> None:
        super().__init__()
        self.fold, self.n_classes = fold, n_classes
        widths = list(widths)
        self.down = nn.ModuleList(
            Block(n_in, n_out) for n_in, n_out in zip([fold**3, *widths[:-1]], widths, strict=True)
        )
        self.up = nn.ModuleList(
            Block(deep + skip, skip) for deep, skip in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.last = nn.Conv3d(widths[0], n_classes * fold**3, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Logits of the classes."""
        x = _fold(image, self.fold)
        skips: list[Tensor] = []
        for number, block in enumerate(self.down):
            x = block(x if number == 0 else functional.max_pool3d(x, 2))
            skips.append(x)
        skips.pop()
        for block in self.up:
            skip = skips.pop()
            x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = block(torch.cat([x, skip], dim=1))
        return _unfold(self.last(x), self.fold, self.n_classes)


def _fold(x: Tensor, fold: int) -> Tensor:
    if fold == 1:
        return x
    n, _, a, b, c = x.shape
    x = x.reshape(n, a // fold, fold, b // fold, fold, c // fold, fold)
    return x.permute(0, 2, 4, 6, 1, 3, 5).reshape(n, fold**3, a // fold, b // fold, c // fold)


def _unfold(x: Tensor, fold: int, n_classes: int) -> Tensor:
    if fold == 1:
        return x
    n, _, a, b, c = x.shape
    x = x.reshape(n, n_classes, fold, fold, fold, a, b, c).permute(0, 1, 5, 2, 6, 3, 7, 4)
    return x.reshape(n, n_classes, a * fold, b * fold, c * fold)

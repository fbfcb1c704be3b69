"""Train a network on scans simulated from label maps. Resumes from the last checkpoint; writes a log and weights.

python training/train.py medial_temporal LABEL_MAPS --out FOLDER --iterations 6000 --threads 1
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import label_maps as lm
import numpy as np
import torch
from networks import UNet
from simulation import Head, Recipe, as_head, simulate
from torch.nn import functional

Tensor = torch.Tensor
HALVES = (-0.25, 0.25)
EIGHT = tuple((x, y, z) for x in HALVES for y in HALVES for z in HALVES)
FOUR = ((-0.5, -0.5, -0.5), (0.5, 0.5, -0.5), (0.5, -0.5, 0.5), (-0.5, 0.5, 0.5))


@dataclass(frozen=True)
class Plan:
    """Shape of a network, recipe of its scans, weight of each class in the overlap part of the loss."""

    widths: tuple[int, ...]
    fold: int
    recipe: Recipe
    heads: Callable[[Path], list[Head]]
    overlap_weights: tuple[float, ...]
    learning_rate: float


def medial_temporal_heads(folder: Path) -> list[Head]:
    """Both sides of each training map, the right one mirrored, around hippocampus and amygdala."""
    heads = []
    for file in lm.label_map_files(folder, held_out=False):
        labels = lm.read_labels(file)
        for side in (labels, lm.swap_sides(labels)):
            centre = np.argwhere((side == 17) | (side == 18)).mean(axis=0)
            start = np.round(centre).astype(int) - 60
            cut = side[tuple(slice(max(0, a), a + 120) for a in start)]
            heads.append(as_head(cut, centre - np.maximum(start, 0), n_widened=3, seed=len(heads)))
    return heads


def whole_heads(folder: Path) -> list[Head]:
    """Each training map and its mirror, around the middle of what lies inside the skull."""
    heads = []
    for file in lm.label_map_files(folder, held_out=False):
        labels = lm.read_labels(file)
        for whole in (labels, lm.swap_sides(labels)):
            inside = np.argwhere((whole > 0) & (whole < 500))
            heads.append(as_head(whole, (inside.min(axis=0) + inside.max(axis=0)) / 2, n_widened=1, seed=len(heads)))
    return heads


PLANS = {
    "medial_temporal": Plan(
        widths=(16, 32, 64, 128), fold=1, heads=medial_temporal_heads, learning_rate=3e-3,
        overlap_weights=(0, 1, 1, 0.15, 0.15, 0.15, 0.15),
        recipe=Recipe(
            shape=(48, 64, 48), voxel_mm=1.0, offsets_mm=EIGHT, rotation_deg=18, scale=0.15, shift_mm=6,
            warp_mm=((40, 3.0), (20, 1.6), (10, 0.7)),
            classes=(
                (17,), (18,), (*lm.CORTEX, 53, 54, 8, 47), (*lm.WHITE_MATTER, *lm.BRAIN_STEM, 7, 46), lm.FLUID,
                lm.DEEP_GREY_MATTER,
            ),
        ),
    ),
    "head": Plan(
        widths=(16, 32, 64, 128), fold=2, heads=whole_heads, learning_rate=3e-3,
        overlap_weights=(1, 0.3, 0.5, 0.5, 0.5, 0.5, 0.3, 0.3),
        recipe=Recipe(
            shape=(96, 112, 96), voxel_mm=2.0, offsets_mm=FOUR, rotation_deg=15, scale=0.15, shift_mm=12,
            warp_mm=((60, 5.0), (30, 2.5), (14, 0.8)),
            classes=(
                lm.FLUID, lm.CORTEX, lm.WHITE_MATTER, lm.DEEP_GREY_MATTER, (*lm.HIPPOCAMPUS, *lm.AMYGDALA),
                lm.CEREBELLUM, lm.BRAIN_STEM,
            ),
        ),
    ),
}  # fmt: skip


def samples(heads: list[Head], recipe: Recipe, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Simulate scans without end; the seed and the number of the sample decide everything."""
    for number in itertools.count():
        random = torch.Generator().manual_seed(seed * 1_000_003 + number)
        head = heads[int(torch.randint(len(heads), (1,), generator=random))]
        yield simulate(head, recipe, random)


def loss_of(logits: Tensor, shares: Tensor, overlap_weights: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy to the shares plus weighted soft Dice; also the Dice of each class, shape (classes,)."""
    log_probability = functional.log_softmax(logits.float(), dim=1)
    entropy = -(shares * log_probability).sum(dim=1).mean()
    probability = log_probability.exp()
    axes = (0, 2, 3, 4)
    both = (probability * shares).sum(dim=axes)
    dice = (2 * both + 1) / ((probability**2).sum(dim=axes) + (shares**2).sum(dim=axes) + 1)
    return entropy + ((1 - dice) * overlap_weights).sum() / overlap_weights.sum(), dice.detach()


def train(name: str, folder: Path, out: Path, *, iterations: int, seed: int) -> None:
    """Train, keeping a running mean of the weights; every 250 iterations a checkpoint and a line of the log."""
    plan = PLANS[name]
    torch.manual_seed(seed)
    network = UNet(len(plan.recipe.classes) + 1, plan.widths, plan.fold).to(memory_format=torch.channels_last_3d)
    optimiser = torch.optim.AdamW(network.parameters(), lr=plan.learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, plan.learning_rate, total_steps=iterations, pct_start=0.1)
    mean = {key: value.clone() for key, value in network.state_dict().items()}
    weights = torch.tensor(plan.overlap_weights)
    checkpoint, log, start = out / f"{name}.checkpoint.pt", out / f"{name}.log.jsonl", 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        mean, start = state["mean"], state["iteration"]
        schedule.last_epoch = start  # the rate follows the number of iterations asked for now
    recent: list[Tensor] = []
    began = time.perf_counter()
    for iteration, (image, shares) in enumerate(
        itertools.islice(samples(plan.heads(folder), plan.recipe, seed * 7919 + start), iterations - start), start + 1
    ):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = network(image[None, None].to(memory_format=torch.channels_last_3d))
        loss, dice = loss_of(logits, shares[None], weights)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        decay = min(0.998, iteration / (iteration + 20))
        for key, value in network.state_dict().items():
            mean[key].lerp_(value, 1 - decay)
        recent.append(torch.cat([loss.detach()[None], dice]))
        if iteration % 250 == 0 or iteration == iterations:
            figures = torch.stack(recent).mean(dim=0).tolist()
            line = {"iteration": iteration, "seconds": time.perf_counter() - began, "loss": figures[0]}
            line["dice"] = [round(value, 4) for value in figures[1:]]
            recent.clear()
            with log.open("a") as file:
                file.write(json.dumps(line) + "\n")
            state = {"network": network.state_dict(), "optimiser": optimiser.state_dict(), "mean": mean}
            torch.save(state | {"iteration": iteration}, checkpoint)
    torch.save(mean, out / f"{name}.weights.pt")


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", choices=sorted(PLANS))
    parser.add_argument("label_maps", type=Path, help="folder with seg_01.nii.gz to seg_20.nii.gz")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint, log and weights")
    parser.add_argument("--iterations", type=int, default=6000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=20261122)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.out.mkdir(parents=True, exist_ok=True)
    train(arguments.network, arguments.label_maps, arguments.out, iterations=arguments.iterations, seed=arguments.seed)


if __name__ == "__main__":
    main()

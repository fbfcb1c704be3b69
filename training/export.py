"""Turn trained weights into the ONNX files that the package ships, and check that both give the same shares.

python training/export.py FOLDER --out src/morpho/weights
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from networks import UNet
from torch import nn
from train import PLANS, Plan

Tensor = torch.Tensor
TOLERANCE = 0.02  # of a share: what storing the weights with 16 bits may cost
SMALLEST_HALVED = 1000  # values; norms and biases keep 32 bits
CLASSES = {
    "medial_temporal": ["other", "hippocampus", "amygdala", "cortex", "white_matter", "fluid", "deep_grey_matter"],
    "head": [
        "outside", "fluid", "cortex", "white_matter", "deep_grey_matter", "hippocampus_amygdala", "cerebellum",
        "brain_stem",
    ],
}  # fmt: skip


class Shares(nn.Module):
    """A network whose output is shares (they sum to 1) instead of logits."""

    def __init__(self, network: UNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        """Shares of the classes."""
        return torch.softmax(self.network(image), dim=1)


def export(name: str, plan: Plan, folder: Path, out: Path) -> dict[str, object]:
    """Write one network as ONNX; returns its entry in networks.json.

    Raises
    ------
    RuntimeError
        If onnxruntime and torch disagree.
    """
    network = UNet(len(plan.recipe.classes) + 1, plan.widths, plan.fold)
    weights = folder / f"{name}.weights.pt"
    iterations = None
    if weights.exists():
        network.load_state_dict(torch.load(weights, weights_only=True))
    else:
        state = torch.load(folder / f"{name}.checkpoint.pt", weights_only=True)
        network.load_state_dict(state["mean"])
        iterations = state["iteration"]
        sys.stderr.write(f"{name}: not finished, exporting the mean of iteration {iterations}\n")
    model = Shares(network).eval()
    image = torch.rand((1, 1, *plan.recipe.shape), generator=torch.Generator().manual_seed(0))
    file = out / f"{name}.onnx"
    torch.onnx.export(
        model, (image,), file, input_names=["image"], output_names=["shares"], opset_version=18, dynamo=False
    )
    _halve(file)
    found = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]).run(None, {"image": image.numpy()})
    with torch.no_grad():
        difference = float(np.abs(found[0] - model(image).numpy()).max())
    if difference > TOLERANCE:
        message = f"{name}: onnxruntime and torch differ by {difference:.2g} (at most {TOLERANCE} is allowed)."
        raise RuntimeError(message)
    return {
        "file": file.name,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "shape": list(plan.recipe.shape),
        "voxel_mm": plan.recipe.voxel_mm,
        "classes": CLASSES[name],
        "training": _last_line(folder / f"{name}.log.jsonl"),
    }


def _halve(file: Path) -> None:
    """Store the weights with 16 instead of 32 bits; they are widened again when the network is loaded."""
    model = onnx.load(file)
    casts = []
    for weights in model.graph.initializer:
        values = onnx.numpy_helper.to_array(weights)
        if values.dtype != np.float32 or values.size < SMALLEST_HALVED:
            continue
        name = weights.name
        weights.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
        casts.append(onnx.helper.make_node("Cast", [f"{name}_half"], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    onnx.save(model, file)


def _last_line(log: Path) -> dict[str, object]:
    """Last line of a training log: iteration, seconds, loss, Dice of each class on simulated scans."""
    return dict(json.loads(log.read_text(encoding="utf-8").splitlines()[-1]))


def main() -> None:
    """Read the command line and export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder that training/train.py wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder for the ONNX files and networks.json")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    about = {name: export(name, plan, arguments.folder, arguments.out) for name, plan in PLANS.items()}
    (arguments.out / "networks.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

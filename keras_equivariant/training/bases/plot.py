"""The picture of a learned basis: some of its functions on every element, and how its losses fell."""

import numpy as np

from keras_equivariant.kernels import learned, rotated_basis
from keras_equivariant.training.reporting import COLORS
from keras_equivariant.utils.files import replaced
from keras_equivariant.utils.optional import require

ROWS = 6  # functions shown
LOSSES = ("reconstruction", "equivariance", "orthogonality")


def plot_basis(basis, path):
    """Draws a learned basis.

    Args:
        basis: path of its .npz file.
        path: PNG file to write.
    """
    found = learned.load(basis)
    moved = rotated_basis(found.group, found.kernel_size, str(basis)).basis
    strongest = np.argsort(-np.linalg.norm(moved, axis=(0, 2)), kind="stable")[:ROWS]
    planes = np.stack([_row(moved[:, d].reshape(-1, *found.kernel_size)) for d in strongest])
    figure = require("matplotlib.figure", "Plotting the basis").Figure(figsize=(10.5, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(2, 1))
    left.imshow(np.concatenate(planes), cmap="RdBu_r", vmin=-1, vmax=1)
    left.set(title=f"{found.variant} basis on {found.group.name}: functions (rows) on every element (columns)")
    left.axis("off")
    history = found.provenance.get("history", {})
    for name, color in zip(LOSSES, COLORS, strict=False):
        for key, line in ((name, ":"), (f"val_{name}", "-")):
            if key in history:
                epochs = np.arange(1, 1 + len(history[key]))
                label = f"{name}, held out" if line == "-" else None
                right.plot(epochs, history[key], line, color=color, label=label)
    right.set(title="losses a pixel (dotted: learned from)", xlabel="epoch", yscale="log")
    right.grid(alpha=0.25)
    right.legend(frameon=False)
    with replaced(path) as temporary:
        figure.savefig(temporary, dpi=150)


def _row(planes):
    """The elements side by side, a margin around each, scaled to 1."""
    framed = np.pad(planes / np.abs(planes).max(), ((0, 0), (1, 1), (1, 1)), constant_values=np.nan)
    return np.concatenate(framed, axis=1)

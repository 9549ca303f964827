"""How far the layers of a network on points look, and how far apart the points of the data lie."""

import itertools
import logging

import numpy as np

from keras_equivariant.data import Rows
from keras_equivariant.data.sets.points import least_heights
from keras_equivariant.utils.periodic import space_of

CLOUDS, POINTS = 32, 64  # of the data that are looked at, and points of each whose neighbors are counted
FAR = 25  # how many times as far as its nearest neighbor lies a layer looks that tells neighbors apart

log = logging.getLogger("keras_equivariant.training")


def check_reach(model, rows, name):
    """ValueError where layers would need more copies of a cell than they look at."""
    first = rows.arrays["positions"][:, 0]
    d = space_of(first.shape[-1])
    heights = least_heights(first[:, d:].reshape(len(first), -1, d))
    for layer in getattr(model, "layers", ()):
        needed = int(np.ceil(getattr(layer, "radius", 0) / heights.min(initial=np.inf)))
        if getattr(layer, "images", needed) < needed:
            raise ValueError(
                "A radius must end within the copies of the cell. Received: "
                f'radius={layer.radius:g} with images={layer.images} in layer "{layer.name}", data "{name}" '
                f"with cells of height {heights.min():.3g}. Train with images={needed}, --set images={needed}."
            )


def log_reach(model, rows, name):
    """Warnings, of the first layer with a cutoff, where points have no neighbors within it, where all of them lie as
    near to each other as if they were one, and where more are within it than the layer has places for."""
    layer = next((layer for layer in getattr(model, "layers", ()) if getattr(layer, "cutoff", None)), None)
    if layer is None or not isinstance(rows, Rows):
        return
    radius = layer.cutoff
    nearest, counts = neighbors_of(rows[:CLOUDS], radius, getattr(layer, "images", 0))
    if not len(nearest):
        if counts.max() > 1:
            log.warning(
                "The points of %s lie on each other, in one place in each cloud. If their coordinates were rounded, as "
                "those in meters are in an xyz file, save them in another unit.",
                name,
            )
        return
    middle = float(np.median(nearest))
    if not radius / FAR <= middle < radius:
        log.warning(
            'The points of %s lie %.3g from their nearest neighbor, layer "%s" looks as far as radius=%.3g: it sees '
            "%s. If the coordinates are in another unit than the radius, or the points closer or farther than those "
            "that the spec was written for, --set radius=%.2g.",
            name,
            middle,
            layer.name,
            radius,
            "none" if middle >= radius else "no difference between near and far",
            5 * middle,
        )
    elif counts.max() > layer.neighbors:
        log.warning(
            'Up to %d points of %s lie within radius=%.3g of one, itself among them, for which layer "%s" has '
            "neighbors=%d: where there are more, its cutoff ends at the first without a place, and gradients, such as "
            "forces, have a kink where that one changes. For all of them --set neighbors=%d, or a smaller radius.",
            counts.max(),
            name,
            radius,
            layer.name,
            layer.neighbors,
            counts.max(),
        )


def neighbors_of(rows, radius, images=0):
    """`(distances of the nearest other point, points within the radius)` of some of the points of clouds, copies in so
    many cells on each side among them; a point that lies on another, or is alone, has no nearest one."""
    positions, mask = rows.arrays["positions"].astype("float64"), rows.arrays["mask"].astype(bool)
    d = space_of(positions.shape[-1])
    nearest, counts = [], []
    for cloud, there in zip(positions, mask, strict=True):
        points, cell = cloud[there, :d], cloud[0, d:].reshape(-1, d)
        offsets = points[:POINTS, None] - points
        steps = np.zeros((1, d))
        if cell.any():
            offsets -= np.round(offsets @ np.linalg.pinv(cell)) @ cell
            along = [range(-images, images + 1) if vector.any() else (0,) for vector in cell]
            steps = np.array([*itertools.product(*along)]) @ cell
        distances = np.linalg.norm(offsets[:, :, None] + steps, axis=-1).reshape(len(offsets), -1)
        counts.append((distances < radius).sum(axis=1))
        least = np.where(distances > 0, distances, np.inf).min(axis=1)
        nearest.append(least[np.isfinite(least)])
    return np.concatenate(nearest), np.concatenate(counts)

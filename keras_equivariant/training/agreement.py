"""Whether a spec, its task and the data belong together, and which of the spec's parameters follow from the data."""

import logging

import numpy as np

from keras_equivariant import groups
from keras_equivariant.data import Preprocess
from keras_equivariant.graphs.symmetry import group_of, kept_by
from keras_equivariant.groups import grid
from keras_equivariant.training.reach import log_reach
from keras_equivariant.training.tasks import TASKS
from keras_equivariant.utils.periodic import space_of

LAYOUTS = {"images": "images", "volumes": "volumes", "points": "points in space", "states": "states of particles"}
NUMBERS = "outputs"  # the parameter of a spec for molecules that says how many numbers, or classes, it answers with
DEFAULT_DATA = "digits"
# Data that need no file: what a spec of a kind starts with, and others that recipes name.
GENERATED = {
    ("classification", "images"): DEFAULT_DATA,
    ("classification", "volumes"): "shapes",
    ("segmentation", "images"): "cells",
    ("vectors", "images"): "oriented_digits",
    ("vectors", "volumes"): "flows",
    ("classification", "points"): "tetris_points",
    ("molecules", "points"): "clusters",
    ("trajectories", "points"): "springs",
    ("trajectories", "states"): "springs",
}
ALSO_GENERATED = ("tetris", "pendulums", "nbody")
log = logging.getLogger("keras_equivariant.training")
_GRIDS = ("images", "volumes")
# A potential energy is a function of points.
LAYOUTS_OF_SPECS = {"states": ("points", "states")}


def layout_of(spec):
    """What the inputs of a `Spec` are: "images", "volumes", "points" or "states" (a flat list of numbers)."""
    if "space" in spec.input:
        return "points"
    return {1: "states", 4: "volumes"}.get(len(spec.input_shape), "images")


def fits(spec, task, dataset):
    """Whether a spec for this task takes the data and answers as they do."""
    own = TASKS[dataset.task]
    numbers = own.of_numbers and task == "molecules" and NUMBERS in spec.params
    known = task in (own.name, *own.specs) or numbers
    return known and layout_of(spec) in LAYOUTS_OF_SPECS.get(dataset.layout, (dataset.layout,))


def group_name(spec):
    """The name of the group whose symmetry a `Spec` claims, or "none"."""
    from keras_equivariant.compiler.linter import bounds, rules

    claim, _ = rules.claimed(list(bounds.flat(spec.layers)))
    return claim.name if claim else "none"


def data_of(spec, recipe):
    """The name of the data set that a spec is trained on where nobody names one: its recipe's, if that needs no file,
    else one of its kind that needs none."""
    kind = recipe.task or "classification", layout_of(spec)
    # A recipe without `dataset` says the default, which its task may have no use for.
    if recipe.dataset != DEFAULT_DATA and recipe.dataset in (*GENERATED.values(), *ALSO_GENERATED):
        return recipe.dataset
    return GENERATED.get(kind) or recipe.dataset or DEFAULT_DATA


def check_kind(spec, recipe, dataset):
    """Raise a ValueError where spec and data are of different kinds; says which data fit the spec, and which packaged
    specs the data."""
    task = recipe.task or "classification"
    # A recipe that names no task is for images or volumes, whose labels, masks or numbers the outputs must fit.
    if fits(spec, task, dataset) or (recipe.task is None and layout_of(spec) in _GRIDS and dataset.layout in _GRIDS):
        return
    from keras_equivariant.compiler import list_specs, load_spec

    others = [load_spec(name) for name in list_specs()]
    found = [s.name for s in others if fits(s, s.training.get("task", "classification"), dataset)]
    own = data_of(spec, recipe)
    data = f"This one's data are such as {own}, --data {own}. " if own != dataset.name else ""
    raise ValueError(
        f'The data must be of the kind that a spec is for. Received: spec "{spec.name}" for {task} of '
        f'{LAYOUTS[layout_of(spec)]}, data "{dataset.name}" for {dataset.task} of {LAYOUTS[dataset.layout]}. '
        f"{data}Specs for the data: "
        f"{', '.join(found) or 'none of the packaged ones'}; a spec of your own names its task in its recipe, "
        "--recipe task=NAME."
    )


def input_parameters(dataset, recipe):
    """Values of the parameters of a spec that describe its input, by name; None where the data have no such number."""
    if dataset.layout == "points":
        positions, values, _ = dataset.x_train.arrays.values()
        count, width = positions.shape[1:]
        space = space_of(width)
        # Where a spec has no such parameter, what it builds does not fit, and `check_rows` says so.
        periodic = {"periodic": True} if width != space else {}
        return {"points": count, "space": space, "channels": values.shape[2], **periodic}
    if dataset.layout == "states":
        particles, space = dataset.x_train.arrays["state"].shape[-2:]
        channels = dataset.x_train.arrays["parameters"].shape[-1]
        return {"points": particles, "particles": particles, "space": space, "channels": channels}
    *sizes, channels = Preprocess(recipe.preprocess).output_shape(dataset.image_shape)
    voxels = list(dataset.voxel_size) if dataset.voxel_size and not _alike(dataset.voxel_size) else None
    return {
        "size": sizes[0] if len(set(sizes)) == 1 else list(sizes),
        "channels": channels,
        "voxel_size": voxels,
    }


def _alike(voxel_size):
    """Whether the edges of a voxel are of one length, to a part in a hundred."""
    return max(voxel_size) < 1.01 * min(voxel_size)


def check_voxels(network, dataset):
    """Warn where a network treats axes alike along which the voxels differ: it is exact all the same, but for rotations
    that the body in the volume does not make."""
    if dataset.layout != "volumes" or not dataset.voxel_size or _alike(dataset.voxel_size):
        return
    if (network.params or {}).get("voxel_size"):  # its layers know
        return
    lengths = np.round(100 * np.array(dataset.voxel_size) / min(dataset.voxel_size))
    group = group_of(network.model, of_grid=True).finite
    if grid.keeps_shape(group, lengths):
        return
    fitting = next((name for name in ("D4z", "D2z") if grid.keeps_shape(groups.get(name), lengths)), None)
    choose = f"choose a group that keeps their axis, --set group={fitting}, or " if fitting else ""
    log.warning(
        "Rotations in %s swap axes along which the voxels differ. Received: voxels of %s in %s. Such rotations of the "
        "voxels are none of the body: %sresample the volumes to cubes, --option voxel_size=%.3g.",
        group.name,
        " x ".join(f"{length:g}" for length in dataset.voxel_size),
        dataset.name,
        choose,
        min(dataset.voxel_size),
    )


def check_rows(network, dataset):
    """Raise a ValueError unless a network on points, or of a motion, takes the arrays of the data."""
    arrays = dataset.x_train.arrays
    if dataset.layout == "points":
        wanted = [array.shape[1:] for array in arrays.values()]
    else:
        (_, n, d), channels = arrays["state"].shape[1:], arrays["parameters"].shape[-1]
        if len(network.model.inputs) == 1:
            # A potential sees positions, a derivative the whole state.
            wanted = [(n * (d + channels) if network.model.output_shape[-1] == 1 else n * (2 * d + channels),)]
        else:
            wanted = [(n, d), (n, channels), (n,)]
    given = [tuple(tensor.shape[1:]) for tensor in network.model.inputs]
    if given[0][-1:] == (space_of(wanted[0][-1]),) != wanted[0][-1:]:
        raise ValueError(
            f'Periodic structures are for networks that know of cells. Received: network "{network.name}", data '
            f'"{dataset.name}" with lattice vectors. Use a spec such as tfn_molecules, which has `periodic`, or leave '
            "the cells out, --option periodic=false."
        )
    if given != [tuple(shape) for shape in wanted]:
        other = dataset.layout == "points" and given[0][-1] != wanted[0][-1]
        remedy = (
            f"Use a spec for points of {wanted[0][-1]} coordinates, `space: {wanted[0][-1]}` in its input"
            if other
            else "Set the parameters of its input with --set"
        )
        raise ValueError(
            f'A network must take the data as they are. Received: network "{network.name}" for inputs {given}, data '
            f'"{dataset.name}" of {[tuple(shape) for shape in wanted]}. {remedy}.'
        )
    if dataset.layout == "points":
        log_reach(network.model, dataset.x_train, dataset.name)


def certified_group(model, dataset):
    """The group to certify a network on: that of its layers, of which images that are no squares keep a part; None
    where nothing moves."""
    flat = all(len(tensor.shape) == 2 for tensor in model.inputs)
    if flat:
        return None
    group = group_of(model, of_grid=True)
    if dataset.layout not in ("images", "volumes") or group.is_lie and not group.orthogonal:
        return group
    return kept_by(group, dataset.image_shape[:-1])

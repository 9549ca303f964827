"""The sweep: images on a disc, or volumes on a ball, rotated by any angle, by interpolation, hence approximate."""

import numbers

import numpy as np

from keras_equivariant import groups
from keras_equivariant.equivariance.layouts import element_of, windowed
from keras_equivariant.equivariance.measure import batches, distance, evaluate, evaluate_each, relative, square
from keras_equivariant.equivariance.report import Angle
from keras_equivariant.groups.layouts import Custom


def angles_in_degrees(angles):
    """A number of angles spread evenly over the circle, or the angles given."""
    if isinstance(angles, (int, np.integer)) and not isinstance(angles, bool):
        given = [360.0 * i / angles for i in range(angles)] if 0 <= angles <= 3600 else None
    else:
        given = list(angles) if np.ndim(angles) == 1 else None
    if given is None or not all(isinstance(angle, numbers.Real) and np.isfinite(angle) for angle in given):
        raise ValueError(f"`angles` must be a number from 0 to 3600, or angles in degrees. Received: {angles!r}")
    return [float(angle) for angle in given]


def sweep(fn, setting, output_layouts, degrees):
    """An Angle for every angle by which all inputs and outputs can be rotated; empty where none is an image.

    Features with a group axis rotate by the group's own rotations only. Volumes rotate about each coordinate axis about
    which the group rotates, and about an oblique one where it rotates the whole cube, and the worst counts.
    """
    group, layouts = setting.group, [*setting.layouts, *output_layouts]
    if any(isinstance(layout, Custom) for layout in layouts) or not any(
        layout.on_pixels(x.shape) for x, layout in zip(setting.arrays, setting.layouts, strict=True)
    ):
        return ()
    free = all(layout.any_element for layout in layouts)
    found = {}
    for axis in _axes(setting.claimed or group):
        matrices = {angle: groups.rotation_matrix(angle, axis) for angle in degrees}
        matrices = {angle: matrix for angle, matrix in matrices.items() if _keeps_shapes(matrix, setting)}
        if not free:
            matrices = {angle: matrix for angle, matrix in matrices.items() if element_of(group, matrix) is not None}
        errors, floors = _errors(fn, setting, output_layouts, list(matrices.values()))
        for angle, *measured in zip(matrices, errors, floors, strict=True):
            found[angle] = np.maximum(found.get(angle, 0.0), measured)
    return tuple(Angle(angle, *map(float, found[angle])) for angle in degrees if angle in found)


def _keeps_shapes(matrix, setting):
    """Whether no input changes its shape, as a rectangle does in a quarter turn."""
    if not groups.grid.is_signed_permutation(matrix):
        return True
    images = [x for x, layout in zip(setting.arrays, setting.layouts, strict=True) if layout.on_pixels(x.shape)]
    return all(groups.move_pixels(x[:1], matrix).shape[1:] == x.shape[1:] for x in images)


def _axes(group):
    """The coordinate axes of space about which the group rotates, and a further one, far from the axes of the cube, if
    it rotates that about its diagonal as well; else the vertical one, and of a group about an axis that alone. None in
    the plane."""
    if group.dimension == 2:
        return [None]
    about = None if group.is_finite else group.axes_of_rotation
    if about is not None and len(about) < 3:
        return list(about)
    rotations = [m for m in group.matrices if np.linalg.det(m) > 0 and not np.allclose(m, np.eye(3))]
    axes = [axis for axis in np.eye(3) if any(np.allclose(m @ axis, axis) for m in rotations)]
    oblique = [np.array([1.0, 2.0, 3.0])] if any(np.allclose(m.sum(axis=1), 1) for m in rotations) else []
    return [*axes, *oblique] or [np.array([0.0, 0.0, 1.0])]


def _errors(fn, setting, output_layouts, matrices):
    """The worst relative error over the outputs, and that of rotating the inputs there and back, for each rotation."""
    group = setting.group
    errors, floors = np.zeros((len(matrices), len(output_layouts))), np.zeros(len(matrices))
    norms, total = np.zeros(len(output_layouts)), 0.0
    discs = [windowed(x, layout) for x, layout in zip(setting.arrays, setting.layouts, strict=True)]
    for batch, rows in batches(discs, setting.batch_size):
        reference = evaluate(fn, batch, rows)
        norms += [square(windowed(y, layout)) for y, layout in zip(reference, output_layouts, strict=True)]
        pixels = [layout.on_pixels(x.shape) for x, layout in zip(batch, setting.layouts, strict=True)]
        total += sum(square(x[:rows]) for x, moves in zip(batch, pixels, strict=True) if moves)
        all_moved = (
            [layout.act(x, group, matrix) for x, layout in zip(batch, setting.layouts, strict=True)]
            for matrix in matrices
        )
        for i, (moved, images) in enumerate(evaluate_each(fn, all_moved, rows, setting.batch_size)):
            for x, rotated, layout, moves in zip(batch, moved, setting.layouts, pixels, strict=True):
                if moves:
                    floors[i] += distance(layout.act(rotated[:rows], group, matrices[i].T), x[:rows])
            for k, (y, layout) in enumerate(zip(reference, output_layouts, strict=True)):
                image = windowed(images[k], layout)
                expected = windowed(layout.act(y, group, matrices[i]), layout)
                errors[i, k] += distance(image, expected)
    return relative(errors, norms).max(axis=1), relative(floors, total)

"""The sweep: images on a disc turned by any angle, by interpolation, hence approximate."""

import numpy as np

from keras_equivariant.equivariance.layouts import rotation, turned, turns_freely, windowed
from keras_equivariant.equivariance.measure import batches, distance, evaluate, relative, square
from keras_equivariant.equivariance.report import Angle


def angles_in_degrees(angles):
    """A number of angles spread evenly over the circle, or the angles given."""
    if isinstance(angles, (int, np.integer)) and not isinstance(angles, bool):
        if not 0 <= angles <= 3600:
            raise ValueError(f"`angles` must be a number from 0 to 3600, or angles in degrees. Received: {angles!r}")
        return [360.0 * i / angles for i in range(angles)]
    return [float(angle) for angle in angles]


def sweep(fn, setting, output_layouts, degrees):
    """An Angle for every angle by which all inputs and outputs can be turned; empty where none is an image.

    Features with a group axis turn by the group's own rotations only.
    """
    group, layouts = setting.group, [*setting.layouts, *output_layouts]
    freely = all(turns_freely(layout) for layout in layouts if not callable(layout))
    if "image" not in setting.layouts or any(callable(layout) for layout in layouts):
        return ()
    if group.dimension not in (2, 3) or (group.dimension == 3 and not freely):
        return ()
    if not freely:
        degrees = [angle for angle in degrees if rotation(group, angle) is not None]
    errors, floors = np.zeros((len(degrees), len(output_layouts))), np.zeros(len(degrees))
    norms, total = np.zeros(len(output_layouts)), 0.0
    discs = [windowed(x, group, layout) for x, layout in zip(setting.arrays, setting.layouts, strict=True)]
    for batch, rows in batches(discs, setting.batch_size):
        reference = evaluate(fn, batch, rows)
        norms += [square(windowed(y, group, layout)) for y, layout in zip(reference, output_layouts, strict=True)]
        total += sum(square(x[:rows]) for x, layout in zip(batch, setting.layouts, strict=True) if layout == "image")
        together = max(1, setting.batch_size // rows)  # angles in one call
        for start in range(0, len(degrees), together):
            some = degrees[start : start + together]
            moved = [
                [turned(x[:rows], group, angle, layout) for angle in some]
                for x, layout in zip(batch, setting.layouts, strict=True)
            ]
            images = evaluate(fn, [np.concatenate(turns) for turns in moved], rows * len(some))
            for i, angle in enumerate(some):
                for x, turns, layout in zip(batch, moved, setting.layouts, strict=True):
                    if layout == "image":
                        floors[start + i] += distance(turned(turns[i], group, -angle, layout), x[:rows])
                for k, (y, layout) in enumerate(zip(reference, output_layouts, strict=True)):
                    image = windowed(images[k][i * rows : (i + 1) * rows], group, layout)
                    expected = windowed(turned(y, group, angle, layout), group, layout)
                    errors[start + i, k] += distance(image, expected)
    worst, alone = relative(errors, norms).max(axis=1).tolist(), relative(floors, total).tolist()
    return tuple(Angle(*values) for values in zip(degrees, worst, alone, strict=True))

"""Molecules and motions as small drawings in a gallery."""

import math

import numpy as np

from keras_equivariant.training.report.figures import BLUE, COLORS, GRAY, RED, WIDTH, blank


def molecules(clouds, kinds, captions, columns=6):
    """Atoms `(n, d)` seen along the direction in which they spread least, colored by kind; captions above."""
    cells, figure = _cells(len(clouds), columns)
    for axes, atoms, kind, caption in zip(cells, clouds, kinds, captions, strict=False):
        middle = atoms - atoms.mean(axis=0)
        seen = middle @ np.linalg.svd(middle, full_matrices=False)[2][:2].T
        seen = np.pad(seen, ((0, 0), (0, 2 - seen.shape[1])))
        axes.scatter(*seen.T, s=26, c=[COLORS[k % len(COLORS)] for k in kind], edgecolors="white", linewidths=0.4)
        axes.set_aspect("equal", adjustable="datalim")
        axes.margins(0.2)
        axes.set_title(caption, fontsize=7, pad=2)
    return figure


def paths(truth, answers, captions, columns=4):
    """Positions `(steps, n, d)` of particles: in the plane, or of one dimension against the time; truth gray."""
    cells, figure = _cells(len(truth), columns)
    for i, (axes, caption) in enumerate(zip(cells, captions, strict=False)):
        for states, color, line in ((truth, GRAY, "-"), (answers, RED, "--")):
            for particle in () if states is None else np.moveaxis(states[i], 1, 0):
                where = particle.T[:2] if particle.shape[1] > 1 else (range(len(particle)), particle[:, 0])
                axes.plot(*where, line, color=color if answers is not None else BLUE, linewidth=1.3)
        axes.set_title(caption, fontsize=7, pad=2)
    return figure


def _cells(count, columns):
    rows, side = math.ceil(count / columns), WIDTH / columns
    figure = blank(rows * (side + 0.3))
    cells = figure.subplots(rows, columns, squeeze=False).ravel()
    for i, axes in enumerate(cells):
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_color("#bbbbbb")
        axes.set_visible(i < count)
    return cells, figure

"""Molecules and motions as small drawings in a gallery."""

import numpy as np

from keras_equivariant.training.report.figures import BLUE, COLORS, GRAY, RED, cells


def molecules(clouds, kinds, captions, columns=6):
    """Atoms `(n, d)` seen along the direction in which they spread least, colored by kind; captions above."""
    made, figure = cells(len(clouds), columns)
    for axes, atoms, kind, caption in zip(made, clouds, kinds, captions, strict=True):
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
    made, figure = cells(len(truth), columns)
    for i, (axes, caption) in enumerate(zip(made, captions, strict=True)):
        for states, color, line in ((truth, GRAY, "-"), (answers, RED, "--")):
            for particle in () if states is None else np.moveaxis(states[i], 1, 0):
                where = particle.T[:2] if particle.shape[1] > 1 else (range(len(particle)), particle[:, 0])
                axes.plot(*where, line, color=color if answers is not None else BLUE, linewidth=1.3)
        axes.set_title(caption, fontsize=7, pad=2)
    return figure

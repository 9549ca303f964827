"""Learns the bases that come with the package, anew: `python -m keras_equivariant.training.bases.packaged [FOLDER]`.

Files that are there already are kept. Images are generated, seeds fixed; a few minutes on one core. On another machine
the last digits may differ.
"""

import itertools
import logging
import pathlib
import sys

from keras_equivariant.kernels.learned import FOLDER, VARIANTS
from keras_equivariant.training.bases.learn import learn_basis

SIZES, GROUPS = (3, 5, 7), ("C8", "C16")
# Equivariance before orthogonality: the loss of the first is about a third smaller than with a weight of 1.
SETTINGS = {"orthogonality_weight": 0.03, "epochs": 3, "seed": 0, "verbose": 0}


def main(folder=FOLDER):
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for variant, size, group in itertools.product(VARIANTS, SIZES, GROUPS):
        path = pathlib.Path(folder) / f"{group}_{size}x{size}_{variant}.npz"
        if not path.exists():
            learn_basis(group, size, path=path, variant=variant, **SETTINGS)


if __name__ == "__main__":
    main(*sys.argv[1:])

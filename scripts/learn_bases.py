"""Learns the bases that come with the package, anew: `python scripts/learn_bases.py [FOLDER]`.

Images are generated, seeds fixed. A few minutes on one core; on another machine the last digits may differ.
"""

import itertools
import logging
import pathlib
import sys

import keras_equivariant as ke
from keras_equivariant.kernels.learned import FOLDER, VARIANTS

SIZES, GROUPS = (3, 5, 7), ("C8", "C16")
# Equivariance before orthogonality: the loss of the first is about a third smaller than with a weight of 1.
SETTINGS = {"orthogonality_weight": 0.03, "epochs": 3, "seed": 0, "verbose": 0}


def main(folder=FOLDER):
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for size, group, variant in itertools.product(SIZES, GROUPS, VARIANTS):
        path = pathlib.Path(folder) / f"{group}_{size}x{size}_{variant}.npz"
        ke.learn_basis(group, size, path=path, variant=variant, **SETTINGS)


if __name__ == "__main__":
    main(*sys.argv[1:])

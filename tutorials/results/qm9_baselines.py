"""What models without a network know of QM9: kernel ridge regression and boosted trees, measured into qm9.yaml.

    python tutorials/results/qm9_baselines.py

Descriptors are the Coulomb matrix of Rupp et al., arXiv 1109.2618, its rows sorted by their norm, for kernel ridge
regression with a Laplacian kernel; its eigenvalues and the numbers of atoms of each element for boosted trees. Width
and penalty of the kernel are chosen on a fifth of the training molecules; both learn what a linear fit of the
composition leaves.
"""

import pathlib
import time

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression

from keras_equivariant.data.archive import needed
from keras_equivariant.data.sets.qm9 import EV, of_atoms
from keras_equivariant.results import record_timing
from keras_equivariant.training.run_folder import versions
from keras_equivariant.utils.arrays import read_arrays

FILE = pathlib.Path(__file__).with_name("qm9.yaml")
COMMAND = f"python tutorials/results/{pathlib.Path(__file__).name}"
VERSIONS = {key: value for key, value in versions().items() if key != "machine"}
TARGETS = {"homo": "eV", "u0": "eV", "mu": "D"}
FRACTIONS = {0.01: ("kernel", "trees"), 0.1: ("kernel", "trees"), 1.0: ("trees",)}
GAMMAS, PENALTIES = (3e-4, 1e-3, 3e-3), (1e-6, 1e-3)
LABELS = {"kernel": "kernel ridge regression, Coulomb matrix", "trees": "boosted trees, its eigenvalues"}


def coulomb(charges, positions):
    """The Coulomb matrices of molecules, `(count, atoms, atoms)`; zeros where there is no atom."""
    distance = np.linalg.norm(positions[:, :, None] - positions[:, None], axis=-1)
    product = charges[:, :, None] * charges[:, None]
    matrix = np.where(product > 0, product / np.where(distance > 0, distance, 1), 0)
    diagonal = np.arange(charges.shape[1])
    matrix[:, diagonal, diagonal] = 0.5 * charges**2.4
    return matrix


def descriptors(charges, positions):
    """Sorted Coulomb matrices, their upper halves; and eigenvalues."""
    matrix = coulomb(charges.astype("float64"), positions.astype("float64"))
    order = np.argsort(-np.linalg.norm(matrix, axis=-1), axis=-1)
    rows = np.take_along_axis(np.take_along_axis(matrix, order[:, :, None], 1), order[:, None], 2)
    upper = np.triu_indices(charges.shape[1])
    return rows[:, upper[0], upper[1]].astype("float32"), np.linalg.eigvalsh(matrix)


def fit(kind, x, y):
    """A fitted regressor of a kind."""
    if kind == "trees":
        return HistGradientBoostingRegressor(max_iter=1000, learning_rate=0.05, random_state=0).fit(x, y)
    part = len(x) // 5
    some, held = slice(part, min(len(x), 4000)), slice(0, min(part, 1000))
    errors = {}
    for gamma in GAMMAS:
        for penalty in PENALTIES:
            model = KernelRidge(kernel="laplacian", gamma=gamma, alpha=penalty).fit(x[some], y[some])
            errors[gamma, penalty] = np.abs(model.predict(x[held]) - y[held]).mean()
    gamma, penalty = min(errors, key=errors.get)
    return KernelRidge(kernel="laplacian", gamma=gamma, alpha=penalty).fit(x, y)


def main():
    path = needed("qm9.npz", "The molecules are", "the molecules", "clusters")
    arrays = read_arrays(path)
    z, positions = arrays["z"].astype("int64"), arrays["positions"]
    elements = np.unique(z[z > 0])
    composition = (z[:, :, None] == elements).sum(axis=1)
    names = [str(name) for name in arrays["property_names"]]
    train, test = arrays["train"], arrays["test"]
    matrices, eigenvalues = (
        np.concatenate(parts)
        for parts in zip(
            *(descriptors(z[i : i + 5000], positions[i : i + 5000]) for i in range(0, len(z), 5000)), strict=True
        )
    )
    features = {"kernel": matrices, "trees": np.concatenate([eigenvalues, composition], axis=1)}
    for target, unit in TARGETS.items():
        y = arrays["properties"][:, names.index(target)] - of_atoms(arrays, z, target)
        y = y * EV if unit == "eV" else y
        for fraction, kinds in FRACTIONS.items():
            rows = np.random.default_rng(0).permutation(train)[: round(fraction * len(train))]
            line = LinearRegression().fit(composition[rows], y[rows])
            left = y - line.predict(composition)
            for kind in kinds:
                start = time.perf_counter()
                model = fit(kind, features[kind][rows], left[rows])
                error = float(np.abs(model.predict(features[kind][test]) - left[test]).mean())
                numbers = {"property": target, "unit": unit, "fraction": fraction, "test_mae": float(f"{error:.4g}")}
                numbers |= {"composition_alone": float(f"{np.abs(left[test]).mean():.4g}")}
                numbers |= {"training_seconds": round(time.perf_counter() - start, 1)}
                print(target, kind, fraction, numbers, flush=True)
                on = {"label": LABELS[kind], "data": "qm9", "seeds": [0]}
                record_timing(FILE, f"{target}_{kind}_{fraction:g}", numbers, COMMAND, VERSIONS, **on)


if __name__ == "__main__":
    main()

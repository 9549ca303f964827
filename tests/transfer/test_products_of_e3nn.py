"""e3nn's FullyConnectedTensorProduct, recorded, against SteerableTensorProduct: the same up to a sign a path."""

import pathlib

import numpy as np
import record_e3nn

import keras_equivariant as ke

RECORDED = np.load(pathlib.Path(__file__).with_name("e3nn.npz"))


def change_of_basis(degree):
    """The orthogonal matrix Q with Q Y_e3nn = Y_ours, both of norm 1 in every direction."""
    theirs, ours = RECORDED[f"harmonics {degree}"], ke.groups.spherical_harmonics(degree, RECORDED["points"])
    ours = ours / np.linalg.norm(ours, axis=1, keepdims=True)
    found = np.linalg.lstsq(theirs, ours, rcond=None)[0].T
    np.testing.assert_allclose(theirs @ found.T, ours, atol=1e-6)
    return found


def to_ours(features, field_type):
    """Channels field after field there, component after component here."""
    parts, start = [], 0
    for block in field_type.blocks:
        stop = start + block.dim * block.multiplicity
        fields = features[:, start:stop].reshape(-1, block.multiplicity, block.dim)
        parts.append(np.einsum("ab,nub->nau", change_of_basis(block.dim // 2), fields))
        start = stop
    return np.concatenate([part.reshape(len(features), -1) for part in parts], axis=1)


def test_same_up_to_signs_of_paths():
    first, second, out = (ke.FieldType.parse(one, "O3") for one in record_e3nn.TYPES)
    layer = ke.layers.SteerableTensorProduct(first, second, out)
    layer.build([(None, first.size), (None, second.size)])
    assert layer.count_params() == len(RECORDED["weights"])
    x, y, wanted = (to_ours(RECORDED[key], one) for key, one in (("x", first), ("y", second), ("result", out)))
    starts, weights = {}, 0
    for path in map(tuple, RECORDED["paths"].tolist()):
        shape = [one.blocks[i].multiplicity for one, i in zip((first, second, out), path, strict=True)]
        starts[path] = weights, weights + int(np.prod(shape))
        weights = starts[path][1]
    # Ours go by the blocks of the output first, there by those of the inputs.
    ours = [(i, j, o) for o, paths in enumerate(layer._paths) for i, j, _ in paths]
    assert sorted(ours) == sorted(starts)
    order = np.concatenate([np.arange(*starts[path]) for path in ours])
    which = np.concatenate([np.full(starts[path][1] - starts[path][0], n) for n, path in enumerate(ours)])

    def result(kernel):
        layer.kernel.assign(kernel)
        return np.asarray(layer([x, y]))

    kernel = RECORDED["weights"][order]
    parts = np.stack([result(kernel * (which == n)).ravel() for n in range(len(ours))], axis=1)
    signs = np.linalg.lstsq(parts, wanted.ravel(), rcond=None)[0]
    np.testing.assert_allclose(np.abs(signs), 1.0, atol=1e-6)
    np.testing.assert_allclose(result(kernel * np.sign(signs)[which]), wanted, atol=1e-6)
    assert np.abs(result(kernel) - wanted).max() > 0.1  # without the signs
    turned = [path for path, sign in zip(ours, signs, strict=True) if sign < 0]
    degrees = {tuple(one.blocks[i].dim // 2 for one, i in zip((first, second, out), p, strict=True)) for p in turned}
    assert degrees == {(1, 2, 1), (2, 2, 1), (2, 2, 2)}  # as the page says

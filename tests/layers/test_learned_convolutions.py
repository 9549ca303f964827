"""Convolutions on learned bases: how much is lost where the grid has no symmetry, training the basis, scales."""

import os

import keras
import numpy as np
import pytest
from keras import ops

import keras_equivariant as ke
from keras_equivariant.kernels import learned, natural_covariances, rotated_basis
from keras_equivariant.ops.learned import equivariance_loss, moved

RNG = np.random.default_rng(0)
# How many times smaller the error at 45 degrees is than with interpolated bases, at least: on photographs as they are,
# and on their contrasts alone.
FACTORS = {"brightness": {"bilinear": 4, "gaussian": 2}, "contrast": {"bilinear": 1.9, "gaussian": 1.1}}


@pytest.fixture(autouse=True)
def _seed():
    keras.utils.set_random_seed(0)


@pytest.fixture(scope="module")
def photographs():
    """Pieces of two photographs, gray, from 0 to 1."""
    pictures = pytest.importorskip("sklearn.datasets").load_sample_images().images
    pieces = []
    for picture in pictures:
        gray = picture.mean(axis=-1) / 255
        corners = np.random.default_rng(0).integers(0, (gray.shape[0] - 27, gray.shape[1] - 27), (12, 2))
        pieces += [gray[row : row + 27, column : column + 27] for row, column in corners]
    return np.stack(pieces)[..., None]


@pytest.fixture(scope="module")
def contrasts(photographs):
    """The same less the mean of each."""
    return photographs - photographs.mean(axis=(1, 2), keepdims=True)


def error(basis, group, kernel_size, images, element=1, **options):
    """|f(g x) - g f(x)| / |f(x)| of one lifting convolution with random coefficients."""
    keras.utils.set_random_seed(0)
    layer = ke.layers.LiftingConv2D(
        16, kernel_size, group, padding="same", basis=basis, use_bias=False, dtype="float64", **options
    )
    (found,) = ke.equivariance_error(
        lambda x: ops.convert_to_numpy(layer(x)), group, images, elements=[element]
    ).values()
    return found


@pytest.mark.tensorflow
@pytest.mark.parametrize("kind", FACTORS)
def test_between_the_quarter_turns_learned_is_better_than_interpolated_by_a_factor(kind, photographs, contrasts):
    images = photographs if kind == "brightness" else contrasts
    ours = error("learned", "C8", 3, images)
    for basis, factor in FACTORS[kind].items():
        assert factor * ours < error(basis, "C8", 3, images), basis


@pytest.mark.tensorflow
def test_full_and_partial_at_quarter_turns(contrasts):
    quarter = {"element": 2, "kernel_size": 3, "group": "C8", "images": contrasts}
    assert error("learned", **quarter) <= 1e-12
    with pytest.warns(UserWarning, match="is a full learned basis"):
        full = error("learned_full", strict=False, **quarter)
    assert 1e-3 < full < 0.05


def test_a_full_basis_is_not_built_silently():
    layer = ke.layers.LiftingConv2D(2, 3, "C8", basis="learned_full")
    with pytest.raises(ValueError, match='loses its exact symmetry: basis="learned_full".*use a partial one'):
        layer.build((None, 9, 9, 1))
    problems = ke.lint("l2c_mnist", basis="learned_full", strict=True)
    assert len(problems) == 5 and all("full learned basis" in problem.message for problem in problems)


def test_only_approximate_bases_can_be_trained():
    with pytest.raises(ValueError, match='nothing to train in it.*use basis="learned"'):
        ke.layers.GroupConv2D(2, 3, "C4", trainable_basis=True)
    with pytest.raises(ValueError, match="nothing to train in it"):
        ke.layers.LiftingConv2D(2, 1, "C8", basis="learned", trainable_basis=True)


@pytest.mark.parametrize("basis", ["learned", "learned_full", "bilinear", "gaussian", "steerable"])
def test_any_approximate_basis_can_be_trained_and_starts_where_it_is(basis):
    x = RNG.normal(size=(2, 9, 9, 1)).astype("float32")
    options = {"filters": 2, "kernel_size": 3, "group": "C8", "basis": basis, "strict": basis != "learned_full"}
    layers = [ke.layers.LiftingConv2D(**options, trainable_basis=trainable) for trainable in (False, True)]
    with pytest.warns(UserWarning) if basis == "learned_full" else _nothing():
        for layer in layers:
            layer.build(x.shape)
    frozen, trainable = layers
    assert len(frozen.trainable_weights) == 2 and len(trainable.trainable_weights) == 3
    trainable.kernel.assign(frozen.kernel)
    np.testing.assert_allclose(*(ops.convert_to_numpy(layer(x)) for layer in layers), atol=1e-5)
    trainable(x, training=False)
    assert not trainable.losses
    trainable(x, training=True)
    assert len(trainable.losses) == 1 and 0 < float(trainable.losses[0]) < 1


class _nothing:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False


def test_the_loss_of_a_basis_is_its_error_on_images_of_that_spectrum():
    group = ke.groups.get("C8")
    covariance, cross = natural_covariances(group, (3, 3))
    functions = {name: rotated_basis("C8", (3, 3), name).basis for name in ("learned", "gaussian", "bilinear")}
    loss = {
        name: float(equivariance_loss(ops.convert_to_tensor(f), covariance, cross, group.cayley))
        for name, f in functions.items()
    }
    assert 0 < 1.2 * loss["learned"] < loss["gaussian"] < loss["bilinear"]
    # By the definition, from a square root of the covariance of (f, L_g f).
    f, total, power = functions["gaussian"], 0.0, 0.0
    for g in range(8):
        for s in range(8):
            difference = np.concatenate([f[s], -f[group.product(g, s)]], axis=1)
            joint = np.block([[covariance, cross[g]], [cross[g].T, covariance]])
            total += np.trace(difference @ joint @ difference.T)
            power += np.trace(f[s] @ covariance @ f[s].T) * 2
    assert loss["gaussian"] == pytest.approx(total / power, rel=1e-5)
    # On quarter turns alone nothing is lost.
    quarter = ke.groups.get("C4")
    exact = ops.convert_to_tensor(rotated_basis("C4", (3, 3), "gaussian").basis)
    assert abs(float(equivariance_loss(exact, *natural_covariances(quarter, (3, 3)), quarter.cayley))) < 1e-6


@pytest.mark.tensorflow
def test_training_by_the_loss_alone_improves_a_basis_and_keeps_quarter_turns_exact(contrasts):
    inputs = keras.Input((27, 27, 1))
    layer = ke.layers.LiftingConv2D(
        2, 3, "C8", basis="bilinear", padding="same", trainable_basis=True, equivariance_weight=2.0
    )
    model = keras.Model(inputs, layer(inputs))
    model.compile(keras.optimizers.Adam(3e-3), loss=lambda y, p: 0.0 * ops.mean(p), jit_compile=True)
    x = contrasts.astype("float32")
    y = np.zeros((len(x), 27, 27, 8, 2), "float32")
    before = float(model.train_on_batch(x, y))
    for _ in range(150):
        after = float(model.train_on_batch(x, y))
    assert after < 0.2 * before
    exact = ke.equivariance_error(layer, "C8", x[:4], elements="exact")
    assert max(exact.values()) < 1e-5
    start = error("bilinear", "C8", 3, contrasts)
    (end,) = ke.equivariance_error(layer, "C8", contrasts, elements=[1]).values()
    assert end < 0.5 * start
    # Folded, it is the stock convolution of the trained basis.
    folded = ke.fold(model)
    np.testing.assert_allclose(np.asarray(folded(x[:2])).ravel(), np.asarray(model(x[:2])).ravel(), atol=1e-5)


def test_moved_functions_are_those_of_the_basis():
    basis = rotated_basis("D8", (3, 3), "learned")
    assert basis.representatives.shape == (2, 9, 9)
    found = moved(ops.convert_to_tensor(basis.representatives), basis.source, basis.permuted)
    np.testing.assert_array_equal(ops.convert_to_numpy(found), basis.basis)


def test_own_file_in_a_saved_model(tmp_path):
    path = learned.find("learned", ke.groups.get("C8"), (3, 3))
    own = tmp_path / "own.npz"
    own.write_bytes(path.read_bytes())
    inputs = keras.Input((9, 9, 1))
    model = keras.Model(inputs, ke.layers.LiftingConv2D(2, 3, "C8", basis=own)(inputs))
    model.save(tmp_path / "model.keras")
    x = RNG.normal(size=(1, 9, 9, 1)).astype("float32")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(ops.convert_to_numpy(loaded(x)), ops.convert_to_numpy(model(x)))
    own.unlink()
    with pytest.raises((FileNotFoundError, TypeError), match="must be a file that exists"):
        keras.models.load_model(tmp_path / "model.keras")


def enlarged(x, factor):
    """Features (B, H, W, ...) grown about the center by a cubic spline."""
    from scipy import ndimage

    size = x.shape[1]
    planes = np.moveaxis(x.reshape(*x.shape[:3], -1), -1, 1).reshape(-1, size, size)
    offset = (size - 1) / 2 * (1 - 1 / factor)
    grown = [ndimage.affine_transform(plane, [1 / factor] * 2, offset, order=3, mode="nearest") for plane in planes]
    return np.moveaxis(np.stack(grown).reshape(len(x), -1, size, size), 1, -1).reshape(x.shape)


@pytest.mark.tensorflow
def test_saved_weights_are_not_put_on_another_basis(tmp_path):
    """The file of a basis may be overwritten after a model was saved."""
    paths = [tmp_path / "own.npz", tmp_path / "other.npz"]
    rng = np.random.default_rng(0)
    for path in paths:
        basis = learned.load(learned.find("learned", ke.groups.get("C8"), (3, 3)))
        functions = (basis.basis + 0.1 * rng.normal(size=basis.basis.shape)).astype("float32")
        learned.LearnedBasis(basis.group, basis.variant, functions).save(path)
    image = keras.Input((7, 7, 1))
    x = ke.layers.LiftingConv2D(2, 3, "C8", basis=str(paths[0]))(image)
    x = ke.layers.GroupDepthwiseConv2D(3, "C8", basis=str(paths[0]))(x)
    model = keras.Model(image, ke.layers.GroupPooling("max")(x))
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    inputs = rng.normal(size=(2, 7, 7, 1)).astype("float32")
    wanted = model.predict(inputs, verbose=0)
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "model.keras").predict(inputs, verbose=0), wanted)
    model.load_weights(tmp_path / "model.weights.h5")
    paths[0].write_bytes(paths[1].read_bytes())
    os.utime(paths[0], (1, 1))
    with pytest.raises(ValueError, match="learned basis that they were saved with.*own.npz.*put back"):
        keras.models.load_model(tmp_path / "model.keras")
    with pytest.raises(ValueError, match="learned basis that they were saved with"):
        other = keras.Model.from_config(model.get_config())
        other.load_weights(tmp_path / "model.weights.h5")


def test_scales_are_a_second_group_approximately(contrasts, tmp_path):
    from scipy import ndimage

    path = tmp_path / "scales.npz"
    options = {"scales": (1, 1.5), "orthogonality_weight": 0.03, "epochs": 8, "path": path, "verbose": 0}
    basis = ke.learn_basis("C4", 5, ke.data.dead_leaves(300, 24), **options)
    assert basis.provenance["held_out_losses"]["equivariance"] <= 0.005
    options = {"filters": 4, "kernel_size": 5, "group": "C4", "basis": path, "padding": "same", "dtype": "float64"}
    lift = ke.layers.LiftingConv2D(**options, use_bias=False)
    x = ndimage.gaussian_filter(contrasts, (0, 1, 1, 0))
    window = (slice(None), slice(6, 21), slice(6, 21))
    y, y_grown = (ops.convert_to_numpy(lift(image)) for image in (x, enlarged(x, 1.5)))
    assert y.shape == (len(x), 27, 27, 8, 4)  # element 4 j + s is rotation s on scale j
    expected = enlarged(y[..., :4, :], 1.5)[window]
    larger = np.linalg.norm(y_grown[..., 4:, :][window] - expected) / np.linalg.norm(expected)
    same = np.linalg.norm(y_grown[..., :4, :][window] - expected) / np.linalg.norm(expected)
    assert larger < 0.92 * same < 0.4  # negative control: the scale that it had before
    # Quarter turns are exact on every scale, and a group convolution keeps scales apart.
    convolve = ke.layers.GroupConv2D(**options, use_bias=False)
    for function in (lift, lambda x: convolve(lift(x))):
        for j in (0, 4):
            errors = ke.equivariance_error(
                lambda x, j=j, f=function: ops.convert_to_numpy(f(x))[..., j : j + 4, :], "C4", x[:4]
            )
            assert max(errors.values()) <= 1e-12
    features = RNG.normal(size=(1, 7, 7, 8, 4))
    changed = features.copy()
    changed[..., 4:, :] = 0
    before, after = (ops.convert_to_numpy(convolve(f)) for f in (features, changed))
    np.testing.assert_allclose(after[..., :4, :], before[..., :4, :], atol=1e-12)
    assert np.abs(after[..., 4:, :]).max() < 1e-12 < np.abs(before[..., 4:, :]).max()


@pytest.mark.tensorflow
def test_scales_in_a_network_that_is_folded(tmp_path):
    path = tmp_path / "scales.npz"
    functions = RNG.normal(size=(2, 2, 9, 3, 3)).astype("float32")
    learned.LearnedBasis(ke.groups.get("C8"), "partial", functions, (1.0, 2.0)).save(path)
    options = {"kernel_size": 3, "group": "C8", "basis": str(path), "padding": "same"}
    spec = {
        "spec": 1,
        "name": "scales",
        "input": {"shape": [8, 8, 1]},
        "layers": [
            {"LiftingConv2D": {"filters": 2, "groups": 1, **options}},
            {"BatchNormalization": {"activation": "relu"}},
            {"GroupConv2D": {"filters": 4, "groups": 2, **options}},
            {"GroupPooling": "max"},
            "GlobalAveragePooling2D",
        ],
    }
    model = ke.build_from_spec(spec)
    assert [layer.output.shape[-2:] for layer in model.layers[1:4]] == [(16, 2), (16, 2), (16, 4)]
    x = RNG.normal(size=(2, 8, 8, 1)).astype("float32")
    np.testing.assert_allclose(np.asarray(ke.fold(model)(x)), np.asarray(model(x)), atol=1e-5)
    assert max(ke.equivariance_error(model, "C8", x, law="invariance", elements="exact").values()) < 1e-5
    with pytest.raises(ValueError, match="trained on one scale"):
        ke.layers.LiftingConv2D(2, **options, trainable_basis=True)


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf"), "1", True])
def test_the_weight_of_the_loss_is_a_number_from_0(weight):
    options = {"basis": "learned", "trainable_basis": True, "equivariance_weight": weight}
    with pytest.raises(ValueError, match="`equivariance_weight` must be a number from 0"):
        ke.layers.LiftingConv2D(2, 3, "C8", **options)

"""Points that symmetry, or a line, leaves without a direction: shells, origins, frames, and their gradients."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_equivariant as ke
from keras_equivariant import groups, layers
from keras_equivariant.ops.gradient import gradient

pytestmark = pytest.mark.tensorflow
TETRAHEDRON = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1.0]])
ANGLES = 2 * np.pi * np.arange(6) / 6
RING = np.stack([np.cos(ANGLES), np.sin(ANGLES), 0 * ANGLES], axis=-1)
MOLECULES = {
    "methane": np.concatenate([np.zeros((1, 3)), 0.63 * TETRAHEDRON]),
    "CO2": np.array([[0, 0, 0], [1.16, 0, 0], [-1.16, 0, 0]]),
    "benzene": np.concatenate([1.4 * RING, 2.49 * RING]),
    "any": np.random.default_rng(0).normal(size=(6, 3)),
}


@pytest.fixture(autouse=True)
def _seed():
    keras.utils.set_random_seed(0)


def values(x):
    """Two kinds of atoms."""
    f = np.ones((1, len(x), 2))
    f[0, 0 if len(x) < 12 else slice(0, 6)] = 2.0
    return f


def network(count, group="T3", samples=1, sampling="grid", **options):
    x, f = keras.Input((count, 3), dtype="float64"), keras.Input((count, 2), dtype="float64")
    mask = keras.Input((count,), dtype="bool")
    y = layers.LieLift(group, samples, sampling, dtype="float64")([x, f, mask])
    for _ in range(2):
        y = layers.LieConv(5, group, kernel_units=(8,), batch_normalization=False, dtype="float64", **options)(y)
    return keras.Model([x, f, mask], layers.LiePooling("sum", dtype="float64")(y))


def energy(model, x):
    count = x.shape[0]
    return lambda z: model([ops.convert_to_tensor(z), ops.convert_to_tensor(values(x)), ops.ones((1, count), "bool")])


def forces(model, x, step=1e-5):
    """Gradients of the sum of outputs, and central differences of it."""
    function = energy(model, x)
    exact = ops.convert_to_numpy(gradient(function, ops.convert_to_tensor(x[None])))[0]
    found = np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        ahead, behind = x.copy(), x.copy()
        ahead[index] += step
        behind[index] -= step
        found[index] = float(ops.sum(function(ahead[None])) - ops.sum(function(behind[None]))) / (2 * step)
    return exact, found


@pytest.mark.parametrize("name", ["CO2", "any"])
def test_gradients_along_principal_axes_are_central_differences(name):
    x = MOLECULES[name]
    exact, found = forces(network(len(x), "SE3", 4, "principal", neighbors=4 * len(x)), x)
    assert np.abs(exact - found).max() <= 1e-8 * max(1, np.abs(found).max())
    assert np.abs(exact).max() > 1e-3


@pytest.mark.parametrize("name", ["methane", "benzene"])
def test_gradients_along_equal_axes_are_bounded(name):
    x = MOLECULES[name] + 1e-7 * np.random.default_rng(0).normal(size=MOLECULES[name].shape)
    model = network(len(x), "SE3", 4, "principal", neighbors=4 * len(x))
    exact = ops.convert_to_numpy(gradient(energy(model, x), ops.convert_to_tensor(x[None])))
    assert np.abs(exact).max() < 100


@pytest.mark.parametrize("name", MOLECULES)
def test_averages_over_frames_are_exact_and_smooth(name):
    x = MOLECULES[name]
    model = network(len(x), neighbors=len(x))
    average = layers.FrameAveraging(model, "SE3", dtype="float64")

    def answer(x, layer=average):
        return ops.convert_to_numpy(energy(layer, x)(x[None]))

    y = answer(x)
    for a in groups.lie_group("SE3").random_logarithms(3)[1:]:
        moved = groups.move_points(x, groups.lie_group("SE3").matrix(a))
        np.testing.assert_allclose(answer(moved), y, rtol=1e-10, atol=1e-11)
        assert np.abs(answer(moved, model) - answer(x, model)).max() > 1e-4  # negative control: T3 alone
    nudge = np.random.default_rng(1).normal(size=x.shape)
    steps = [np.abs(answer(x + size * nudge) - y).max() for size in (1e-3, 1e-5, 1e-7)]
    assert steps[0] < 0.1 and steps[1] < 1e-3 and steps[2] < 1e-5
    if name != "benzene":
        exact, found = forces(average_model(average, len(x)), x)
        assert np.abs(exact - found).max() <= 1e-4 * max(1, np.abs(found).max())


def average_model(average, count):
    inputs = [keras.Input((count, 3), dtype="float64"), keras.Input((count, 2), dtype="float64")]
    inputs.append(keras.Input((count,), dtype="bool"))
    return keras.Model(inputs, average(inputs))


def test_averages_over_frames_rotate_vectors_and_come_back_from_a_file(tmp_path):
    x = MOLECULES["any"]
    inner = keras.Sequential([keras.layers.Dense(6, dtype="float64")])
    model = network(len(x), neighbors=3)
    inner = keras.Model(model.inputs, inner(model.outputs[0]))
    whole = average_model(layers.FrameAveraging(inner, "SE3", vectors=True, dtype="float64"), len(x))
    matrix = groups.lie_group("SE3").matrix(groups.lie_group("SE3").random_logarithms(2)[1])
    y, z = (ops.convert_to_numpy(energy(whole, x)(p[None])) for p in (x, groups.move_points(x, matrix)))
    np.testing.assert_allclose(z.reshape(3, 2), matrix[:3, :3] @ y.reshape(3, 2), atol=1e-11)
    whole.save(tmp_path / "averaged.keras")
    again = ke.load_model(tmp_path / "averaged.keras") if hasattr(ke, "load_model") else None
    again = again or keras.models.load_model(tmp_path / "averaged.keras")
    np.testing.assert_array_equal(ops.convert_to_numpy(energy(again, x)(x[None])), y)
    with pytest.raises(ValueError, match="SE2.*SE3.*Received"):
        layers.FrameAveraging(inner, "SO3")


def test_frames_leave_out_what_is_no_position():
    """A point that is NaN or infinite counts as one that the mask leaves out."""
    average = layers.FrameAveraging(network(5), "SE3", dtype="float64")
    rng = np.random.default_rng(0)
    x, f, mask = rng.normal(size=(2, 5, 3)), rng.normal(size=(2, 5, 2)), np.ones((2, 5), bool)
    mask[:, 4] = False
    wanted = ops.convert_to_numpy(average([x, f, mask]))
    x[:, 4] = [[np.nan, 0.0, 0.0], [0.0, np.inf, 0.0]]
    found = ops.convert_to_numpy(average([x, f, mask | True]))
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    assert np.abs(wanted).min() > 0


def test_shells_count_as_wholes():
    """Benzene at k = 3: its carbons have two as far as the last one; moved by little, the output changes little."""
    x = MOLECULES["benzene"]
    model = network(len(x), neighbors=3)
    y = ops.convert_to_numpy(energy(model, x)(x[None]))
    nudge = np.random.default_rng(1).normal(size=x.shape)
    for size, most in ((1e-4, 1e-2), (1e-6, 1e-4)):
        moved = ops.convert_to_numpy(energy(model, x)((x + size * nudge)[None]))
        assert 0 < np.abs(moved - y).max() < most * np.abs(y).max()
    exact, found = forces(model, x + 3e-3 * nudge)  # where shells count in part
    assert np.abs(exact - found).max() <= 1e-6 * np.abs(found).max()


def test_a_shell_without_a_place_is_left_out():
    """The four neighbors of a lattice's middle at k = 2: with 2 places the point is alone, with 5 all four count."""
    x = np.array([[[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1], [9, 9.0]]])
    f = np.arange(6.0).reshape(1, 6, 1)
    found = {}
    for spare in (0, 3):
        keras.utils.set_random_seed(0)
        conv = layers.LieConv(3, "T2", neighbors=2, spare=spare, dtype="float64")
        found[spare] = [
            ops.convert_to_numpy(conv([x, f + change, np.ones((1, 6), bool)])[1])[0, 0]
            for change in (0.0, np.array([0, 0, 0, 0, 1.0, 0]).reshape(1, 6, 1))
        ]
    assert np.abs(found[0][1] - found[0][0]).max() == 0 < np.abs(found[3][1] - found[3][0]).max()


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_norms_have_gradients_on_features_of_any_scale(scale):
    x = ops.convert_to_tensor(scale * np.random.default_rng(0).normal(size=(2, 3, 3, 2, 2, 2)))
    flat = ops.reshape(x, (2, 3, 3, 8))
    typed = layers.NormPooling("4x1", group="SO2", dtype="float64")
    for layer, z in (
        (layers.HarmonicMagnitude(dtype="float64"), x),
        (layers.HarmonicBatchNormalization(dtype="float64"), x),
        (layers.HarmonicActivation("relu", bias_initializer="ones", dtype="float64"), x),
        (layers.NormActivation("4x1", group="SO2", bias_initializer="ones", dtype="float64"), flat),
        (typed, flat),
    ):
        found = ops.convert_to_numpy(gradient(lambda z, layer=layer: ops.sum(ops.square(layer(z))), z))
        assert (found != 0).all(), layer.name
    norms = ops.convert_to_numpy(typed(flat))
    np.testing.assert_allclose(norms, np.hypot(*np.split(ops.convert_to_numpy(flat), 2, axis=-1)), rtol=1e-12)
    nothing = ops.convert_to_numpy(gradient(typed, 0 * flat))
    np.testing.assert_array_equal(nothing, 0.0)


@pytest.mark.parametrize("size", [3e-4, 300.0])
def test_norms_in_half_precision_are_finite(size):
    x = np.full((1, 3, 3, 2, 2, 2), size, "float16")
    magnitude = layers.HarmonicMagnitude(dtype="float16")(x)
    np.testing.assert_allclose(ops.convert_to_numpy(magnitude), 2 * np.sqrt(2) * size, rtol=2e-3)
    assert np.isfinite(ops.convert_to_numpy(layers.HarmonicBatchNormalization(dtype="float16")(x))).all()


# What one 5x5 layer at its start makes of the variance: white features keep it, smooth ones grow.
GROWTH = {"harmonic": (4.0, 4.8), "SO2": (2.6, 3.4)}


@pytest.mark.parametrize("kind", GROWTH)
def test_initial_variance_on_white_and_on_smooth_features(kind):
    rng = np.random.default_rng(0)
    shape = (2, 17, 17, 2, 2, 32) if kind == "harmonic" else (2, 17, 17, 32 * 3)
    make = {
        "harmonic": lambda: layers.HarmonicConv2D(32, 5),
        "SO2": lambda: layers.SteerableConv2D("32x0 + 32x1", "32x0 + 32x1", 5, group="SO2"),
    }[kind]
    white = rng.normal(size=shape).astype("float32")
    smooth = np.broadcast_to(rng.normal(size=(1, 1, 1, *shape[3:])), shape).astype("float32")
    ratios = []
    for x in (white, smooth):
        found = [np.square(ops.convert_to_numpy(make()(x))).mean() / np.square(x).mean() for _ in range(4)]
        ratios.append(np.mean(found))
    low, high = GROWTH[kind]
    assert 0.7 < ratios[0] < 1.4 and low < ratios[1] < high, ratios


def test_seven_harmonic_layers_in_a_row_grow_and_normalized_ones_do_not():
    """The gain is right for what is white; behind the first layer nothing is."""
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(1, 17, 17, 2, 2, 16)).astype("float32")
    steps = {"bare": lambda y: y, "normalized": lambda y: layers.HarmonicBatchNormalization()(y, training=True)}
    ratios = {}
    for name, normalize in steps.items():
        y = x
        for _ in range(7):
            y = normalize(layers.HarmonicConv2D(16, 5, padding="same")(y))
            ratios.setdefault(name, []).append(np.square(ops.convert_to_numpy(y)).mean() / np.square(x).mean())
    assert 0.7 < ratios["bare"][0] < 1.4 and 100 < ratios["bare"][-1] < 3000, ratios
    assert 0.3 < min(ratios["normalized"]) and max(ratios["normalized"]) < 1.5, ratios

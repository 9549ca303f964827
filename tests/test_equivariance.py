"""equivariance_error and assert_equivariant on functions whose errors are known."""

import keras
import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant.equivariance import assert_equivariant, equivariance_error


def images(size=9, channels=2, samples=3, seed=0):
    return np.random.default_rng(seed).normal(size=(samples, size, size, channels))


def laplacian(x):
    """A circular convolution with a kernel that D4 leaves as it is."""
    return sum(np.roll(x, shift, axis) for axis in (1, 2) for shift in (-1, 1)) - 4 * x


def slope(x):
    """A circular convolution with a kernel that no element of D4 leaves as it is: one pixel down, two to the right."""
    return np.roll(x, (1, 2), axis=(1, 2)) - x


@pytest.mark.parametrize("size", [8, 9])
def test_symmetric_kernel_is_equivariant_and_a_directed_one_is_not(size):
    errors = equivariance_error(laplacian, "D4", images(size))
    assert list(errors) == list(ke.groups.get("D4").element_names)
    assert errors.max_exact < 1e-15 and not errors.interpolated
    broken = equivariance_error(slope, "D4", images(size))
    assert broken["e"] == 0 and min(error for name, error in broken.items() if name != "e") > 0.5


@pytest.mark.parametrize("c", [0.5, 1e-3])
def test_the_error_is_the_one_computed_by_hand(c):
    # f(x) = (1 + c s) x with s = -1 on the left and 1 on the right half: r180 turns s into -s, so with |x| = 1
    # everywhere |f(gx) - g f(x)| = 2 c |x| and |f(x)| = sqrt(1 + c^2) |x|.
    x = np.sign(images(8))
    side = np.where(np.arange(8) < 4, -1.0, 1.0)[:, None]
    errors = equivariance_error(lambda x: (1 + c * side) * x, "C2", x)
    assert errors["r180"] == pytest.approx(2 * c / np.sqrt(1 + c**2), rel=1e-12)


def test_both_laws_are_told_apart():
    mean = lambda x: x.mean(axis=(1, 2))  # noqa: E731
    assert equivariance_error(mean, "D4", images()).max_exact < 1e-14
    assert equivariance_error(laplacian, "D4", images(), law="invariance").max_exact > 0.5
    broadcast = lambda x: 0 * x + x.mean(axis=(1, 2), keepdims=True)  # noqa: E731
    assert equivariance_error(broadcast, "D4", images(), law="invariance").max_exact < 1e-14
    with pytest.raises(ValueError, match="`law` must be one of"):
        equivariance_error(mean, "D4", images(), law="equivariant")


def test_a_regular_output_must_permute_its_group_axis():
    def lift(x):  # f(x)(p, s) = <x, s kernel>: the four directed differences
        return np.stack([np.roll(x, d, axis) - x for axis, d in ((2, 1), (1, -1), (2, -1), (1, 1))], axis=3)

    assert equivariance_error(lift, "C4", images(8)).max_exact < 1e-15
    wrong_order = equivariance_error(lambda x: lift(x)[:, :, :, [0, 3, 2, 1]], "C4", images(8))
    assert wrong_order["r90"] > 0.5 and wrong_order["r180"] < 1e-15
    folded = lambda x: lift(x).reshape(*x.shape[:3], -1)  # noqa: E731
    assert equivariance_error(folded, "C4", images(8), output_layout="folded").max_exact < 1e-15
    assert equivariance_error(folded, "C4", images(8)).max_exact > 0.5  # read as an image


def test_layouts_may_be_callables():
    def mirrored_channels(x, group, element):
        moved = ke.groups.act(x, group, element, "image")
        return moved * np.linalg.det(group.matrices[element])  # a pseudo-scalar changes sign under mirrors

    def curl(x):
        return slope(x[..., :1]) * np.roll(laplacian(x), 1, axis=1)[..., :1]

    def determinant(x):  # of the gradients of two channels
        gx, gy = ((np.roll(x, -1, axis) - np.roll(x, 1, axis)) for axis in (2, 1))
        return gx[..., :1] * gy[..., 1:] - gy[..., :1] * gx[..., 1:]

    assert equivariance_error(determinant, "D4", images(8), output_layout=mirrored_channels).max_exact < 1e-14
    assert equivariance_error(determinant, "D4", images(8))["m"] == pytest.approx(2)
    assert equivariance_error(curl, "D4", images(8), output_layout=mirrored_channels).max_exact > 0.5


def test_several_inputs_and_outputs():
    x = {"image": images(8), "scale": np.linspace(1, 2, 3)[:, None], "other": images(8, seed=1)}

    def both(x):
        scaled = laplacian(x["image"]) * x["scale"][:, :, None, None]
        return [scaled + x["other"], scaled.max(axis=(1, 2))]

    assert equivariance_error(both, "D4", x).max_exact < 1e-15
    assert_equivariant(both, "D4", x)
    second_broken = lambda x: [both(x)[0], slope(x["image"])[:, 0, 0]]  # noqa: E731
    assert equivariance_error(second_broken, "D4", x).max_exact > 0.5
    one_by_one = equivariance_error(both, "D4", x, output_layout=["image", "invariant"])
    assert one_by_one.max_exact < 1e-15


def test_interpolated_elements_are_labeled_and_measured_on_a_disc():
    smooth = np.cos(np.arange(33) * 0.3)
    x = (smooth[:, None] * np.sin(np.arange(33) * 0.2))[None, :, :, None]
    errors = equivariance_error(lambda x: x + 1, "C8", x)
    assert errors.interpolated == {"r45", "r135", "r225", "r315"}
    assert errors.max_exact == 0
    assert 0 < max(errors[name] for name in errors.interpolated) < 1e-3
    assert "r45      interpolated" in str(errors)
    assert list(equivariance_error(laplacian, "C8", x, elements="exact")) == ["e", "r90", "r180", "r270"]
    assert list(equivariance_error(laplacian, "C8", x, elements=["r45", 2])) == ["r45", "r90"]
    assert max(equivariance_error(slope, "C8", x, elements=["r45"]).values()) > 0.5


def test_batches_do_not_change_the_error():
    calls = []

    def spy(x):
        calls.append(len(x))
        return slope(x)

    x = images(8, samples=5)
    whole = equivariance_error(slope, "C4", x)
    calls.clear()
    split = equivariance_error(spy, "C4", x, batch_size=2)
    assert set(calls) == {2}
    assert split == pytest.approx(whole, rel=1e-12)


def test_precision_shows():
    x = images(8).astype("float32")
    assert 1e-9 < equivariance_error(lambda x: x.mean(axis=(1, 2)), "C4", x).max_exact < 1e-5
    assert_equivariant(lambda x: x.mean(axis=(1, 2)), "C4", x)
    with pytest.raises(AssertionError, match="beyond the tolerance 1e-12"):
        assert_equivariant(lambda x: x.mean(axis=(1, 2)).astype("float64"), "C4", x)


def test_keras_layers_run_in_inference():
    layer = keras.layers.Dropout(0.5)
    x = images(8).astype("float32")
    layer(x)
    assert equivariance_error(layer, "D4", x).max_exact == 0
    with pytest.raises(AssertionError, match="differs between two calls"):
        assert_equivariant(lambda x: layer(x, training=True), "D4", x)


def test_assert_equivariant_lists_the_worst_elements_with_a_hint():
    with pytest.raises(AssertionError) as caught:
        assert_equivariant(slope, "D4", images(8))
    text = str(caught.value)
    assert "f(gx) = g f(x) for D4" in text and "7 elements beyond the tolerance 1e-12" in text
    errors = equivariance_error(slope, "D4", images(8))
    assert text.splitlines()[3].startswith(max(errors, key=errors.get))
    rows_and_columns = lambda x: np.roll(x, 1, axis=2) + np.roll(x, -1, axis=2)  # noqa: E731
    with pytest.raises(AssertionError, match="subgroup {e, r180, m, m r180}"):
        assert_equivariant(rows_and_columns, "D4", images(8))
    with pytest.raises(AssertionError, match="only interpolated elements fail"):
        assert_equivariant(laplacian, "C8", images(8))
    assert_equivariant(laplacian, "C8", images(8), elements="exact")


def test_tolerances_of_assert_equivariant():
    x = images(8)
    nearly = lambda x: x + 1e-3 * slope(x)  # noqa: E731
    error = equivariance_error(nearly, "C4", x).max_exact
    with pytest.raises(AssertionError):
        assert_equivariant(nearly, "C4", x)
    assert_equivariant(nearly, "C4", x, rtol=1.01 * error)
    assert_equivariant(nearly, "C4", x, atol=1.01 * error * np.linalg.norm(nearly(x)))
    with pytest.raises(AssertionError):
        assert_equivariant(nearly, "C4", x, rtol=0.99 * error)


@pytest.mark.parametrize(
    "fn, x, fault",
    [
        (lambda x: np.ones((len(x), 3)), images(8), "does not depend on the input"),
        (lambda x: 0 * x, images(8), "zero everywhere"),
        (lambda x: x.mean(axis=(1, 2)) * np.nan, images(8), "not finite"),
        (lambda x: x, np.ones((2, 8, 8, 1)), "hardly change under r90"),
    ],
)
def test_a_function_that_cannot_fail_does_not_pass(fn, x, fault):
    with pytest.raises(AssertionError, match=fault):
        assert_equivariant(fn, "C4", x)


def test_the_identity_alone_proves_nothing():
    with pytest.raises(AssertionError, match="no element but the identity"):
        assert_equivariant(laplacian, "C1", images(8))


def test_errors_without_a_value_are_nan():
    assert np.isnan(equivariance_error(lambda x: 0 * x, "C4", images(8))["r90"])


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"x": np.zeros((2, 5))}, 'all "invariant"; name their layouts'),
        ({"x": np.zeros((2, 7, 5))}, "`input_layout`: The layout must follow from the shape"),
        ({"x": np.zeros((2, 7, 7, 7, 5))}, "a group of the plane. Received: .*; volumes need a group of space such as"),
        ({"fn": lambda x: x.reshape(len(x), 8, -1)}, "`output_layout`: The layout must follow from the shape"),
        ({"fn": lambda x: x.sum(axis=0)}, "one output per sample"),
        ({"fn": lambda x: 1.0}, "one output per sample"),
        ({"fn": lambda x: []}, "must return an output.*none"),
        ({"batch_size": 0}, "`batch_size` must be a positive integer"),
        ({"output_layout": "regular"}, "must have rank 5"),
        ({"output_layout": "pixels"}, "`layout` must be"),
        ({"output_layout": ["image", "image"]}, "one layout, or one per array"),
        ({"output_layout": "folded", "fn": lambda x: np.concatenate([x, x, x], axis=-1)}, r"\(B, \*space, 4 C\)"),
        ({"x": [np.zeros((2, 8, 8, 1)), np.zeros((3, 1))]}, "same number of samples"),
        ({"x": np.zeros((0, 8, 8, 1))}, "at least one"),
        ({"elements": ["r30"]}, "`elements` must be indices below 4"),
        ({"elements": [4]}, "`elements` must be indices below 4"),
        ({"group": "X9"}, "`group` must be"),
    ],
)
def test_wrong_arguments_say_what_is_right(arguments, message):
    with pytest.raises(ValueError, match=message):
        equivariance_error(**{"fn": laplacian, "group": "C4", "x": images(8), **arguments})


@pytest.mark.parametrize("option", [{"rtol": -1}, {"rtol": "1e-3"}, {"atol": float("nan")}])
def test_tolerances_are_numbers_from_0(option):
    (name,) = option
    with pytest.raises(ValueError, match=f"`{name}` must be a number from 0"):
        assert_equivariant(laplacian, "C4", images(8), **option)

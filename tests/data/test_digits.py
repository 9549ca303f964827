"""The embedded data set: fixed, enlarged, split by writer, and its rotated variant."""

import numpy as np
import pytest

from keras_equivariant import data
from keras_equivariant.data.sets.oriented import _moments

pytest.importorskip("sklearn")


def test_digits_are_fixed_and_sized_like_mnist():
    first, second = data.load("digits"), data.load("digits", seed=5)
    assert first.x_train.shape == (1297, 28, 28, 1) and first.x_test.shape == (500, 28, 28, 1)
    assert first.x_train.dtype == np.uint8 and first.x_train.max() == 255 and first.num_classes == 10
    np.testing.assert_array_equal(first.x_train, second.x_train)
    assert set(first.y_train) == set(first.y_test) == set(range(10))


def test_digits_fill_the_middle_and_leave_the_border_free():
    images = data.load("digits").x_train
    border = np.ones((28, 28), bool)
    border[4:24, 4:24] = False
    assert not images[:, border].any()
    assert (images[:, 4:24, 4:24].reshape(len(images), -1).max(axis=1) > 200).all()


def test_rotated_digits_are_rotated_copies_that_depend_on_the_seed_alone():
    upright = data.load("digits")
    first, again, other = (data.load("rotated_digits", seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.x_train, again.x_train)
    assert (first.x_train != other.x_train).any()
    np.testing.assert_array_equal(first.y_test, upright.y_test)
    # A rotation keeps the ink; the upright digits differ from their rotated copies.
    ink = first.x_test.sum(axis=(1, 2, 3), dtype=float) / upright.x_test.sum(axis=(1, 2, 3), dtype=float)
    assert abs(ink.mean() - 1) < 0.01 and ink.std() < 0.05
    changed = (np.abs(first.x_test.astype(float) - upright.x_test).mean(axis=(1, 2, 3)) > 5).mean()
    assert changed > 0.9


def test_oriented_digits_are_straight_and_their_copies_too():
    small, raw = data.load("oriented_digits", copies=2), data.load("oriented_digits", copies=1, straight=False)
    assert len(small.x_train) == 2 * len(raw.x_train) == 782 and len(small.x_test) == len(raw.x_test) == 152
    np.testing.assert_array_equal(small.y_train, np.tile([1.0, 0.0], (782, 1)))
    np.testing.assert_array_equal(small.x_train[::2], data.load("oriented_digits", copies=1).x_train)
    leans = {}
    for name, images in (("straight", small.x_train), ("written", raw.x_train)):
        moments = [_moments(image[..., 0].astype(float)) for image in images]
        leans[name] = np.abs([lean for _, lean in moments]).mean()
    assert leans["straight"] < 0.01 < 0.08 < leans["written"]
    assert np.abs(small.x_train[1::2].astype(int) - small.x_train[::2]).mean() > 1
    rotated = data.load("oriented_digits", rotated=True)
    np.testing.assert_allclose(np.linalg.norm(rotated.y_train, axis=-1), 1, atol=1e-6)
    assert rotated.y_train.std() > 0.5

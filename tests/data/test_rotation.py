"""Which way images rotate: one direction for the data, the augmentation and NumPy's rot90."""

import numpy as np
import pytest

from keras_equivariant.data import Augment, rotate_images
from keras_equivariant.data.motion import move

pytest.importorskip("scipy")
IMAGES = np.random.default_rng(0).integers(0, 256, (4, 9, 9, 2)).astype("uint8")


@pytest.mark.parametrize("quarter", [0, 1, 2, 3, 4, -1])
def test_quarter_turns_are_rot90_exactly(quarter):
    np.testing.assert_array_equal(rotate_images(IMAGES, 90 * quarter), np.rot90(IMAGES, quarter, axes=(1, 2)))


def test_interpolated_rotations_have_the_direction_of_rot90_and_not_the_other():
    angles = np.full(len(IMAGES), 90.0)  # an array of angles takes the interpolating path
    rotated = rotate_images(IMAGES, angles)
    np.testing.assert_array_equal(rotated, np.rot90(IMAGES, 1, axes=(1, 2)))
    assert (rotated != np.rot90(IMAGES, -1, axes=(1, 2))).any()


def test_each_image_has_its_own_angle_and_values_stay_in_range():
    rotated = rotate_images(IMAGES, np.array([0.0, 90.0, 180.0, 33.0]))
    for index in range(3):
        np.testing.assert_array_equal(rotated[index], np.rot90(IMAGES[index], index))
    assert rotated.dtype == np.uint8 and (rotated[3] != IMAGES[3]).any()
    floats = rotate_images(IMAGES.astype("float32"), 33.0)
    assert floats.dtype == np.float32 and floats.min() >= IMAGES.min() and floats.max() <= IMAGES.max()


def apply(images, degrees=0.0, mirror_x=1.0, mirror_y=1.0, shift_x=0.0, shift_y=0.0, fill="constant"):
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    matrix = np.diag([mirror_x, mirror_y]) @ [[cos, -sin], [sin, cos]]
    shifts = np.broadcast_to([shift_y, shift_x], (len(images), 2))
    return move(images.astype("float32"), np.broadcast_to(matrix, (len(images), 2, 2)), shifts, fill)


def test_the_augmentation_rotates_the_same_way():
    np.testing.assert_array_equal(apply(IMAGES, 90), np.rot90(IMAGES, 1, axes=(1, 2)))
    assert np.abs(apply(IMAGES, -90) - np.rot90(IMAGES, 1, axes=(1, 2))).max() > 10


def test_mirrors_and_shifts_move_whole_pixels():
    np.testing.assert_array_equal(apply(IMAGES, mirror_x=-1), IMAGES[:, :, ::-1])
    np.testing.assert_array_equal(apply(IMAGES, mirror_y=-1), IMAGES[:, ::-1])
    shifted = apply(IMAGES, shift_x=2, shift_y=-1)
    np.testing.assert_array_equal(shifted[:, :-1, 2:], IMAGES[:, 1:, :-2])
    assert not shifted[:, -1].any() and not shifted[:, :, :2].any()
    reflected = apply(IMAGES, shift_x=2, fill="reflect")
    np.testing.assert_array_equal(reflected[:, :, :2], IMAGES[:, :, 1::-1])


def test_rotations_are_uniform_in_degrees_over_the_whole_range():
    """An arrow from the center shows each image's angle; the classic slip of radians for degrees would give ±3.1."""
    images = np.zeros((2000, 33, 33, 1), "float32")
    images[:, 15:18, 24:31] = 1.0
    rotated = Augment(rotate=180)(images, (1, 2))[..., 0]
    axis = np.arange(33) - 16
    x, y = (rotated * axis).sum(axis=(1, 2)), -(rotated * axis[:, None]).sum(axis=(1, 2))
    angles = np.degrees(np.arctan2(y, x))
    counts, _ = np.histogram(angles, bins=8, range=(-180, 180))
    assert counts.min() > 190 and counts.max() < 310  # 250 expected, deviation 15
    small = Augment(rotate=10)(images, (1, 2))[..., 0]
    angles = np.degrees(np.arctan2(-(small * axis[:, None]).sum(axis=(1, 2)), (small * axis).sum(axis=(1, 2))))
    assert 9 < angles.max() < 10.5 and -10.5 < angles.min() < -9


def test_flips_and_shifts_have_their_frequencies():
    images = np.broadcast_to(np.arange(81, dtype="float32").reshape(1, 9, 9, 1), (3000, 9, 9, 1))
    flipped = Augment(flip="horizontal")(images, (0, 0))
    mirrored = (flipped == images[:, :, ::-1]).all(axis=(1, 2, 3))
    assert 0.46 < mirrored.mean() < 0.54
    assert ((flipped == images).all(axis=(1, 2, 3)) | mirrored).all()
    moved = Augment(translate=2)(images, (0, 0))[:, 4, 4, 0] - images[:, 4, 4, 0]
    shifts, counts = np.unique(moved, return_counts=True)
    assert sorted(shifts) == sorted(-dx - 9 * dy for dx in range(-2, 3) for dy in range(-2, 3))
    assert counts.min() > 70 and counts.max() < 175  # 120 expected, deviation 11


def test_the_same_seed_gives_the_same_images():
    augment = Augment(rotate=180, flip="both", translate=1)
    images = IMAGES.astype("float32")
    first, again, other = (augment(images, seed) for seed in ((3, 4), (3, 4), (3, 5)))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rotate": 360}, "from 0 to 180. Received: rotate=360"),
        ({"flip": "sideways"}, "Received: flip='sideways'"),
        ({"translate": 1.5}, "whole pixels. Received: translate=1.5"),
        ({"fill": "wrap"}, "Received: fill='wrap'"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        Augment(**arguments)

"""Volumes: generated, read from archives, rotated and augmented."""

import numpy as np
import pytest

from keras_equivariant import data, groups
from keras_equivariant.data import Augment, Preprocess, rotate_images, rotate_volumes
from keras_equivariant.data.motion import move
from keras_equivariant.data.pipeline import training_pipeline


def volumes(count=6, size=7, channels=1):
    return np.random.default_rng(0).integers(1, 255, (count, size, size, size, channels)).astype("uint8")


def save(path, x, **changes):
    labels = np.arange(len(x)) % 2
    arrays = {"x_train": x, "y_train": labels, "x_test": x[:4], "y_test": labels[:4], **changes}
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})
    return str(path)


def test_shapes_come_from_their_seed_alone():
    one, again, other = data.load("shapes"), data.load("shapes"), data.load("shapes", seed=1)
    np.testing.assert_array_equal(one.x_train, again.x_train)
    assert not np.array_equal(one.x_train, other.x_train)
    assert one.x_train.shape == (360, 16, 16, 16, 1) and one.x_train.dtype == np.uint8 and one.num_classes == 6
    assert data.load("shapes", size=12).image_shape == (12, 12, 12, 1)
    with pytest.raises(ValueError, match="at least 8 voxels. Received: size=4"):
        data.load("shapes", size=4)


def test_the_hook_and_the_screw_are_mirror_images_that_no_rotation_brings_together():
    from keras_equivariant.data.sets.voxels import draw

    still = type("Still", (), {"uniform": lambda self, low, high, size: np.full(size, float(low > 0)), "normal": lambda self, scale, size: np.zeros(size)})()  # fmt: skip # noqa: E501
    hook, screw = (draw(still, name, 20)[None] for name in ("hook", "screw"))
    rotated = [groups.act(hook, "O", e, "image") for e in range(24)]
    assert not any(np.array_equal(x, screw) for x in rotated)
    assert any(np.array_equal(groups.act(hook, "Oh", e, "image"), screw) for e in range(48))


def test_cubes_get_a_channel_axis_and_images_with_channels_stay_images(tmp_path):
    x = volumes()
    assert data.load(save(tmp_path / "cubes.npz", x[..., 0])).x_train.shape == (6, 7, 7, 7, 1)
    assert data.load(save(tmp_path / "channels.npz", volumes(channels=2))).image_shape == (7, 7, 7, 2)
    assert data.load(save(tmp_path / "images.npz", x[..., :3, 0])).image_shape == (7, 7, 3)
    assert data.load(save(tmp_path / "slab.npz", x[:, :4])).image_shape == (4, 7, 7, 1)


def test_the_names_of_medmnist(tmp_path):
    x, y = volumes()[..., 0], np.array([[0], [1], [0], [1], [0], [1]])
    parts = {
        f"{part}_{key}": array for part in ("train", "val", "test") for key, array in (("images", x), ("labels", y))
    }
    np.savez(tmp_path / "set.npz", **parts)
    found = data.load(str(tmp_path / "set.npz"))
    assert found.x_val.shape == (6, 7, 7, 7, 1) and found.y_test.tolist() == [0, 1, 0, 1, 0, 1]
    np.savez(tmp_path / "half.npz", **{key: value for key, value in parts.items() if key != "val_labels"})
    with pytest.raises(ValueError, match="or MedMNIST's train_images"):
        data.load(str(tmp_path / "half.npz"))


def test_bad_volumes_are_named(tmp_path):
    x = volumes()
    x[[2, 4]] = 0
    with pytest.raises(ValueError, match="Every volume must hold something.*2 empty ones in x_train, the first at 2"):
        data.load(save(tmp_path / "empty.npz", x))
    with pytest.raises(ValueError, match="one mask for each image"):
        data.load(save(tmp_path / "masks.npz", volumes()[..., 0], y_train=volumes()[..., 0]))
    with pytest.raises(ValueError, match="cannot be preprocessed by zca"):
        Preprocess(["zca"]).fit(volumes())
    with pytest.raises(ValueError, match="cannot be preprocessed by resize"):
        Preprocess([{"resize": 8}]).output_shape((7, 7, 7, 1))
    assert np.abs(Preprocess(["contrast"])(volumes()).mean(axis=(1, 2, 3, 4))).max() < 1e-5


def test_files_that_are_not_there_are_asked_for(monkeypatch):
    monkeypatch.delenv("KERAS_EQUIVARIANT_DATA", raising=False)
    for name in ("modelnet10", "adrenalmnist3d"):
        with pytest.raises(FileNotFoundError, match=f"no {name}.*or use --data shapes"):
            data.load(name)


def test_the_published_archives_are_read(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_EQUIVARIANT_DATA", str(tmp_path))
    x = volumes()[..., 0]
    x[3] = 0
    save(tmp_path / "modelnet10_vox30.npz", x)
    found = data.load("modelnet10")
    assert (
        found.x_train.shape == (5, 7, 7, 7, 1) and found.y_train.tolist() == [0, 1, 0, 0, 1] and len(found.x_test) == 3
    )
    save(tmp_path / "adrenalmnist3d.npz", volumes()[..., 0])
    assert data.load("adrenalmnist3d").name == "adrenalmnist3d"


def test_rotations_about_the_vertical_axis_are_those_of_the_group():
    x = volumes()
    np.testing.assert_array_equal(rotate_images(x, 90), groups.act(x, "C4z", 1, "image"))
    smooth = np.zeros((1, 15, 15, 3, 1), "float32")
    smooth[0, 10:12, 6:9] = 1
    about = rotate_images(rotate_images(smooth, 30), 60)
    assert np.abs(about - rotate_images(smooth, 90)).mean() < 0.02 < np.abs(about - rotate_images(smooth, 270)).mean()


def test_random_rotations_keep_a_ball_and_rotate_a_bar():
    axes = np.meshgrid(*3 * [np.arange(17) - 8], indexing="ij")
    ball = np.exp(-sum(a**2 for a in axes) / 18)[None, ..., None]
    bar = np.exp(-(axes[0] ** 2 + axes[1] ** 2) / 4 - axes[2] ** 2 / 40)[None, ..., None]
    assert np.abs(rotate_volumes(ball) - ball).max() < 0.05
    assert np.abs(rotate_volumes(bar) - bar).max() > 0.1
    np.testing.assert_array_equal(rotate_volumes(bar, seed=3), rotate_volumes(bar, seed=3))
    assert not np.array_equal(rotate_volumes(bar, seed=3), rotate_volumes(bar, seed=4))


def test_volumes_move_exactly_by_the_cube_and_by_interpolation_otherwise():
    x = np.random.default_rng(0).normal(size=(24, 4, 4, 4, 2)).astype("float32")
    cube = groups.get("O")
    moved = move(x, cube.matrices.astype("float32"))
    for e in range(24):
        np.testing.assert_array_equal(moved[e], groups.act(x[e : e + 1], cube, e, "image")[0])
    shifted = move(x[:1], np.eye(3, dtype="float32")[None], np.float32([[1, 0, -1]]))
    np.testing.assert_array_equal(shifted[0, 1:, :, :-1], x[0, :-1, :, 1:])
    assert not shifted[0, 0].any() and not shifted[0, :, :, -1].any()
    mirrored = move(x[:1], np.eye(3, dtype="float32")[None], np.float32([[1, 0, 0]]), "reflect")
    np.testing.assert_array_equal(mirrored[0, 0], x[0, 0])
    eighth = groups.get("C8z").matrices[1:2].astype("float32")
    smooth = np.exp(-np.sum((np.indices((9, 9, 9)) - 4.0) ** 2, axis=0) / 8)[None, ..., None].astype("float32")
    np.testing.assert_allclose(move(smooth, eighth)[0, 2:7, 2:7], smooth[0, 2:7, 2:7], atol=0.05)


def test_augmented_volumes():
    x = volumes(40).astype("float32")
    rotated = Augment(quarter_turns=True)(x, (0, 1))
    images = [[groups.act(v[None], "O", e, "image")[0] for e in range(24)] for v in x]
    assert all(any(np.array_equal(t, image) for image in found) for t, found in zip(rotated, images, strict=True))
    assert (
        len(
            {
                next(e for e, image in enumerate(found) if np.array_equal(t, image))
                for t, found in zip(rotated, images, strict=True)
            }
        )
        > 8
    )  # noqa: E501
    mirrored = Augment(flip="horizontal")(x, (0, 1))
    kinds = {
        "same" if np.array_equal(m, v) else "mirrored" if np.array_equal(m, v[::-1]) else "other"
        for m, v in zip(mirrored, x, strict=True)
    }  # noqa: E501
    assert kinds == {"same", "mirrored"}
    every = Augment(rotate=180, flip="both", translate=1)
    np.testing.assert_array_equal(every(x, (3, 1)), every(x, (3, 1)))
    assert not np.array_equal(every(x, (3, 1)), every(x, (3, 2)))
    with pytest.raises(ValueError, match="needs cubes. Received: images of 7x7x4"):
        Augment(quarter_turns=True)(x[:, :, :, :4], (0, 1))


@pytest.mark.parametrize("axis", range(3))
def test_volumes_about_one_axis(axis):
    x = np.moveaxis(volumes(24)[:, :, :, :4], 3, 1 + axis).astype("float32")  # the axis is shorter than the others
    moved = Augment(quarter_turns=True, axis=axis)(x, (0, 1))
    plane = tuple(1 + other for other in range(3) if other != axis)
    turns = [np.rot90(x, k, plane) for k in range(4)]
    found = [{k for k in range(4) if np.array_equal(moved[i], turns[k][i])} for i in range(len(x))]
    assert all(found) and set().union(*found) == {0, 1, 2, 3}
    level = np.broadcast_to(np.arange(9.0).reshape((1, *(9 if a == axis else 1 for a in range(3)), 1)), (4, 9, 9, 9, 1))
    disc = np.sum((np.indices((9, 9, 9)) - 4) ** 2 * (np.arange(3) != axis)[:, None, None, None], axis=0)[..., None] < 9
    rotated = Augment(rotate=180, axis=axis, fill="reflect")(level.astype("float32"), (0, 1))
    np.testing.assert_allclose(np.where(disc, rotated, 0), np.where(disc, level, 0), atol=1e-4)
    with pytest.raises(ValueError, match="needs equal sides beside it. Received: images of"):
        Augment(quarter_turns=True, axis=(axis + 1) % 3)(x, (0, 1))


def test_an_axis_is_one_of_space():
    with pytest.raises(ValueError, match="one of space. Received: axis=2 for 2 axes. Leave it out"):
        Augment(rotate=180, axis=2)(np.zeros((2, 5, 5, 1)), (0, 1))
    for options in ({"rotate": 180, "axis": 2}, {"quarter_turns": True}):  # before a batch is asked for
        with pytest.raises(ValueError, match="axis=2 for 2 axes|needs square images"):
            training_pipeline(np.zeros((8, 5, 6, 1)), np.zeros(8), 4, 0, Augment(**options))
    with pytest.raises(ValueError, match="an axis of space: 0, 1 or 2. Received: axis=3"):
        Augment(rotate=180, axis=3)
    with pytest.raises(ValueError, match="that of a rotation. Received: axis=2 without one. Use rotate=180"):
        Augment(flip="horizontal", axis=2)

"""Augmentation: pictures are moved without blurring, and what they answer with moves by the group's law."""

import numpy as np
import pytest

from keras_equivariant.data import Augment, training_pipeline, vectors
from keras_equivariant.data.motion import about, move
from keras_equivariant.data.point_augment import augment_points
from keras_equivariant.groups import FieldType

pytest.importorskip("scipy")
RNG = np.random.default_rng(0)


def waves(size, angle=0.0, length=6.0):
    """A wave of 6 pixels under a Gaussian, rotated counter-clockwise by an angle."""
    row, column = np.indices((size, size)) - (size - 1) / 2
    x, y = column * np.cos(angle) - row * np.sin(angle), -column * np.sin(angle) - row * np.cos(angle)
    return (np.cos(2 * np.pi * x / length) * np.exp(-(x**2 + y**2) / 40))[None, ..., None].astype("float32")


def rotations(degrees):
    angle = np.deg2rad(degrees)
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])[None]


def test_a_cubic_spline_does_not_blur():
    errors = {
        kind: np.abs(move(waves(33), rotations(33), interpolation=kind) - waves(33, np.deg2rad(33))).max()
        for kind in ("cubic", "linear", "nearest")
    }
    assert 5 * errors["cubic"] < errors["linear"] < errors["nearest"]
    assert np.abs(move(waves(33), rotations(-33)) - waves(33, np.deg2rad(33))).max() > 0.5, "the other way"


def test_vectors_move_by_the_law_of_their_type():
    field_type, vector = FieldType.parse("2x1 + 1x0 + 1x2", "SO2"), RNG.normal(size=(5, 7)).astype("float32")
    matrices = np.concatenate([rotations(a) for a in (0, 33, 90, 200, 355)])
    wanted = [field_type.transform(v, m) for v, m in zip(vector, matrices, strict=True)]
    np.testing.assert_allclose(vectors.rotated(vector, "2x1 + 1x0 + 1x2", matrices), wanted, atol=1e-6)
    # In space of any degree; mirrors act on directions as on points.
    field_type, vector = FieldType.parse("1x1 + 2x2", "SO3"), RNG.normal(size=(4, 13)).astype("float32")
    matrices = about(RNG.normal(size=(4, 3)), RNG.uniform(0, 3, 4))
    wanted = [field_type.transform(v, m) for v, m in zip(vector, matrices, strict=True)]
    np.testing.assert_allclose(vectors.rotated(vector, "1x1 + 2x2", matrices), wanted, atol=1e-5)
    mirrored = vectors.rotated(vector, "1x1 + 2x2", -matrices)
    np.testing.assert_allclose(mirrored[:, :3], -np.einsum("bij,bj->bi", matrices, vector[:, :3]), atol=1e-5)
    np.testing.assert_allclose(mirrored[:, 3:], np.array(wanted)[:, 3:], atol=1e-5)


@pytest.mark.parametrize("options", [{"rotate": 180}, {"quarter_turns": True, "flip": "both"}], ids=str)
def test_an_image_and_its_vector_stay_together(options):
    """The brightest direction of each moved image is the moved vector."""
    size, count = 21, 40
    row, column = np.indices((size, size)) - (size - 1) / 2
    angles = RNG.uniform(0, 2 * np.pi, count)
    vector = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype("float32")
    image = np.exp(-((column - 5 * vector[:, 0, None, None]) ** 2 + (row + 5 * vector[:, 1, None, None]) ** 2) / 8)
    moved, answers = Augment(**options).with_targets(image[..., None].astype("float32"), vector, (1, 2), None, "1x1")
    found = np.stack([(moved[..., 0] * axis).sum(axis=(1, 2)) for axis in (column, -row)], axis=1)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    np.testing.assert_allclose(found, answers, atol=0.01)
    assert np.abs(found - vector).max() > 1
    # A field of vectors is moved with the pixels, and each vector rotates.
    field = image[..., None] * vector[:, None, None]
    _, fields = Augment(**options).with_targets(image[..., None], field, (1, 2), None, "1x1")
    np.testing.assert_allclose(fields, moved * answers[:, None, None], atol=0.02)


def test_forces_rotate_with_their_points():
    x = {"positions": RNG.normal(size=(6, 5, 3)), "values": RNG.normal(size=(6, 5, 2))}
    y = {"energy": RNG.normal(size=(6, 1)), "forces": 2 * x["positions"]}
    moved, answers = augment_points(x, y, (0, 1), 180, True)
    np.testing.assert_allclose(answers["forces"], 2 * moved["positions"])
    gram = np.einsum("bni,bmi->bnm", x["positions"], x["positions"])
    np.testing.assert_allclose(np.einsum("bni,bmi->bnm", moved["positions"], moved["positions"]), gram)
    assert np.abs(moved["positions"] - x["positions"]).max() > 0.5
    for name, part in (("values", moved), ("energy", answers)):
        np.testing.assert_array_equal(part[name], {**x, **y}[name])
    moved, _ = augment_points(x, y, (0, 1), 180, False, axis=2)
    np.testing.assert_allclose(moved["positions"][..., 2], x["positions"][..., 2])
    assert np.abs(moved["positions"] - x["positions"]).max() > 0.5
    with pytest.raises(ValueError, match="one of space. Received: axis=0 for 2 axes"):
        augment_points({"positions": x["positions"][..., :2]}, y, (0, 1), 180, False, axis=0)


def test_batches_in_numpy_are_permutations_that_go_on_where_one_begins(monkeypatch):
    monkeypatch.setattr("keras.backend.backend", lambda: "torch")
    images = np.arange(23, dtype="uint8")[:, None, None, None] * np.ones((1, 6, 6, 1), "uint8")
    options = {"seed": 9, "augment": Augment(rotate=90, translate=1), "weights": np.arange(23, dtype="float32")}
    (whole, steps), (resumed, _) = (
        training_pipeline(images, np.arange(23), 5, **options, first_epoch=epoch) for epoch in (0, 2)
    )
    assert steps == 4 and whole.num_batches is None
    batches = [whole[i] for i in range(12)]
    orders = [np.concatenate([y for _, y, _ in batches[4 * e : 4 * e + 4]]) for e in range(3)]
    assert all(len(set(order)) == 20 for order in orders) and len(set(map(tuple, orders))) == 3
    for (x, y, weights), again in zip(batches[8:], (resumed[i] for i in range(4)), strict=True):
        assert x.shape == (5, 6, 6, 1) and x.dtype == np.float32
        for array, other in zip((x, y, weights), again, strict=True):
            np.testing.assert_array_equal(array, other)
        np.testing.assert_array_equal(y, weights)
    again = whole[0]
    np.testing.assert_array_equal(again[0], batches[0][0], "whoever begins anew sees the same")
    halves = [training_pipeline(images, np.arange(23), 4, 3, Augment(rotate=90), part=(i, 1, 2))[0][0] for i in (0, 1)]
    both = training_pipeline(images, np.arange(23), 4, 3, Augment(rotate=90))[0][0]
    np.testing.assert_array_equal(np.concatenate([half[0] for half in halves]), both[0])

"""Order, shapes and resumability of the pipelines, and preprocessing."""

import numpy as np
import pytest

from keras_equivariant.data import Augment, Preprocess, evaluation_pipeline, training_pipeline

IMAGES = np.arange(23, dtype="uint8")[:, None, None, None] * np.ones((1, 6, 6, 1), "uint8")
LABELS = np.arange(23)


def epochs_of(dataset, steps, count):
    batches = iter(dataset)
    return [[tuple(t.numpy() for t in next(batches)) for _ in range(steps)] for _ in range(count)]


def test_epochs_are_permutations_with_fixed_shapes_and_matching_labels():
    dataset, steps = training_pipeline(IMAGES, LABELS, 5, seed=1)
    assert steps == 4
    epochs = epochs_of(dataset, steps, 3)
    orders = [np.concatenate([y for _, y in epoch]) for epoch in epochs]
    for order, epoch in zip(orders, epochs, strict=True):
        assert len(set(order)) == 20, "an image came twice in an epoch"
        for x, y in epoch:
            assert x.shape == (5, 6, 6, 1) and x.dtype == np.float32
            np.testing.assert_array_equal(x[:, 0, 0, 0], y)
    assert set(map(tuple, orders)) == {tuple(order) for order in orders} and len(set(map(tuple, orders))) == 3
    assert set(np.concatenate(orders)) == set(range(23)), "the remainder never changes"


def test_a_later_start_continues_the_same_sequence():
    options = {"seed": 9, "augment": Augment(rotate=180, flip="both", translate=1)}
    dataset, steps = training_pipeline(IMAGES, LABELS, 5, **options)
    whole = epochs_of(dataset, steps, 4)
    resumed, _ = training_pipeline(IMAGES, LABELS, 5, **options, first_epoch=2)
    for a, b in zip(whole[2] + whole[3], sum(epochs_of(resumed, steps, 2), []), strict=True):
        np.testing.assert_array_equal(a[0], b[0])
        np.testing.assert_array_equal(a[1], b[1])
    other, _ = training_pipeline(IMAGES, LABELS, 5, seed=10)
    assert any((a[1] != b[1]).any() for a, b in zip(whole[0], epochs_of(other, steps, 1)[0], strict=True))


def test_blocks_stay_together_and_are_shuffled():
    dataset, steps = training_pipeline(IMAGES[:20], LABELS[:20], 8, seed=1, block=4)
    (first,), (second,) = (
        epochs_of(dataset, 1, 1),
        epochs_of(training_pipeline(IMAGES[:20], LABELS[:20], 8, 2, block=4)[0], 1, 1),
    )
    assert steps == 2
    for _, y in (*first, *second):
        blocks = y.reshape(-1, 4)
        np.testing.assert_array_equal(blocks - blocks[:, :1], np.tile(np.arange(4), (2, 1)))
        assert (blocks[:, 0] % 4 == 0).all()
    assert (first[0][1] != second[0][1]).any()
    with pytest.raises(ValueError, match=r"multiple of `shuffle_block`.*Received: 23 images.*shuffle_block=4"):
        training_pipeline(IMAGES, LABELS, 5, block=4)


def test_the_autotuner_is_off():
    dataset, _ = training_pipeline(IMAGES, LABELS, 5)
    assert dataset.options().autotune.enabled is False
    assert evaluation_pipeline(IMAGES).options().autotune.enabled is False


def test_a_batch_is_no_larger_than_the_set():
    dataset, steps = training_pipeline(IMAGES, LABELS, 100)
    assert steps == 1 and next(iter(dataset))[0].shape[0] == 23


@pytest.mark.parametrize("fixed", [False, True])
def test_evaluation_keeps_the_order(fixed):
    batches = [x.numpy() for x in evaluation_pipeline(IMAGES, batch_size=10, fixed=fixed)]
    assert [len(x) for x in batches] == [10, 10, 10 if fixed else 3]
    np.testing.assert_array_equal(np.concatenate(batches)[:23], IMAGES)
    pairs = [(x.numpy(), y.numpy()) for x, y in evaluation_pipeline(IMAGES, LABELS, batch_size=10)]
    np.testing.assert_array_equal(np.concatenate([y for _, y in pairs]), LABELS)


def noise(count=600, size=8, channels=2):
    rng = np.random.default_rng(0)
    smooth = rng.normal(size=(count, size, size, channels)).cumsum(axis=1).cumsum(axis=2)
    return (20 * smooth + 100).astype("float32")


def test_contrast_normalisation_is_per_image():
    images = Preprocess(("contrast",))(noise())
    np.testing.assert_allclose(images.mean(axis=(1, 2, 3)), 0, atol=1e-4)
    np.testing.assert_allclose(images.std(axis=(1, 2, 3)), 1, atol=1e-4)
    assert np.isfinite(Preprocess(("contrast",))(np.zeros((1, 4, 4, 1), "uint8"))).all()


def test_whitening_decorrelates_and_commutes_with_the_symmetries_of_the_square():
    symmetric = noise()
    symmetric = np.concatenate([np.rot90(x, r, axes=(1, 2)) for x in (symmetric, symmetric[:, ::-1]) for r in range(4)])
    step = Preprocess(("zca",))
    white = step.fit(symmetric).reshape(len(symmetric), -1)
    covariance = np.cov(white, rowvar=False)
    np.testing.assert_allclose(covariance, np.eye(len(covariance)), atol=0.02)
    lopsided = noise(50)
    unsymmetric = Preprocess(("zca",))
    unsymmetric.fit(lopsided)
    scale = np.abs(unsymmetric(lopsided)).max()
    for r in range(4):
        rotated = unsymmetric(np.rot90(lopsided, r, axes=(1, 2)))
        np.testing.assert_allclose(rotated, np.rot90(unsymmetric(lopsided), r, axes=(1, 2)), atol=1e-4 * scale)


def test_resizing_commutes_with_quarter_turns():
    step = Preprocess(({"resize": 11},))
    images = noise(5)
    assert step(images).shape == (5, 11, 11, 2)
    np.testing.assert_allclose(step(np.rot90(images, axes=(1, 2))), np.rot90(step(images), axes=(1, 2)), atol=1e-3)


@pytest.mark.parametrize(
    ("steps", "message"),
    [(("blur",), "Received: 'blur'"), (({"resize": 0.5},), "resize"), (("resize",), "Received: 'resize'")],
)
def test_wrong_steps(steps, message):
    with pytest.raises(ValueError, match=message):
        Preprocess(steps)


def test_whitening_needs_squares_and_fitting():
    with pytest.raises(ValueError, match="Received: 6x8"):
        Preprocess(("zca",)).fit(np.zeros((3, 6, 8, 1)))
    with pytest.raises(ValueError, match="fitted on the training images first"):
        Preprocess(("zca",))(np.zeros((3, 6, 6, 1)))

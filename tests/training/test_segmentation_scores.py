"""Scores and losses of masks against definitions written out, on every backend that Keras runs on."""

import keras
import numpy as np
import pytest

from keras_equivariant.training import pixel_scores
from keras_equivariant.training.losses import BalancedCrossentropy, BestF1
from keras_equivariant.training.prediction import batch_of
from keras_equivariant.training.tasks.segmentation import Segmentation, disc, f1_at

metrics = pytest.importorskip("sklearn.metrics")
RNG = np.random.default_rng(0)
MASKS = (RNG.random((6, 9, 9, 1)) < 0.2).astype("float32")
LOGITS = (RNG.normal(size=MASKS.shape) + 1.5 * MASKS).astype("float32")


def test_f1_is_the_best_over_all_thresholds_of_the_whole_set():
    found = pixel_scores(LOGITS, MASKS)
    probability = 1 / (1 + np.exp(-LOGITS.astype("float64")))
    every = [metrics.f1_score(MASKS.ravel(), probability.ravel() >= t) for t in np.unique(probability)]
    assert found["f1"] == pytest.approx(max(every), abs=1e-9)
    assert f1_at(found["threshold"], LOGITS, MASKS) == pytest.approx(found["f1"], abs=1e-9)
    assert f1_at(0.01, LOGITS, MASKS) < found["f1"] - 0.1
    average = metrics.average_precision_score(MASKS.ravel(), probability.ravel())
    assert found["average_precision"] == pytest.approx(average, abs=1e-9)


def test_perfect_useless_and_saturated_answers():
    perfect = pixel_scores(1000 * (2 * MASKS - 1), MASKS)
    assert perfect["f1"] == perfect["average_precision"] == 1
    rate = float(MASKS.mean())
    useless = pixel_scores(np.zeros_like(MASKS), MASKS)
    assert useless["f1"] == pytest.approx(2 * rate / (1 + rate)) and useless["average_precision"] == pytest.approx(rate)
    assert f1_at(0.5, -np.ones_like(MASKS), 0 * MASKS) == 0


def test_the_metric_of_the_epochs_is_close_to_the_final_score():
    metric = BestF1(from_logits=True, name="f1")
    for part in (slice(2), slice(2, 6)):
        metric.update_state(MASKS[part], LOGITS[part])
    assert float(metric.result()) == pytest.approx(pixel_scores(LOGITS, MASKS)["f1"], abs=0.01)
    again = keras.metrics.deserialize(keras.metrics.serialize(metric))
    assert type(again) is BestF1 and float(again.result()) == 0


def test_the_loss_gives_both_kinds_of_pixels_the_same_weight():
    frequency = float(MASKS.mean())
    loss = BalancedCrossentropy(frequency)
    assert float(loss(MASKS, 0 * LOGITS)) == pytest.approx(np.log(2), rel=1e-5)
    one, zero = (float(loss(MASKS, value * np.ones_like(MASKS))) for value in (3.0, -3.0))
    assert one == pytest.approx(zero, rel=1e-4), "a constant answer must not gain from the common kind"
    plain = keras.losses.BinaryCrossentropy(from_logits=True)
    assert float(plain(MASKS, 3 * np.ones_like(MASKS))) > 2 * float(plain(MASKS, -3 * np.ones_like(MASKS)))
    half = BalancedCrossentropy(0.5)
    assert float(half(MASKS, LOGITS)) == pytest.approx(float(plain(MASKS, LOGITS)), rel=1e-5)
    assert np.isfinite(float(loss(MASKS, 1e4 * LOGITS)))
    assert keras.losses.deserialize(keras.losses.serialize(loss)).frequency == frequency
    for wrong in (0, 1):
        with pytest.raises(ValueError, match=f"frequency={wrong}"):
            BalancedCrossentropy(wrong)


def test_the_frequency_is_that_of_the_training_masks():
    assert Segmentation().make_loss("balanced_crossentropy", MASKS).frequency == pytest.approx(MASKS.mean())
    assert type(Segmentation().make_loss("crossentropy", MASKS)) is keras.losses.BinaryCrossentropy


def test_the_disc_is_what_no_rotation_moves_out_of_the_image():
    inside = disc((16, 16))
    np.testing.assert_array_equal(inside, np.rot90(inside))
    assert not inside[0].any() and not inside[:, 0].any() and inside[1, 7] and 0.55 < inside.mean() < 0.79
    assert batch_of(np.zeros((1, 28, 28, 1))) == 250 and batch_of(np.zeros((1, 512, 512, 1))) == 1

"""A rematerialised model trains like the model itself, number by number."""

import itertools

import keras
import numpy as np
import pytest
from tiny_training import SPEC, save_shapes

import keras_equivariant as ke
from keras_equivariant.training.cuts import least_memory_cuts
from keras_equivariant.training.rematerialize import Rematerialized

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def network(seed=0, dropout=0.4):
    """Residual, with typed and stock layers, batch statistics, random masks, a regulariser and an added loss."""
    keras.utils.set_random_seed(seed)
    image = keras.Input((9, 9, 1))
    x = keras.layers.ActivityRegularization(l2=0.1)(image)
    x = ke.layers.LiftingConv2D(2, 3, group="C4", padding="same", kernel_regularizer="l2")(x)
    for _ in range(2):
        y = keras.layers.BatchNormalization(momentum=0.5)(x)
        y = keras.layers.Dropout(dropout, seed=7)(keras.layers.ReLU()(y))
        x = keras.layers.Add()([x, ke.layers.GroupConv2D(2, 3, group="C4", padding="same")(y)])
    x = ke.layers.GroupPooling("max")(x)
    x = keras.layers.Flatten()(x)
    return keras.Model(image, [keras.layers.Dense(3, name="a")(x), keras.layers.Dense(2, name="b")(x)])


def batch(count=6):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(count, 9, 9, 1)).astype("float32")
    return x, [rng.integers(0, 3, count), rng.integers(0, 2, count)]


def train(model, steps=4, **options):
    model.compile(keras.optimizers.Adam(0.01), loss=[LOSS, LOSS], **options)
    x, y = batch()
    return [np.ravel(model.train_on_batch(x, y))[0] for _ in range(steps)]


@pytest.mark.parametrize("jit", [False, True])
def test_training_is_the_same(jit):
    plain, twin = network(), network()
    losses = train(plain, jit_compile=jit)
    again = train(ke.rematerialize(twin), jit_compile=jit)
    np.testing.assert_allclose(again, losses, rtol=1e-5)
    assert losses[-1] < losses[0]
    for one, other in zip(plain.variables, twin.variables, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5, err_msg=one.path)


def test_the_answers_are_the_same_and_so_are_the_weights():
    model = network()
    trained = ke.rematerialize(model)
    x, _ = batch()
    for mine, its in zip(model(x), trained(x), strict=True):
        np.testing.assert_array_equal(mine, its)
    assert {id(v) for v in trained.trainable_variables} == {id(v) for v in model.trainable_variables}
    runs = [layer for layer in trained.layers if isinstance(layer, Rematerialized)]
    assert len(runs) > 1


@pytest.mark.parametrize("wanted", [False, True])
def test_gradients_by_the_input_are_given_when_asked_for(wanted):
    import tensorflow as tf

    model = network(dropout=0.0)
    x = tf.constant(batch()[0])
    found = []
    for each in (model, ke.rematerialize(model, input_gradients=wanted)):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(each(x, training=True)[0] ** 2)
        found.append(tape.gradient(loss, x).numpy())
    assert np.abs(found[0]).max() > 0.1
    assert np.allclose(*found, rtol=1e-3, atol=1e-4) == wanted


def test_a_recipe_asks_for_it(tmp_path):
    data = save_shapes(tmp_path / "shapes.npz")
    options = {"epochs": 2, "angle_step": 180, "export_formats": (), "verbose": 0, "seed": 3}
    spec = {**SPEC, "params": {**SPEC["params"], "size": 8}}
    runs = []
    for flag in (False, True):
        folder = tmp_path / str(flag)
        runs.append(ke.train(spec, data, folder, recipe={"rematerialize": flag}, **options))
    for one, other in zip(runs[0].model.weights, runs[1].model.weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    assert keras.saving.load_model(tmp_path / "True" / "model.keras").count_params() == runs[0].model.count_params()
    more = ke.train(spec, data, tmp_path / "True", recipe={"rematerialize": True}, resume=True, **options)
    np.testing.assert_array_equal(more.model.weights[-1], runs[1].model.weights[-1])


def test_a_flag_must_be_one():
    with pytest.raises(ke.SpecError, match="rematerialize.*true or false"):
        ke.load_spec({**SPEC, "training": {"rematerialize": "sometimes"}})


def memory_at_worst(cuts, made, kept):
    """Kept at the cuts so far, a copy of what enters the run, all it makes, two gradients: of its end, its largest."""
    moments = []
    for index, (start, stop) in enumerate(itertools.pairwise(cuts)):
        before = sum(kept[cut] for cut in cuts[: index + 1])
        moments.append(before + kept[start] + sum(made[start:stop]) + kept[stop] + max(made[start:stop]))
    return max(moments)


def test_the_cuts_need_least_at_the_worst_moment():
    rng = np.random.default_rng(0)
    for _ in range(20):
        made, kept = rng.integers(1, 9, 7).tolist(), [*rng.integers(0, 9, 7).tolist(), 0]
        inner = [cuts for n in range(7) for cuts in itertools.combinations(range(1, 7), n)]
        best = min(memory_at_worst([0, *cuts, 7], made, kept) for cuts in inner)
        found = least_memory_cuts(made, kept)
        assert (found[0], found[-1]) == (0, 7)
        assert found == sorted(set(found))
        assert memory_at_worst(found, made, kept) == best


def test_large_kernels_part_what_small_features_would_not():
    """Twelve convolutions on few pixels: their kernels are expanded and kept in one run, or in several."""
    image = keras.Input((4, 4, 1))
    x = ke.layers.LiftingConv2D(8, 3, group="C4", padding="same")(image)
    for _ in range(12):
        x = ke.layers.GroupConv2D(8, 3, group="C4", padding="same")(x)
    model = keras.Model(image, x)
    most = []
    for batch_size in (1, 100_000):
        trained = ke.rematerialize(model, batch_size=batch_size)
        runs = [layer for layer in trained.layers if isinstance(layer, Rematerialized)]
        most.append(max(len(run.body.layers) for run in runs))
    assert most[0] < most[1]


def test_a_subclassed_model_is_refused():
    class Own(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(ValueError, match="must be functional or sequential"):
        ke.rematerialize(Own())

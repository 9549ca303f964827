"""A rematerialized model trains like the model itself, number by number."""

import itertools

import keras
import numpy as np
import pytest
from small_specs import SMALL
from tiny_training import SPEC, save_shapes

import keras_equivariant as ke
from keras_equivariant.stock.traits import treats_examples_alone
from keras_equivariant.training.memory.checkpoints import least_memory_runs
from keras_equivariant.training.memory.rematerialize import Rematerialized

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def network(seed=0, dropout=0.4):
    """Residual, with typed and stock layers, batch statistics, random masks, a regularizer and an added loss."""
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
    again = train(ke.rematerialize(twin, slices=1), jit_compile=jit)  # the same masks, too
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


def memory_at_worst(runs, made, kernels, kept):
    """Kept at the cuts so far, a copy of what enters the run, all it makes, two gradients: of its end, its largest.

    Of a run in slices features are there for one, but what enters and leaves it, and the gradients, once more.
    """
    moments = []
    for start, stop, slices in runs:
        before = sum(kept[cut] for cut, _, _ in runs if cut <= start)
        inside = [features / slices + kernel for features, kernel in zip(made, kernels, strict=True)][start:stop]
        moments.append(before + (kept[start] + kept[stop]) * (2 if slices > 1 else 1) + sum(inside) + max(inside))
    return max(moments)


def ways(count, alone):
    """All lists of runs of so many calls, each in 1, 2 or 4 slices where its calls allow it."""
    for n in range(count):
        for inner in itertools.combinations(range(1, count), n):
            cuts = list(itertools.pairwise([0, *inner, count]))
            for slices in itertools.product([1, 2, 4], repeat=len(cuts)):
                if all(one == 1 or all(alone[start:stop]) for one, (start, stop) in zip(slices, cuts, strict=True)):
                    yield [(*cut, one) for cut, one in zip(cuts, slices, strict=True)]


def test_the_runs_need_least_at_the_worst_moment():
    rng = np.random.default_rng(0)
    sliced = 0
    for _ in range(20):
        made, kernels = rng.integers(1, 30, 5).tolist(), rng.integers(0, 5, 5).tolist()
        kept, alone = [*rng.integers(0, 5, 5).tolist(), 0], (rng.random(5) < 0.6).tolist()
        best = min(memory_at_worst(runs, made, kernels, kept) for runs in ways(5, alone))
        found = least_memory_runs(made, kernels, kept, alone, 4)
        assert found in list(ways(5, alone))
        np.testing.assert_allclose(memory_at_worst(found, made, kernels, kept), best, rtol=1e-4)
        sliced += any(slices > 1 for _, _, slices in found)
    assert 3 < sliced < 20


def early(dropout=0.0, seed=0):
    """Most of its features are in two convolutions that treat each image alone; batch statistics come after."""
    keras.utils.set_random_seed(seed)
    image = keras.Input((9, 9, 1))
    x = ke.layers.LiftingConv2D(8, 3, group="C4", padding="same")(image)
    x = keras.layers.Dropout(dropout, seed=3)(keras.layers.ReLU()(x)) if dropout else keras.layers.ReLU()(x)
    x = keras.layers.BatchNormalization()(ke.layers.GroupConv2D(2, 3, group="C4", padding="same")(x))
    x = keras.layers.Flatten()(ke.layers.GroupPooling("max")(x))
    return keras.Model(image, [keras.layers.Dense(3, name="a")(x), keras.layers.Dense(2, name="b")(x)])


def slices_of(model):
    return [layer.slices for layer in model.layers if isinstance(layer, Rematerialized)]


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("count", [1, 6, 8])  # 6 is not divided by 4: the last images are computed twice
def test_slices_train_the_same(jit, count):
    plain, twin = early(), early()
    trained = ke.rematerialize(twin, batch_size=8, slices=4)
    assert slices_of(trained) == [4, 1]
    x, y = batch(count)
    losses = []
    for model in (plain, trained):
        model.compile(keras.optimizers.SGD(0.01), loss=[LOSS, LOSS], jit_compile=jit)
        losses.append([np.ravel(model.train_on_batch(x, y))[0] for _ in range(3)])
    np.testing.assert_allclose(*losses, rtol=1e-5)
    assert losses[0][2] < losses[0][0]
    for one, other in zip(plain.variables, twin.variables, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5, err_msg=one.path)


def test_each_slice_drops_its_own_and_the_same_in_both_passes():
    import tensorflow as tf

    image = keras.Input((6, 6, 1))
    x = keras.layers.Conv2D(4, 1, use_bias=False)(image)
    x = keras.layers.Dropout(0.5, seed=3)(x)
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(x))
    trained = ke.rematerialize(model, batch_size=8, slices=4)
    assert 4 in slices_of(trained)
    kernel = model.trainable_variables[0]
    kernel.assign(tf.ones_like(kernel))
    x = tf.ones((8, 6, 6, 1))
    with tf.GradientTape() as tape:
        outputs = trained(x, training=True)
        total = tf.reduce_sum(outputs)
    # Each output is the mean of what a mask left of the kernel's entry, so that the gradient is what it left, too.
    np.testing.assert_allclose(tf.reduce_sum(tape.gradient(total, kernel.value)), total, rtol=1e-5)
    assert len(np.unique(np.round(outputs, 4), axis=0)) == 8
    again = trained(x, training=True)
    assert np.abs(again - outputs).max() > 0.01


def test_layers_frozen_later_stay_as_they_are():
    model = early(dropout=0.3)
    trained = ke.rematerialize(model, batch_size=8, slices=4)
    assert 4 in slices_of(trained)
    for layer in model.layers[:4]:
        layer.trainable = False
    before = [np.asarray(variable).copy() for layer in model.layers[:3] for variable in layer.weights]
    trained.compile(keras.optimizers.SGD(0.01), loss=[LOSS, LOSS], jit_compile=False)
    trained.train_on_batch(*batch(8))
    after = [variable for layer in model.layers[:3] for variable in layer.weights]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_mixes_examples_is_not_sliced():
    for layer, alone in (
        (ke.layers.GroupConv2D(2, 3, group="C4"), True),
        (keras.layers.Dropout(0.5), True),
        (keras.layers.Softmax(axis=0), False),
        (keras.layers.Lambda(lambda x: x - x[:1]), False),
        (keras.layers.BatchNormalization(), False),
        (ke.layers.SteerableBatchNormalization("1x0 + 1xregular", group="C4"), False),
        (keras.layers.ActivityRegularization(l2=0.1), False),
        (ke.layers.GroupConv2D(2, 3, group="C4", activity_regularizer="l2"), False),
        (keras.layers.TimeDistributed(keras.layers.BatchNormalization()), False),
        (type("Own", (keras.layers.Layer,), {"__module__": "users"})(), False),
    ):
        layer.build((None, 9, 9, 5) if "steerable" in layer.name else (None, 9, 9, 4, 2))
        assert treats_examples_alone(layer) == alone, layer


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


def test_operators_between_the_layers_work_too():
    def model():
        keras.utils.set_random_seed(0)
        image = keras.Input((9, 9, 1))
        x = ke.layers.LiftingConv2D(8, 3, group="C4", padding="same")(image)
        x = x - keras.ops.mean(x, axis=0)  # mixes the images
        return keras.Model(image, [keras.layers.Dense(n)(keras.layers.Flatten()(x)) for n in (3, 2)])

    plain, twin = model(), model()
    found = [train(one, steps=2) for one in (plain, ke.rematerialize(twin, batch_size=6, slices=2))]
    np.testing.assert_allclose(*found, rtol=1e-5)


@pytest.mark.parametrize("slices", [1, 4])
def test_gradients_count_once_in_eager_mode(slices):
    """A variable among the arguments of TensorFlow's recompute_grad would count as an argument and as a variable."""
    plain, twin = early(), early()
    x, y = batch(8)
    for model in (plain, ke.rematerialize(twin, batch_size=8, slices=slices)):
        model.compile(keras.optimizers.SGD(0.01), loss=[LOSS, LOSS], run_eagerly=True)
        model.train_on_batch(x, y)
    for one, other in zip(plain.variables, twin.variables, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5, err_msg=one.path)


@pytest.mark.parametrize("slices", [0, 2.0])
def test_slices_are_counted(slices):
    with pytest.raises(ValueError, match="`slices` must be a positive integer"):
        ke.rematerialize(early(), slices=slices)


def test_a_subclassed_model_is_refused():
    class Own(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(ValueError, match="must be functional or sequential"):
        ke.rematerialize(Own())


@pytest.mark.parametrize("slices", [1, 2])
@pytest.mark.parametrize("name", ["lieconv_molecules", "tfn_molecules"])
def test_points_with_masks_train_the_same(name, slices):
    """Masks enter and leave runs: they have no gradient."""
    rng = np.random.default_rng(0)
    x, f = rng.normal(size=(4, 9, 3)).astype("float32"), rng.normal(size=(4, 9, 5)).astype("float32")
    given, y = [x, f, np.arange(9) < rng.integers(3, 9, (4, 1))], rng.normal(size=(4, 1)).astype("float32")
    losses = []
    for change in (lambda m: m, lambda m: ke.rematerialize(m, slices=slices, batch_size=4)):
        keras.utils.set_random_seed(0)
        model = change(ke.build_from_spec(name, **{**SMALL[name], "channels": 5}))
        model.compile(keras.optimizers.SGD(0.01), loss="mse")
        losses.append([np.ravel(model.train_on_batch(given, y))[0] for _ in range(3)])
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)
    assert any(isinstance(layer, Rematerialized) for layer in model.layers)

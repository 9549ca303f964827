"""Proofs of networks that move maps themselves, as those that are averaged over a group do."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_equivariant as ke

pytestmark = pytest.mark.tensorflow
layers = keras.layers
PIXELS = np.arange(9.0).reshape(1, 3, 3, 1)
ELEMENTS = {"one": [0, 5], "D1": [0, 4], "C4": [0, 1, 2, 3], "D2": [0, 2, 4, 6], "D4": list(range(8))}


def images(samples, size=12):
    return np.random.default_rng(0).random((samples, size, size, 1)).astype("float32")


def classifier():
    return keras.Sequential([
        keras.Input((12, 12, 1)),
        layers.Conv2D(4, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(3),
    ])  # fmt: skip


def segmenter():
    image = keras.Input((12, 12, 1))
    fine = layers.Conv2D(3, 3, padding="same", activation="relu")(image)
    coarse = layers.UpSampling2D()(layers.Conv2D(4, 3, padding="same")(layers.MaxPooling2D()(fine)))
    return keras.Model(image, layers.Conv2D(2, 1)(layers.Concatenate()([fine, coarse])))


@pytest.mark.parametrize("build", [classifier, segmenter])
@pytest.mark.parametrize("group", ["C4", "D4", "D2"])
def test_every_format_of_an_average_is_proved(build, group, tmp_path):
    model = ke.symmetrize(build(), group)
    formats = ["tflite", "tflite_int8", "onnx", "keras"]
    report = ke.export(model, tmp_path, formats, representative_data=images(24))
    for artifact in report.artifacts:
        assert artifact.proof.verdict == "proved", artifact.proof
        assert artifact.proof.integers == (artifact.format == "tflite_int8")


def test_vectors_are_proved_and_kept_in_integers(tmp_path):
    """Samples whose vectors point one way only give the range of those that point the other way."""
    model = ke.symmetrize(
        keras.Sequential([keras.Input((12, 12, 1)), layers.Flatten(), layers.Dense(2)]), "D4", outputs="1x1"
    )
    report = ke.export(model, tmp_path, ["tflite", "tflite_int8"], representative_data=images(3))
    assert report.artifacts[0].proof.outputs == {"output_0": "permuted"}
    assert report.artifacts[0].proof.verdict == "proved"


def test_volumes_are_proved():
    volume = keras.Input((6, 6, 6, 1))
    plain = keras.Model(volume, layers.GlobalAveragePooling3D()(layers.Conv3D(2, 3, activation="relu")(volume)))
    assert ke.prove(ke.fold(ke.symmetrize(plain, "O"))).group == "O"


def test_a_copy_that_is_missing_or_moved_otherwise_is_found():
    image = keras.Input((12, 12, 1))
    plain = classifier()
    for copies in ([image, ops.flip(image, 1)], [image, ops.flip(image, 2), ops.flip(ops.flip(image, 1), 2)]):
        answers = ops.split(plain(ops.concatenate(copies, axis=0)), len(copies), axis=0)
        proof = ke.prove(keras.Model(image, sum(answers[1:], answers[0])), "D2")
        assert proof.verdict == "not proved"
        assert len(proof.proved) == (2 if len(copies) == 2 else 1)


def test_copies_that_are_flipped_together_keep_their_own_frames():
    """f(b x) + f(a b x), of flips a and b, commutes with a alone."""
    image = keras.Input((12, 12, 1))
    both = ops.flip(ops.concatenate([image, ops.flip(image, 1)], axis=0), 2)
    one, other = ops.split(classifier()(both), 2, axis=0)
    proof = ke.prove(keras.Model(image, one + other), "D4")
    (flip,) = (g for g in range(8) if (ke.groups.act(PIXELS, "D4", g, "image") == PIXELS[:, ::-1]).all())
    assert proof.proved == ("e", ke.groups.get("D4").element_names[flip])


@pytest.mark.parametrize(
    "taken", [lambda x: ops.unstack(x, axis=0), lambda x: [ops.take(x, i, axis=0) for i in (0, 1)]]
)
def test_copies_with_an_axis_of_their_own_are_taken_one_by_one(taken):
    image = keras.Input((12, 12, 1))
    maps = segmenter()(ops.concatenate([image, ops.flip(image, 1)], axis=0))
    one, other = taken(ops.reshape(maps, (2, -1, *maps.shape[1:])))
    assert ke.prove(keras.Model(image, one + ops.flip(other, 1)), "D4").proved == ("e", "m r180")
    assert ke.prove(keras.Model(image, one + other), "D4").proved == ()


@pytest.mark.parametrize("change", [lambda x: ops.flip(x, 1), lambda x: ops.transpose(x, (0, 2, 1, 3))])
def test_maps_that_are_not_moved_back_are_not_proved(change):
    image = keras.Input((12, 12, 1))
    assert ke.prove(keras.Model(image, change(image)), "C4").verdict == "not proved"


def test_maps_of_two_orientations_are_not_joined():
    image = keras.Input((12, 12, 1))
    across = ops.transpose(image, (0, 2, 1, 3))
    for joined in (ops.stack([image, across], axis=1), ops.concatenate([image, across]), image + ops.flip(image, 1)):
        assert ke.prove(keras.Model(image, joined), "D4").verdict != "proved"


def test_a_canonical_form_is_not_covered():
    proof = ke.prove(ke.fold(ke.symmetrize(classifier(), "C4", how="canonical")))
    assert proof.verdict == "not covered"


def test_what_is_proved_of_random_copies_holds():
    """Random elements, bodies, ways to join: what is proved is measured, and much is proved."""
    assert sum(len(proved_and_measured(seed)) > 1 for seed in range(12)) >= 6


def proved_and_measured(seed):
    numbers = np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    model = random_average(numbers)
    group, x = ke.groups.get("D4"), numbers.normal(size=(2, 8, 8, 1))
    answer = np.asarray(model(x))
    proof = ke.prove(model, group)
    for element, name in enumerate(group.element_names):
        if name in proof.proved:
            layout = "image" if answer.ndim == 4 else "invariant"
            moved = np.asarray(model(np.ascontiguousarray(ke.groups.act(x, group, element, "image"))))
            np.testing.assert_allclose(moved, ke.groups.act(answer, group, element, layout), atol=1e-12)
    return proof.proved


def random_average(numbers):
    """The copies of one of the lists above, perhaps one fewer, through one body, moved back where they are maps."""
    group, image = ke.groups.get("D4"), keras.Input((8, 8, 1), dtype="float64")
    body = random_body(numbers)
    elements = list(ELEMENTS[numbers.choice([*ELEMENTS])])
    if numbers.random() < 0.25:
        elements.pop(numbers.integers(len(elements)))
    order = [elements[i] for i in numbers.permutation(len(elements))]
    copies = [moved(image, group, group.inverse(g)) for g in order]
    if numbers.random() < 0.5 and len(order) > 1:
        answers = ops.split(body(ops.concatenate(copies, axis=0)), len(order), axis=0)
    else:
        answers = [body(copy) for copy in copies]
    if len(answers[0].shape) == 4:
        answers = [moved(answer, group, g) for answer, g in zip(answers, order, strict=True)]
    stacked = ops.stack(answers, axis=1)
    return keras.Model(image, ops.max(stacked, axis=1) if numbers.random() < 0.3 else ops.mean(stacked, axis=1))


def random_body(numbers):
    options = {"padding": str(numbers.choice(["same", "valid"])), "dtype": "float64"}
    body = [layers.Conv2D(3, int(numbers.integers(1, 4)), strides=int(numbers.choice([1, 2])), **options)]
    if numbers.random() < 0.5:
        body.append(layers.MaxPooling2D(2, **options))
    if numbers.random() < 0.5:
        body.insert(0, layers.DepthwiseConv2D(3, activation="tanh", padding="same", dtype="float64"))
    head = numbers.choice(["maps", "mean", "flat"])
    if head == "mean":
        body += [layers.GlobalAveragePooling2D(dtype="float64"), layers.Dense(2, dtype="float64")]
    if head == "flat":
        body += [layers.Flatten(dtype="float64"), layers.Dense(2, dtype="float64")]
    return keras.Sequential(body)


def moved(x, group, element):
    """The operations of `ke.groups.act` on images, some of the flips by slices."""
    order, flips = ke.groups.grid.moved_order(group.matrices[element], 4)
    x = ops.transpose(x, order)
    for axis in flips:
        x = ops.flip(x, axis=axis) if axis == 1 else x[:, :, ::-1]
    return x

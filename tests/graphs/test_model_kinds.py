"""Every kind of model is read, folded, certified, restricted and trained in less memory, or refused with the reason."""

import keras
import numpy as np
import pytest
from model_kinds import KINDS, Block, L, chain, difference, inputs_for, lift, trained

import keras_equivariant as ke
from keras_equivariant.graphs.calls import calls, ids
from keras_equivariant.graphs.reading import as_functional, walk
from keras_equivariant.graphs.symmetry import group_of

pytestmark = pytest.mark.tensorflow


@pytest.fixture(params=KINDS)
def model(request):
    keras.utils.set_random_seed(0)
    return trained(KINDS[request.param]())


def test_reading(model):
    graph, inputs = as_functional(model), inputs_for(model)
    assert difference(graph(inputs), model(inputs, training=False)) <= 1e-6
    known = ids(graph.inputs)
    for call in calls(graph):
        assert ids(call.inputs) <= known and call.outputs
        known |= ids(call.outputs)
    assert ids(graph.outputs) <= known
    assert not any(isinstance(call.operation, Block) for call in calls(graph))
    assert group_of(model).name == "D4" and len(list(walk(model))) == len({id(layer) for layer in walk(model)})


def test_folding(model):
    inputs = inputs_for(model)
    expected, folded = model(inputs, training=False), ke.fold(model)
    keras.tree.assert_same_structure(folded(inputs), expected)
    assert difference(folded(inputs), expected) <= 1e-5
    assert all(type(layer).__module__.startswith("keras.") for layer in walk(folded))


def test_proof(model, request):
    folded = ke.fold(model)
    proof, images = ke.prove(folded, "D4"), all(len(tensor.shape) == 4 for tensor in folded.inputs)
    assert proof.verdict == ("proved" if images else "not covered"), str(proof)
    keys = {"dict_outputs": ["map", "vector"], "subclassed": ["logits", "map"]}
    numbers = [f"output_{i}" for i in range(len(folded.outputs))]
    assert not images or list(proof.outputs) == keys.get(request.node.callspec.params["model"], numbers)


def test_certification(model):
    report = ke.certify(model, angles=0)
    assert report.exact and report.group == "D4" and report.layers, str(report)
    assert [p.dtype for p in report.precisions] == ["float64", "float32"]
    assert not ke.certify(model, "D8", inputs_for(model), angles=0).exact  # it could fail


def test_restriction(model):
    if "spectral_normalization" in {layer.name.rstrip("_0123456789") for layer in model.layers}:
        with pytest.raises(ValueError, match="SpectralNormalization"):
            ke.restrict(model, "C4")
        return
    inputs = inputs_for(model)
    small = ke.restrict(model, "C4")
    assert difference(small(inputs), model(inputs, training=False)) <= 1e-5
    assert group_of(small).name == "C4" and small.count_params() >= model.count_params()


def test_rematerialization(model):
    if model.name == "subclassed":
        with pytest.raises(ValueError, match="what a subclassed model does in training is not known.*Subclassed"):
            ke.rematerialize(model)
        return
    inputs = inputs_for(model)
    again = ke.rematerialize(model, batch_size=2)
    assert difference(again(inputs), model(inputs, training=False)) <= 1e-6
    assert {id(w) for w in again.trainable_weights} == {id(w) for w in model.trainable_weights}


def test_reading_leaves_the_model_alone(model):
    inputs, config = inputs_for(model), [layer.name for layer in walk(model)]
    before = model(inputs, training=False)
    as_functional(model)
    assert difference(model(inputs, training=False), before) == 0 and [layer.name for layer in walk(model)] == config


class Hostile(keras.Model):
    def call(self, x):
        if keras.ops.sum(x) > 0:
            return x
        return -x


def test_the_call_that_cannot_be_followed_is_named():
    model = Hostile()
    model(np.zeros((1, 8, 8, 1), "float32"))
    for use in (ke.fold, lambda m: ke.restrict(m, "C4"), lambda m: ke.certify(m, "C4")):
        with pytest.raises(ValueError, match=r"Hostile, where `if keras.ops.sum\(x\) > 0:` \(line \d+ of test_model"):
            use(model)


class Stubborn(keras.layers.Layer):
    """A layer of layers that needs numbers."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.convolution = L.GroupConv2D(3, 3, group="D4", padding="same")

    def call(self, x):
        if isinstance(x, keras.KerasTensor):
            raise TypeError("numbers are needed here")
        return self.convolution(x)


def test_a_layer_that_cannot_be_followed_stays_one_call():
    model = chain((8, 8, 2), lift(), Stubborn(name="stubborn"), L.GroupPooling("max"))
    assert any(isinstance(call.operation, Stubborn) for call in calls(as_functional(model)))
    assert ke.certify(model, angles=0).exact
    with pytest.raises(ValueError, match='"stubborn" of class Stubborn, where `raise TypeError.*numbers are needed'):
        ke.fold(model)


def test_frames_of_unknown_number_are_refused_with_the_reason():
    model = chain((None, 8, 8, 2), keras.layers.TimeDistributed(lift()))
    with pytest.raises(ValueError, match="TimeDistributed layer .* known number of frames.*None, None, 8, 8, 2"):
        ke.fold(model)


def test_frames_with_a_mask_stay_one_call():
    frames, there = keras.Input((3, 8, 8, 2)), keras.Input((3,), dtype="bool")
    model = keras.Model([frames, there], keras.layers.TimeDistributed(lift(), name="each")(frames, mask=there))
    assert [call.operation.name for call in calls(as_functional(model))] == ["each"]


def test_the_group_of_a_model_without_one_is_that_of_its_grid():
    plain = chain((8, 8, 2), keras.layers.Conv2D(2, 3))
    with pytest.raises(ValueError, match="no layer that has a group"):
        group_of(plain)
    assert group_of(plain, of_grid=True).name == "C4"
    assert group_of(chain((8, 8, 8, 2), keras.layers.Conv3D(2, 3)), of_grid=True).name == "O"
    assert group_of(chain((8, 8, 6, 2), keras.layers.Conv3D(2, 3)), of_grid=True).name == "D2h"

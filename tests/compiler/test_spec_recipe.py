"""The `training` of a spec: what may stand in it, and its mistakes."""

# ruff: noqa: E501 (one line for each case)

import subprocess
import sys

import pytest

from keras_equivariant.compiler import build_from_spec, load_spec

FULL = """\
training:
  dataset: rotated_mnist
  epochs: ${2 * n}
  batch_size: 128
  shuffle_block: 8
  refit_head: true
  rematerialize: true
  optimizer: {SGD: {learning_rate: 1e-3, momentum: 0.9, nesterov: true}}
  schedule: {piecewise: {epochs: [50, 100], factor: 0.1}}
  loss: balanced_crossentropy
  augment: {rotate: 180, flip: horizontal, translate: 2, fill: reflect, quarter_turns: true}
  preprocess: [contrast, zca, {resize: 32}]
"""
HEAD = "spec: 1\nname: net\nparams: {n: 5}\ninput: {shape: [8]}\nlayers: [ReLU]\n"


def test_a_full_recipe(write):
    assert load_spec(write(HEAD + FULL)).training == {
        "dataset": "rotated_mnist",
        "epochs": 10,
        "batch_size": 128,
        "shuffle_block": 8,
        "refit_head": True,
        "rematerialize": True,
        "optimizer": {"SGD": {"learning_rate": 1e-3, "momentum": 0.9, "nesterov": True}},
        "schedule": {"piecewise": {"epochs": [50, 100], "factor": 0.1}},
        "loss": "balanced_crossentropy",
        "augment": {"rotate": 180, "flip": "horizontal", "translate": 2, "fill": "reflect", "quarter_turns": True},
        "preprocess": ["contrast", "zca", {"resize": 32}],
    }


def test_short_forms(write):
    text = HEAD + "training: {optimizer: Adam, schedule: {cosine: {warmup_epochs: 5, final: 0.01}}}"
    expected = {"optimizer": {"Adam": {}}, "schedule": {"cosine": {"warmup_epochs": 5, "final": 0.01}}}
    assert load_spec(write(text)).training == expected
    assert load_spec(write(HEAD + "training: {optimizer: {Adam: 0.1}}")).training == {
        "optimizer": {"Adam": {"learning_rate": 0.1}}
    }
    assert load_spec(write(HEAD)).training == load_spec(write(HEAD + "training:")).training == {}


def test_quotients_that_are_whole_are_whole_numbers(write):
    text = (
        "spec: 1\nname: net\nparams: {n: 16}\ninput: {shape: ['${n / 2}', '${n / 4}'], space: '${n / 8}'}\nlayers:\n"
        "  - LieLift: T2\n  - LieConv: {filters: 2, group: T2}\n  - LiePooling\n"
        "training: {epochs: '${n / 2}', schedule: {piecewise: {epochs: ['${n / 4}']}}, augment: {axis: '${n / 8}'}, "
        "preprocess: [{resize: '${n / 2}'}], optimizer: {Adadelta: '${n / 16}'}}\n"
    )
    spec = load_spec(write(text))
    assert build_from_spec(spec).input_shape == [(None, 8, 2), (None, 8, 4), (None, 8)]
    assert spec.training["epochs"] == 8 and isinstance(spec.training["epochs"], int)
    assert isinstance(spec.training["augment"]["axis"], int) and spec.training["preprocess"] == [{"resize": 8}]
    assert spec.training["schedule"] == {"piecewise": {"epochs": [4]}}
    assert spec.training["optimizer"] == {"Adadelta": {"learning_rate": 1.0}}


def test_the_learning_rate_may_be_a_whole_number(write):
    rate = load_spec(write(HEAD + "training: {optimizer: {SGD: 1}}")).training["optimizer"]["SGD"]["learning_rate"]
    assert isinstance(rate, float)  # Keras refuses 1


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("{epoch: 3}", 'training.epoch: unknown key. Did you mean "epochs"?'),
        ("[1]", "training: `training` must be a mapping. Received: a list"),
        ("{epochs: 0}", "training.epochs: must be a whole number from 1. Received: 0"),
        ("{epochs: many}", "training.epochs: must be a whole number from 1. Received: 'many'"),
        ("{batch_size: 1.5}", "training.batch_size: must be a whole number from 1. Received: 1.5"),
        ("{dataset: 3}", "training.dataset: must be the name of a data set. Received: 3"),
        ("{optimizer: Adamm}", 'training.optimizer.Adamm: unknown name. Did you mean "Adam"?'),
        ("{optimizer: {Adam: {learning_rte: 1}}}", 'training.optimizer.Adam.learning_rte: unknown argument. Did you mean "learning_rate"?'),
        ("{optimizer: {Adam: {learning_rate: [1]}}}", "training.optimizer.Adam.learning_rate: must be a number or a text. Received: a list"),
        ("{optimizer: [Adam]}", "training.optimizer: must be one optimizer, such as {Adam: {learning_rate: 1e-3}}. Received: a list"),
        ("{schedule: {peicewise: {}}}", 'training.schedule.peicewise: unknown key. Did you mean "piecewise"?'),
        ("{schedule: {}}", "training.schedule: must be one schedule: piecewise, exponential, cosine. Received: 0"),
        ("{schedule: {piecewise: {factor: 0.1}}}", 'training.schedule.piecewise: `piecewise` needs the key "epochs"'),
        ("{schedule: {piecewise: {epochs: 50}}}", "training.schedule.piecewise.epochs: must be a list of whole numbers. Received: 50"),
        ("{schedule: {piecewise: {epochs: [50, 20]}}}", "training.schedule.piecewise.epochs: must be whole numbers that rise. Received: [50, 20]; order them"),
        ("{optimizer: {Adam: {learning_rate: fast}}}", "training.optimizer.Adam.learning_rate: must be a number above 0. Received: 'fast'"),
        ("{optimizer: {Adam: -1}}", "training.optimizer.Adam.learning_rate: must be a number above 0. Received: -1"),
        ("{optimizer: {SGD: {momentum: high}}}", "training.optimizer.SGD.momentum: must be a number. Received: 'high'"),
        ("{optimizer: {SGD: {nesterov: 2}}}", "training.optimizer.SGD.nesterov: must be true or false. Received: 2"),
        ("{schedule: {piecewise: {epochs: [50], factor: 2}}}", "training.schedule.piecewise.factor: must be a number from 0 to 1. Received: 2"),
        ("{augment: {rotate: 200}}", "training.augment.rotate: must be degrees from 0 to 180. Received: 200"),
        ("{augment: {flip: true}}", "training.augment.flip: must be one of horizontal, vertical, both. Received: true"),
        ("{augment: {quarter_turns: 4}}", "training.augment.quarter_turns: must be true or false. Received: 4"),
        ("{loss: focal}", "training.loss: must be one of crossentropy, balanced_crossentropy, squared_error, absolute_error. Received: 'focal'"),
        ("{augment: {rotat: 3}}", 'training.augment.rotat: unknown key. Did you mean "rotate"?'),
        ("{preprocess: [whiten]}", "training.preprocess[0]: unknown step. Known: contrast, zca, resize."),
        ("{preprocess: [{resize: big}]}", "training.preprocess[0]: must be contrast, zca or {resize: pixels}"),
        ("{preprocess: [{zca: 3}]}", "training.preprocess[0]: must be contrast, zca or {resize: pixels}"),
        ("{preprocess: zca}", "training.preprocess: `preprocess` must be a list. Received: 'zca'"),
    ],
)  # fmt: skip
def test_mistakes(recipe, message, error_of):
    assert error_of(HEAD + f"training: {recipe}") == f"net.yaml:6: {message}"


@pytest.mark.tensorflow
def test_reading_a_spec_does_not_start_tensorflow():
    """Many workers are joined before TensorFlow computes anything, and after the spec is read."""
    code = (
        "import tensorflow as tf, keras_equivariant as ke\n"
        "for name in ('p4m_resnet', 'z2_cnn', 'e2_sfcnn'): ke.load_spec(name)\n"
        "tf.config.threading.set_inter_op_parallelism_threads(1)\n"  # a RuntimeError once it has started
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-1000:]

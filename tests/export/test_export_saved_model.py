"""SavedModels: layout, signatures, warm-up request, no compiled function, the numbers."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from export_models import random_inputs, relative_error, small_cnn
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from keras import layers
from tensorflow.core.protobuf import saved_model_pb2

import keras_equivariant as ke
from keras_equivariant.export import export


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    model = small_cnn("D4")
    return model, export(model, tmp_path_factory.mktemp("served"), formats="saved_model", name="digits", version=7)


def test_layout_of_tensorflow_serving(exported):
    folder = exported[1].path("saved_model")
    assert folder.parts[-2:] == ("digits", "7")
    assert {path.name for path in folder.iterdir()} >= {"saved_model.pb", "variables", "assets.extra"}
    assert sorted(path.name for path in folder.parents[1].iterdir()) == ["digits", "digits.report.json"]


@pytest.mark.parametrize("batch", [1, 3, 5])
def test_signatures_take_any_batch(exported, batch):
    model, report = exported
    loaded = tf.saved_model.load(str(report.path("saved_model")))
    x = random_inputs(model, batch=batch)
    assert set(loaded.signatures) >= {"serving_default"}
    assert relative_error(loaded.signatures["serving_default"](image=x)["output_0"], model(x)) <= 1e-5
    assert relative_error(loaded.serve(x), model(x)) <= 1e-5


def test_no_compiled_function_and_no_group_theory_in_the_graph(exported):
    content = (exported[1].path("saved_model") / "saved_model.pb").read_bytes()
    graph = saved_model_pb2.SavedModel.FromString(content).meta_graphs[0].graph_def
    functions = graph.library.function
    assert not any(f.attr["_XlaMustCompile"].b for f in functions if "_XlaMustCompile" in f.attr)
    used = {node.op for f in functions for node in f.node_def} | {node.op for node in graph.node}
    assert "Conv2D" in used
    assert not used & {"GatherV2", "Einsum", "Transpose", "XlaLaunch", "XlaCallModule", "FusedBatchNormV3"}


def _message(pool, name, fields, package="tensorflow.serving"):
    """A message class with `(name, number, type name or None for string, map)` fields."""
    file = descriptor_pb2.FileDescriptorProto(name=f"{name}.proto", package=package, syntax="proto3")
    message = file.message_type.add(name=name)
    kinds = descriptor_pb2.FieldDescriptorProto
    for field, number, kind, repeated in fields:
        label = kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL
        added = message.field.add(name=field, number=number, label=label)
        added.type = kinds.TYPE_MESSAGE if kind else kinds.TYPE_STRING
        if kind:
            added.type_name = kind
            if kind.startswith(".tensorflow.serving."):
                file.dependency.append(f"{kind.rsplit('.', 1)[1]}.proto")
            else:
                file.dependency.append("tensorflow/core/framework/tensor.proto")
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}"))


def test_warm_up_request_is_a_prediction_log(exported):
    pool = descriptor_pool.Default()
    prefix = ".tensorflow.serving."
    _message(pool, "ModelSpec", [("name", 1, None, False), ("signature_name", 3, None, False)])
    _message(pool, "Entry", [("key", 1, None, False), ("value", 2, ".tensorflow.TensorProto", False)])
    _message(pool, "PredictRequest", [("spec", 1, f"{prefix}ModelSpec", False), ("inputs", 2, f"{prefix}Entry", True)])
    _message(pool, "PredictLog", [("request", 1, f"{prefix}PredictRequest", False)])
    log_class = _message(pool, "PredictionLog", [("predict_log", 6, f"{prefix}PredictLog", False)])

    model, report = exported
    file = report.path("saved_model") / "assets.extra" / "tf_serving_warmup_requests"
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(file))]
    assert len(records) == 1
    request = log_class.FromString(records[0]).predict_log.request
    assert (request.spec.name, request.spec.signature_name) == ("digits", "serving_default")
    inputs = {entry.key: tf.make_ndarray(entry.value) for entry in request.inputs}
    assert {key: value.shape for key, value in inputs.items()} == {"image": (1, 12, 12, 1)}
    signature = tf.saved_model.load(str(report.path("saved_model"))).signatures["serving_default"]
    assert relative_error(signature(**inputs)["output_0"], model(inputs["image"])) <= 1e-5


def test_several_inputs_and_outputs(tmp_path):
    left, right = keras.Input((9, 9, 1), name="left"), keras.Input((9, 9, 1), name="right")
    lift = ke.layers.LiftingConv2D(2, 3, group="C4")
    x, y = lift(left), lift(right)
    pooled = ke.layers.GroupPooling()(layers.Add()([x, y]))
    model = keras.Model({"right": right, "left": left}, {"z": pooled, "a": layers.Subtract()([x, y])}, name="pair")
    report = export(model, tmp_path, formats=["saved_model", "tflite", "keras"])
    assert report.passed
    inputs = random_inputs(model)
    loaded = tf.saved_model.load(str(report.path("saved_model")))
    assert relative_error(loaded.signatures["serving_default"](**inputs), model(inputs)) <= 1e-5


def test_nested_outputs_become_a_flat_list(tmp_path):
    image = keras.Input((9, 9, 1), name="image")
    x = ke.layers.LiftingConv2D(2, 3, group="C4")(image)
    model = keras.Model(image, {"maps": [x, ke.layers.GroupPooling()(x)], "mean": layers.Flatten()(x)}, name="nested")
    report = export(model, tmp_path, formats="saved_model", overwrite=True)
    signature = tf.saved_model.load(str(report.path("saved_model"))).signatures["serving_default"]
    assert sorted(signature.structured_outputs) == ["output_0", "output_1", "output_2"]


def test_sizes_stay_open(tmp_path):
    image = keras.Input((None, None, 1), name="image")
    x = ke.layers.LiftingConv2D(4, 3, group="C4", activation="relu")(image)
    model = keras.Model(image, ke.layers.GroupPooling("max")(x), name="fully_convolutional")
    report = export(model, tmp_path, formats="saved_model")
    x = np.random.default_rng(0).normal(size=(2, 11, 17, 1)).astype("float32")
    assert relative_error(tf.saved_model.load(str(report.path("saved_model"))).serve(x), model(x)) <= 1e-5

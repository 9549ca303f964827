"""Proofs from the file alone: what holds is proved, one bit that is wrong is found and its layer named."""

import dataclasses
import json

import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from export_models import randomize, small_cnn
from keras import layers

import keras_equivariant as ke
from keras_equivariant.cli import main
from keras_equivariant.export.formats import registry
from keras_equivariant.export.proof.graph import window
from keras_equivariant.export.proof.moves import moves_of
from keras_equivariant.kernels.orbits import shared_over_orbits

pytestmark = pytest.mark.tensorflow
KERNELS = {"default": OpResolverType.AUTO, "reference": OpResolverType.BUILTIN_REF}


def digits_like(samples=60, size=12, channels=1, seed=0):
    """Bright strokes on black, as digits are."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(samples, size, size, channels))
    for axis in (1, 2):
        x = sum(np.roll(x, shift, axis) for shift in (-1, 0, 1))
    return np.clip(x / 3 - 0.3, 0, 1).astype("float32")


def normalized_cnn(group, padding="valid", size=12):
    """A network like the packaged ones: Normalization, pre-activated residual sums, an invariant head."""
    image = keras.Input((size, size, 1), name="image")
    x = layers.Normalization(axis=None, mean=0.1307, variance=0.3081**2)(image)
    x = ke.layers.LiftingConv2D(3, 3, group=group, padding=padding)(x)
    x = ke.layers.BatchNormalization(activation="relu")(x)
    y = ke.layers.GroupConv2D(3, 3, group=group, padding="same")(ke.layers.BatchNormalization(activation="relu")(x))
    x = layers.Add()([x, y])
    x = ke.layers.AveragePooling2D(2)(x)
    x = ke.layers.GroupConv2D(5, 3, group=group)(x)
    x = layers.GlobalAveragePooling2D()(ke.layers.GroupPooling("max")(x))
    model = randomize(keras.Model(image, layers.Dense(4)(x), name="normalized"))
    for layer in model.layers:
        if isinstance(layer, layers.Normalization):
            layer.finalize_state()
    return model


def answers(path, x, kernels):
    interpreter = Interpreter(model_path=str(path), experimental_op_resolver_type=KERNELS[kernels])
    given = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(given, x.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(given, x)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Reports of `normalized_cnn`, exported once for each group and padding."""
    reports = {}

    def export(group, padding="valid"):
        if (group, padding) not in reports:
            formats = ["tflite", "tflite_float16", "tflite_int8", "onnx", "keras"]
            model, folder = normalized_cnn(group, padding), tmp_path_factory.mktemp("proofs")
            reports[group, padding] = ke.export(model, folder, formats, representative_data=digits_like())
        return reports[group, padding]

    return export


@pytest.mark.parametrize("group", ["C4", "D4", "C8"])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_every_format_is_proved(group, padding, exported):
    report = exported(group, padding)
    elements = len(ke.groups.get(group).grid_elements)
    for artifact in report.artifacts:
        assert artifact.proof.verdict == "proved", artifact.proof
        assert len(artifact.proof.proved) == elements
        assert artifact.proof.integers == (artifact.format == "tflite_int8")
        assert set(artifact.proof.outputs.values()) == {"invariant"}


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("group", ["C4", "D4", "C8"])
def test_what_is_proved_holds_bit_for_bit(group, kernels, exported):
    path = exported(group).path("tflite_int8")
    x = digits_like(200, seed=1)
    expected = answers(path, x, kernels)
    for element in ke.groups.get(group).grid_elements:
        rotated = ke.groups.act(x, group, element, "image")
        np.testing.assert_array_equal(answers(path, np.ascontiguousarray(rotated), kernels), expected)


def test_the_group_is_found(exported):
    assert ke.prove(exported("D4").path("tflite_int8")).group == "D4"
    assert ke.prove(exported("C8").path("onnx")).group == "C4"


def test_the_proof_stands_in_the_report(exported):
    report = exported("C4")
    saved = json.loads((report.path("keras").parent / "normalized.report.json").read_text())
    verdicts = {artifact["format"]: artifact["proof"]["verdict"] for artifact in saved["artifacts"]}
    assert set(verdicts.values()) == {"proved"} and len(verdicts) == 5
    assert "bit for bit" in str(report) and "order of sums" in str(report)


def planted(path, operation, place, change):
    """A copy of a .tflite file with one number of a layer changed; the layer's name."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0))
    graph = model.subgraphs[0]
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    chosen = [o for o in graph.operators if codes[o.opcodeIndex] == getattr(schema.BuiltinOperator, operation)][1]
    change(model, graph.tensors[chosen.inputs[place]])
    builder = __import__("flatbuffers").Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    copy = path.with_name("planted.tflite")
    copy.write_bytes(bytes(builder.Output()))
    return copy, graph.tensors[chosen.outputs[0]].name.decode()


def one_bit(model, tensor):
    data = model.buffers[tensor.buffer].data.copy()
    data[7] ^= 1
    model.buffers[tensor.buffer].data = data


def one_scale(model, tensor):
    scale = tensor.quantization.scale.copy()
    scale[0] = np.nextafter(scale[0], np.float32(1))
    tensor.quantization.scale = scale


def one_zero_point(model, tensor):
    zero = tensor.quantization.zeroPoint.copy()
    zero[1] += 1
    tensor.quantization.zeroPoint = zero


@pytest.mark.parametrize(
    ("place", "change"), [(1, one_bit), (2, one_bit), (1, one_scale), (2, one_scale), (1, one_zero_point)]
)
def test_one_bit_is_found_and_the_layer_named(place, change, exported):
    copy, name = planted(exported("D4").path("tflite_int8"), "CONV_2D", place, change)
    proof = ke.prove(copy, "D4")
    assert proof.verdict == "not proved"
    assert proof.layer and proof.layer in name


def test_one_bit_of_a_folded_model_is_found():
    folded = ke.fold(normalized_cnn("C4"))
    assert ke.prove(folded, "C4").verdict == "proved"
    layer = [layer for layer in folded.layers if isinstance(layer, layers.Conv2D)][-1]
    kernel, bias = layer.get_weights()
    kernel[0, 0, 0, 0] = np.nextafter(kernel[0, 0, 0, 0], np.float32(9))
    layer.set_weights([kernel, bias])
    proof = ke.prove(folded, "C4")
    assert (proof.verdict, proof.layer) == ("not proved", layer.name)


def test_a_plain_network_is_not_proved(tmp_path):
    image = keras.Input((12, 12, 1))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, name="plain")(image))
    model = keras.Model(image, x)
    ke.export(model, tmp_path, ["tflite_float16"], group="C1", name="halved")
    for proof in (ke.prove(model), ke.prove(tmp_path / "halved_float16.tflite")):
        assert proof.verdict == "not proved" and proof.layer.startswith("plain") and proof.proved == ("e",)


def test_images_of_unknown_sizes_behind_nearest_pixels(tmp_path):
    """TFLite's converter does not know how many channels there are; with the remedies it need not."""

    def model(size):
        image = keras.Input((size, size, 1))
        x = layers.UpSampling2D(2)(ke.layers.GroupPooling("mean")(ke.layers.LiftingConv2D(2, 3, group="C4")(image)))
        return keras.Model(image, layers.Conv2D(1, 1)(x), name="open")

    with pytest.raises(ValueError, match="channels.*for images of unknown sizes.*fixed sizes"):
        ke.export(model(None), tmp_path, ["tflite"])
    assert ke.export(model(8), tmp_path, ["tflite"]).passed
    assert ke.export(model(None), tmp_path, ["saved_model"]).passed


def test_windows_that_one_end_sees_more_of():
    image = keras.Input((9, 9, 1))
    lifted = ke.layers.LiftingConv2D(2, 3, group="C4", padding="same")(image)
    pooled = keras.layers.MaxPooling2D(2, name="off")(ke.layers.GroupPooling()(lifted))
    model = keras.Model(image, layers.GlobalMaxPooling2D()(pooled))
    proof = ke.prove(ke.fold(model), "C4")
    assert (proof.verdict, proof.layer) == ("not proved", "off")


def test_flips_of_a_window_are_those_of_the_array():
    for old, size, stride, dilation, padding in [(9, 3, 1, 1, "same"), (8, 3, 2, 1, "same"), (9, 2, 2, 1, "valid")]:
        one = window(old, size, stride, dilation, padding)
        starts = np.arange(one.new) * stride - one.before
        ends = old - (starts + (size - 1) * dilation + 1)
        assert one.flipped().before == -ends[-1]
        assert one.flipped().flipped() == one


def test_volumes():
    volume = keras.Input((7, 7, 7, 1))
    x = ke.layers.LiftingConv3D(2, 3, group="O", padding="same", activation="relu")(volume)
    x = ke.layers.GroupConv3D(2, 3, group="O", strides=2, padding="same")(x)
    model = keras.Model(volume, layers.GlobalAveragePooling3D()(ke.layers.GroupPooling("max")(x)))
    proof = ke.prove(ke.fold(randomize(model)))
    assert (proof.verdict, proof.group, len(proof.proved)) == ("proved", "O", 24)


@pytest.mark.parametrize(
    ("size", "strides", "padding"), [(2, 2, "valid"), (4, 2, "same"), (3, 1, "same"), (3, 1, "valid")]
)
def test_transposed_convolutions(size, strides, padding, tmp_path):
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 1))
    x = ke.layers.LiftingConv2D(2, 3, group="D4", padding="same", activation="relu")(image)
    options = {"strides": strides, "padding": padding, "bias_initializer": "normal"}
    x = ke.layers.GroupConv2DTranspose(2, size, "D4", **options)(x)
    model = keras.Model(image, ke.layers.GroupPooling("max")(x))
    data = np.random.default_rng(0).normal(size=(8, 8, 8, 1)).astype("float32")
    report = ke.export(model, tmp_path, ["tflite", "tflite_int8", "onnx", "keras"], representative_data=data)
    proofs = {artifact.format: artifact.proof for artifact in report.artifacts}
    assert {format: proof.verdict for format, proof in proofs.items()} == dict.fromkeys(proofs, "proved")


def test_a_transposed_convolution_of_one_end_is_not_proved(tmp_path):
    image = keras.Input((8, 8, 1))
    model = keras.Model(image, keras.layers.Conv2DTranspose(1, 3, strides=2, padding="same")(image))
    report = ke.export(model, tmp_path, ["tflite", "onnx"], group="D4")
    assert {artifact.proof.verdict for artifact in report.artifacts} == {"not proved"}


def test_signs_of_irreps_of_floats():
    """A quarter turn only exchanges and negates the components of an irrep of the plane."""
    image = keras.Input((9, 9, 1))
    x = ke.layers.SteerableConv2D("1x0", "4x0 + 2x1 + 2x2", 5, group="SO2")(image)
    x = ke.layers.SteerableConv2D("4x0 + 2x1 + 2x2", "3x0", 5, group="SO2")(x)
    proof = ke.prove(ke.fold(randomize(keras.Model(image, layers.GlobalAveragePooling2D()(x)))), "SO2")
    assert (proof.verdict, proof.outputs) == ("proved", {"output_0": "invariant"})


def test_harmonic_features():
    image = keras.Input((12, 12, 1))
    x = ke.layers.HarmonicConv2D(2, 5, max_order=2, padding="same")(image)
    x = ke.layers.HarmonicActivation("relu")(x)
    x = ke.layers.HarmonicConv2D(3, 5, max_order=0, padding="same")(x)
    x = layers.GlobalAveragePooling2D()(ke.layers.HarmonicMagnitude()(x))
    proof = ke.prove(ke.fold(randomize(keras.Model(image, x))), "C4")
    assert (proof.verdict, proof.outputs) == ("proved", {"output_0": "invariant"})


def test_irreps_that_mix_are_not_proved():
    volume = keras.Input((7, 7, 7, 1))
    x = ke.layers.SteerableConv3D("1x0", "2x2", 5, group="SO3")(volume)
    x = ke.layers.SteerableConv3D("2x2", "2x0", 3, group="SO3")(x)
    proof = ke.prove(ke.fold(randomize(keras.Model(volume, layers.GlobalAveragePooling3D()(x)))), "SO3")
    assert proof.verdict == "not proved" and proof.layer.startswith("steerable_conv3d")


def test_what_is_not_covered_is_said():
    points = keras.Input((6,))
    proof = ke.prove(keras.Model(points, layers.Dense(3)(points)))
    assert proof.verdict == "not covered" and "no images" in proof.reason
    image = keras.Input((8, 8, 1))
    model = keras.Model(image, layers.Lambda(lambda x: x + 1, name="strange")(image))
    assert (ke.prove(model).verdict, ke.prove(model).layer) == ("not covered", "strange")


def test_groups_of_which_nothing_can_be_proved_are_refused():
    """That these have the identity alone on the grid was said to be a fault of the sizes."""
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(2, 3)])
    for group in ("Z2", "C1", "C3"):
        with pytest.raises(ValueError, match="besides the identity.*which has none; use a group that has, such as C2"):
            ke.prove(model, group)
    image = keras.Input((9, 9, 1))
    x = ke.layers.LiftingConv2D(2, 3, group="C3")(image)
    folded = ke.fold(keras.Model(image, ke.layers.GroupPooling()(x)))
    assert "C3" not in str(ke.prove(folded))


def test_channels_that_are_equal_may_be_exchanged():
    """Filters that are still zero are no ground to refuse a proof."""
    model = normalized_cnn("D4")
    lifting = next(layer for layer in model.layers if isinstance(layer, ke.layers.GroupConv2D))
    lifting.set_weights([np.zeros_like(w) for w in lifting.get_weights()])
    assert ke.prove(ke.fold(model), "D4").verdict == "proved"


def test_sizes_that_are_open():
    image = keras.Input((None, None, 1))
    x = ke.layers.GroupPooling()(ke.layers.LiftingConv2D(2, 3, group="C4")(image))
    folded = ke.fold(keras.Model(image, layers.GlobalAveragePooling2D()(x)))
    with pytest.raises(ValueError, match="input_shape"):
        ke.prove(folded)
    assert ke.prove(folded, "C4", input_shape=(None, 28, 28, 1)).verdict == "proved"


def test_another_kind_of_file():
    with pytest.raises(ValueError, match=r"\.tflite, \.onnx or \.keras"):
        ke.prove("model.pb")


def test_command(exported, tmp_path, capsys):
    path = exported("C4").path("tflite_int8")
    assert main(["prove", str(path), "--group", "C4", "--json", str(tmp_path / "proof.json")]) == 0
    assert "bit for bit" in capsys.readouterr().out
    assert json.loads((tmp_path / "proof.json").read_text())["verdict"] == "proved"
    assert main(["prove", str(path), "--group", "D4"]) == 1
    assert "not proved" in capsys.readouterr().out


def regular(matrix):
    """The regular representation of C4."""
    return np.roll(np.eye(4), round(np.arctan2(matrix[1, 0], matrix[0, 0]) / (np.pi / 2)), axis=0)


def test_shared_kernels_change_by_rounding_only():
    layer = ke.layers.SteerableConv2D("1xregular", "1xregular", 5, group="C4")
    layer.build((None, 9, 9, 4))
    kernel = keras.ops.convert_to_numpy(layer.expanded_kernel())
    up = np.random.default_rng(0).random(kernel.shape) < 0.5
    rounded = np.where(up, np.nextafter(kernel, np.float32(np.inf)), kernel)
    after = shared_over_orbits(rounded, ke.groups.get("C4"), regular, regular)
    assert 0 < np.abs(after - rounded).max() <= 1e-6 * np.abs(kernel).max()
    (rotation,) = [move for move in moves_of(ke.groups.get("C4")) if move.name == "r90"]
    moved = np.roll(np.roll(rotation.array(after), 1, axis=2), 1, axis=3)
    np.testing.assert_array_equal(moved, after)


def test_kernels_without_the_law_are_left_alone():
    kernel = np.random.default_rng(0).normal(size=(3, 3, 4, 4)).astype("float32")
    assert shared_over_orbits(kernel, ke.groups.get("C4"), regular, regular) is kernel


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_representative_data_must_be_finite(bad, tmp_path):
    data = digits_like()
    data[3, 2, 2, 0] = bad
    with pytest.raises(ValueError, match="must be finite"):
        ke.export(small_cnn("C4"), tmp_path, "tflite_int8", representative_data=data)


def test_representative_data_must_vary(tmp_path):
    with pytest.raises(ValueError, match="must vary"):
        ke.export(small_cnn("C4"), tmp_path, "tflite_int8", representative_data=np.zeros((20, 12, 12, 1), "float32"))


def test_representative_data_of_another_scale(tmp_path):
    """A network that was trained on numbers of 0 to 1 and a hundred images of 0 to 1e-4, or of 0 to 255."""
    for factor in (1e-4, 255):
        with pytest.raises(ValueError, match="of the scale that the model expects"):
            ke.export(normalized_cnn("C4"), tmp_path, "tflite_int8", representative_data=digits_like() * factor)


def test_verification_has_inputs_of_its_own(tmp_path, monkeypatch):
    """An artifact that is right on the given data alone does not pass."""
    model, data = normalized_cnn("C4"), digits_like()
    format = registry.get("tflite_int8")

    def right_on_the_data(path, source):
        run = format.load(path, source)

        def answer(inputs):
            (x,) = inputs.values()
            given = np.isin(x[0, :, :, 0], data[0, :, :, 0]).all()
            return {name: y if given else y + 1 for name, y in run(inputs).items()}

        return answer

    monkeypatch.setitem(registry._formats, "tflite_int8", dataclasses.replace(format, load=right_on_the_data))
    with pytest.raises(ke.ExportError, match="random inputs of the scale that its first layer expects"):
        ke.export(model, tmp_path, "tflite_int8", representative_data=data, group="C1")


@pytest.mark.parametrize("form", ["dataset", "pairs", "samples", "generator", "function", "list_function"])
def test_forms_of_representative_data(form, tmp_path):
    tf = pytest.importorskip("tensorflow")
    data = digits_like()
    whole = tf.data.Dataset.from_tensor_slices(data)
    given = {
        "dataset": whole.batch(7),
        "pairs": tf.data.Dataset.from_tensor_slices((data, np.zeros(len(data)))).batch(7),
        "samples": whole,
        "generator": (data[i : i + 1] for i in range(len(data))),
        "function": lambda: (data[i : i + 1] for i in range(len(data))),
        "list_function": lambda: ([data[i : i + 1]] for i in range(len(data))),
    }[form]
    model = small_cnn("C4")
    report = ke.export(model, tmp_path / "a", "tflite_int8", representative_data=given)
    expected = ke.export(model, tmp_path / "b", "tflite_int8", representative_data=data)
    assert report.path("tflite_int8").read_bytes() == expected.path("tflite_int8").read_bytes()


def test_a_layer_that_is_off_on_all_representative_data(tmp_path):
    """A runtime ends the process where it would rescale its integers."""
    image = keras.Input((8, 8, 2))
    x = keras.layers.Conv2D(4, 3, activation="relu")(image)
    off = keras.layers.Conv2D(3, 1, activation="relu", bias_initializer=keras.initializers.Constant(-100.0))(x)
    model = keras.Model(image, keras.layers.Conv2D(2, 1, name="last")(off), name="off")
    data = np.random.default_rng(0).normal(size=(8, 8, 8, 2)).astype("float32")
    with pytest.raises(ValueError, match="with more than zeros.*tflite_float16"):
        ke.export(model, tmp_path, "tflite_int8", representative_data=data, group="C1")
    assert ke.export(model, tmp_path, "tflite_float16", group="C1").passed


VECTORS = {"beside": lambda x, v: keras.layers.Concatenate()([x, keras.layers.Dense(3, activation="relu")(v)])}
VECTORS["scales"] = lambda x, v: x * keras.layers.Dense(x.shape[-1], activation="sigmoid")(v)


@pytest.mark.parametrize("how", VECTORS)
def test_vectors_beside_images_stay_as_they_are(how, tmp_path):
    """Whatever the order of the inputs in a file."""
    vector, image = keras.Input((5,), name="b"), keras.Input((8, 8, 2), name="a")
    x = keras.layers.Conv2D(8, 3, activation="relu")(image)
    plain = keras.Model(
        [vector, image], keras.layers.Dense(3)(VECTORS[how](keras.layers.GlobalMaxPooling2D()(x), vector))
    )
    report = ke.export(ke.equivariant(plain, "D4"), tmp_path, ["tflite", "onnx", "keras"], name="both")
    assert [a.proof.verdict for a in report.artifacts] == ["proved"] * 3
    assert ke.prove(tmp_path / "both.tflite", "D4").verdict == "proved"
    report = ke.export(plain, tmp_path / "plain", ["tflite", "onnx"], name="plain", group="D4")
    assert [a.proof.verdict for a in report.artifacts] == ["not proved"] * 2
    only = keras.Model(vector, keras.layers.Dense(3)(vector))
    assert ke.prove(only, "D4").verdict == "not covered"
    with pytest.raises(ValueError, match=r"`input_shape` must be that of the file's inputs"):
        ke.prove(tmp_path / "both.tflite", "D4", input_shape=[(None, 5), (None, 5)])


@pytest.mark.parametrize("convolution", [keras.layers.Conv2D, keras.layers.DepthwiseConv2D], ids=["conv", "depthwise"])
def test_dilated_convolutions_and_pooled_branches_are_proved(convolution, tmp_path):
    """DeepLab's head: dilated convolutions, and the mean of all pixels enlarged to a map."""
    image = keras.Input((12, 12, 2))
    x = keras.layers.Conv2D(8, 3, padding="same", activation="relu")(image)
    options = {"padding": "same", "activation": "relu"}
    own = {} if convolution is keras.layers.DepthwiseConv2D else {"filters": 8}
    branches = [convolution(kernel_size=3, dilation_rate=d, **own, **options)(x) for d in (2, 3)]
    pooled = keras.layers.Conv2D(4, 1)(keras.layers.GlobalAveragePooling2D(keepdims=True)(x))
    branches.append(keras.layers.UpSampling2D(12, interpolation="bilinear")(pooled))
    plain = keras.Model(image, keras.layers.Conv2D(2, 1)(keras.layers.Concatenate()(branches)), name="head")
    data = np.random.default_rng(0).normal(size=(20, 12, 12, 2)).astype("float32")
    formats = ["tflite", "onnx", "keras", "tflite_int8"]
    report = ke.export(ke.equivariant(plain, "D4"), tmp_path, formats, name="head", representative_data=data)
    assert [a.proof.verdict for a in report.artifacts] == ["proved"] * 4
    assert not [op for a in report.artifacts for op in a.operations if "SPACE" in op]
    report = ke.export(plain, tmp_path / "plain", formats[:3], group="D4")
    assert [a.proof.verdict for a in report.artifacts] == ["not proved"] * 3
    dilated = [layer for layer in plain.layers if getattr(layer, "dilation_rate", (1, 1)) != (1, 1)]
    assert len(dilated) == 2 and not {"convolution_op", "call"} & {key for layer in dilated for key in vars(layer)}


def test_constants_of_places_are_no_maps_that_move():
    """One number of an image times a fixed map: it stays as it is, and beside a map that moves nothing is proved."""
    image = keras.Input((4, 4, 1))
    places = np.arange(16.0, dtype="float32").reshape(1, 4, 4, 1)
    fixed = keras.layers.GlobalAveragePooling2D(keepdims=True)(image) * places
    assert ke.prove(keras.Model(image, fixed), "D4").outputs in ({"output_0": "invariant"}, {"output_0": None})
    assert ke.prove(keras.Model(image, keras.layers.Add()([fixed, image])), "D4").verdict != "proved"
    assert ke.prove(keras.Model(image, keras.layers.Conv2D(1, 3)(fixed)), "D4").verdict != "proved"


def test_a_model_that_is_not_folded_is_told_so_and_the_remedy_works():
    image = keras.Input((9, 9, 1))
    x = ke.layers.LiftingConv2D(2, 3, group="C4")(image)
    model = keras.Model(image, ke.layers.GroupPooling("max")(x))
    proof = ke.prove(model)
    assert proof.verdict != "proved"
    assert "operation LiftingConv2D; prove ke.fold(model), or a file that ke.export wrote" in str(proof)
    assert ke.prove(ke.fold(model)).verdict == "proved"

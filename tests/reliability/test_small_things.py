"""Names, shapes and words that stopped people: each says what to do, or just works."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import yaml

import keras_equivariant as ke
from keras_equivariant.cli import main
from keras_equivariant.compiler import SpecError, build_from_spec, load_spec


def network(input_name="image", layer="conv", pool="pool"):
    image = keras.Input((9, 9, 1), name=input_name)
    x = ke.layers.LiftingConv2D(2, 3, group="C4", name=layer)(image)
    return keras.Model(image, ke.layers.GroupPooling("max", name=pool)(x), name="tiny")


@pytest.mark.tensorflow
@pytest.mark.parametrize(("layer", "pool"), [("conv 1 (b)", "pool ü"), ("a b", "a?b"), ("-a", "(b)")])
def test_layers_of_any_name_are_exported(layer, pool, tmp_path):
    report = ke.export(network(layer=layer, pool=pool), tmp_path, formats=["saved_model", "tflite"])
    assert report.passed


@pytest.mark.tensorflow
def test_names_of_inputs_and_files_are_refused_with_a_remedy(tmp_path):
    with pytest.raises(ValueError, match=r"An input's name becomes .* Received: 'ä b'.*name='x__b'"):
        ke.export(network("ä b"), tmp_path, formats=["saved_model"])
    assert ke.export(network("x__b"), tmp_path, formats=["saved_model"]).passed
    for name in (3, "a b", "../x", "x" * 300, ""):
        with pytest.raises(ValueError, match="`name` becomes a file name"):
            ke.export(network(), tmp_path, formats=["saved_model"], name=name)


def test_a_group_that_the_network_does_not_know(capsys):
    assert main(["check", "p4_cnn", "--set", "filters=2", "--group", "C5"]) == 1
    printed = capsys.readouterr().out
    assert "BROKEN" in printed and "unknown layout" not in printed
    assert "layers, lifting_conv2d to group_conv2d_5, on whose features C5 has no known action" in printed


def test_images_of_another_shape(tmp_path, capsys):
    model = ke.build_from_spec("p4_cnn", filters=2)
    model.save(tmp_path / "model.keras")
    rng = np.random.default_rng(0)
    parts = {"x_train": 8, "x_test": 8}
    arrays = {name: rng.integers(0, 255, (n, 10, 12)).astype("uint8") for name, n in parts.items()}
    np.savez(tmp_path / "other.npz", **arrays, y_train=np.arange(8) % 2, y_test=np.arange(8) % 2)
    assert main(["evaluate", str(tmp_path / "model.keras"), "--data", str(tmp_path / "other.npz")]) == 2
    printed = capsys.readouterr().err
    assert "must have the shape that the network was trained on, (28, 28, 1). Received: " in printed
    assert "images of (10, 12, 1)" in printed and len(printed.splitlines()) == 1


def test_an_extending_spec_is_blamed_for_its_own_values(tmp_path):
    def error(params, **more):
        spec = {"spec": 1, "extends": "e2_wrn_16_8", "name": "mine", "params": params, **more}
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump(spec, sort_keys=False))
        with pytest.raises(SpecError) as caught:
            build_from_spec(tmp_path / "mine.yaml")
        return str(caught.value)

    assert error({"blocks": "x"}).startswith("mine.yaml:5: params.blocks: must be a value like that of")
    assert error({"blocks": [1]}).startswith("mine.yaml:5: params.blocks: must be a value like that of")
    assert error({"blocks": "${'x'}"}).startswith("mine.yaml:5: params.blocks: must be a value like that of")
    # Of the right kind, and out of range: what it does is said of the value, and where.
    found = error({"blocks": -3})
    assert found.startswith("mine.yaml:5: ") and "(in e2_wrn_16_8.yaml:" in found and "which it extends)" in found


def test_a_base_with_an_expression_as_default(tmp_path):
    computed = [n for n in ke.list_specs() if any("${" in str(v) for v in _defaults(n).values())]
    assert computed
    for name in computed:
        parameter = next(key for key, value in _defaults(name).items() if "${" in str(value))
        spec = {"spec": 1, "extends": name, "name": "mine", "params": {parameter: {"a": 1}}}
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump(spec, sort_keys=False))
        with pytest.raises(SpecError, match=r"^mine.yaml:5: "):
            load_spec(tmp_path / "mine.yaml")


def _defaults(name):
    from keras_equivariant.compiler.grammar.source import read

    params = read(name).plain().get("params")
    return params or {}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("keras-equivariant tra", "train"),
        ("keras-equivariant train p4_", "p4_cnn_rotation_pooling"),
        ("keras-equivariant train p4_cnn --data rot", "rotated_mnist"),
    ],
)
def test_completion(line, expected, tmp_path):
    pytest.importorskip("argcomplete")
    script = "import sys; sys.argv[0] = 'keras-equivariant'; from keras_equivariant.cli import main; main()"
    shell = {"_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": "\n", "COMP_LINE": line, "COMP_POINT": str(len(line))}
    answer = tmp_path / "answer"
    shell["_ARGCOMPLETE_STDOUT_FILENAME"] = str(answer)
    done = subprocess.run([sys.executable, "-c", script], env={**os.environ, **shell}, capture_output=True, timeout=120)
    assert expected in [word.strip() for word in answer.read_text().splitlines()], done.stderr.decode()[-500:]

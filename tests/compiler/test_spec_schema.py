"""The JSON Schema: valid itself, accepts what the compiler accepts, refuses common mistakes."""

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from keras_equivariant.compiler import build_from_spec, json_schema, list_specs, load_spec
from keras_equivariant.compiler.grammar import registry

FOLDER = Path(__file__).parents[2] / "specs"


@pytest.fixture(scope="module")
def validator():
    schema = json.loads(json.dumps(json_schema()))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("name", list_specs())
def test_packaged_specs_are_valid(name, validator):
    # Read by a plain YAML reader, as an editor does.
    assert list(validator.iter_errors(yaml.safe_load((FOLDER / f"{name}.yaml").read_text()))) == []
    assert list(validator.iter_errors(json.loads(json.dumps(load_spec(name).to_dict())))) == []


def spec_with(entry, **others):
    return {"spec": 1, "name": "net", "input": {"shape": [8, 8, 1]}, "layers": [entry], **others}


def test_words_are_valid_in_the_case_in_which_they_load(validator):
    spec = spec_with({"Conv2D": {"filters": 3, "kernel_size": 3, "padding": "Same", "activation": "GELU"}})
    assert build_from_spec(spec).layers[1].padding == "same"
    assert list(validator.iter_errors(spec)) == []
    spec["layers"][0]["Conv2D"]["padding"] = "sam"
    assert list(validator.iter_errors(spec)) != []


@pytest.mark.parametrize("empty", ["description", "params", "defaults", "blocks", "training"])
def test_blocks_that_load_empty_are_valid_empty(empty, validator):
    structures = [
        {"residual": {"main": ["ReLU"], "shortcut": None}},
        "ReLU",
    ]
    for entry in structures:
        spec = spec_with(entry, **{empty: None})
        assert build_from_spec(spec).output_shape == (None, 8, 8, 1)
        assert list(validator.iter_errors(spec)) == []
        assert list(validator.iter_errors({**spec, empty: 3})) != []


@pytest.mark.parametrize(
    "entry",
    [
        "ReLU",
        "my_block",
        {"my_block": {"anything": [1, 2]}},
        {"Dense": 3},
        {"Dense": "${units}"},
        {"Dense": {"units": 3, "kernel_initializer": {"RandomNormal": {"stddev": 0.1}}, "kernel_regularizer": None}},
        {"GroupConv2D": {"filters": 3, "kernel_size": [3, "${k}"], "group": "p4m", "strict": False}},
        {"Flatten": {"strict": False}},
        {"repeat": {"times": "${n}", "index": "i", "body": ["ReLU", {"Dense": 3}]}},
        {"residual": {"main": ["ReLU"], "shortcut": []}},
        {"residual": {"main": ["ReLU"], "merge": {"Concatenate": -1}}},
        {"parallel": {"branches": [["ReLU"], []], "merge": {"Add": None}}},
        {"residual": {"filters": 3}},
        {"parallel": {"branches": [["ReLU"], []], "merge": {"Concatenate": {"axis": -1}}}},
        {"when": {"test": "${a > 1}", "then": [], "else": ["ReLU"]}},
        {"Conv2D": {"filters": 3, "kernel_size": 3, "padding": "SAME", "activation": "Relu"}},
        {"GroupConv2D": {"filters": 3, "kernel_size": 3, "padding": "Valid", "activation": "Leaky_ReLU"}},
    ],
)
def test_accepts(entry, validator):
    assert list(validator.iter_errors(spec_with(entry))) == []


@pytest.mark.parametrize(
    "entry",
    [
        "Densse",
        3,
        {"Densse": 3},
        {"Dense": {"unist": 3}},
        {"Dense": {"units": "three"}},
        {"Dense": {"units": 0}},
        {"Dense": {"units": 3, "use_bias": "yes"}},
        {"Dense": {"units": 3, "kernel_initializer": {"RandomNormall": {}}}},
        {"Dense": {"units": 3, "activation": "rleu"}},
        {"Dense": 3, "ReLU": None},
        {"GroupPooling": "min"},
        {"GroupConv2D": {"filters": 3, "kernel_size": 3, "padding": "smae"}},
        {"repeat": {"times": 2, "body": ["Densse"]}},
        {"repeat": {"times": 2, "body": [], "extra": 1}},
        {"residual": {"main": [{"Dense": {"unist": 3}}]}},
        {"parallel": {"branches": [["ReLU"], []], "merge": "Dense"}},
    ],
)
def test_refuses(entry, validator):
    assert list(validator.iter_errors(spec_with(entry))) != []


@pytest.mark.parametrize(
    "others",
    [
        {"training": {"epoch": 3}},
        {"training": {"optimizer": {"Adm": {}}}},
        {"training": {"optimizer": {"Adam": {"learning_rte": 1}}}},
        {"training": {"augment": {"flip": "sideways"}}},
        {"defaults": {"Densse": {}}},
        {"defaults": {"Dense": {"unist": 3}}},
        {"blocks": {"Block": {"body": []}}},
        {"blocks": {"block": {"bdoy": []}}},
        {"spec": 2},
        {"inptu": {}},
    ],
)
def test_refuses_around_the_layers(others, validator):
    assert list(validator.iter_errors(spec_with("ReLU", **others))) != []


def test_every_layer_and_argument_is_described():
    definitions = json_schema()["$defs"]
    for name, layer in registry.layer_classes().items():
        assert set(definitions[f"layer_{name}"]["properties"]) == set(registry.layer_arguments(name))
        own = layer.__module__.startswith("keras")  # others are registered by whoever shares the process
        assert definitions[f"layer_{name}"]["description"] or not own

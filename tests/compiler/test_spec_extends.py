"""`extends`: a packaged spec with other defaults of its parameters and another recipe."""

import jsonschema
import pytest

from keras_equivariant import compiler

OWN = {
    "spec": 1,
    "extends": "p4_cnn",
    "name": "narrow",
    "params": {"filters": 3},
    "training": {"epochs": 7},
}


def test_parameters_and_recipe_are_replaced_the_rest_is_kept():
    base, spec = compiler.load_spec("p4_cnn"), compiler.load_spec(OWN)
    assert spec.name == "narrow"
    assert spec.params == {**base.params, "filters": 3}
    assert spec.training == {**base.training, "epochs": 7}
    assert spec.description == base.description
    assert [entry.layer for entry in spec.layers] == [entry.layer for entry in base.layers]
    same = compiler.build_from_spec("p4_cnn", filters=3)
    assert compiler.build_from_spec(OWN).count_params() == same.count_params()


def test_the_parameters_stay_parameters():
    assert compiler.load_spec(OWN, filters=5).params["filters"] == 5
    assert compiler.load_spec({**OWN, "params": None}).params["filters"] == 10
    with pytest.raises(compiler.SpecError, match="must be a whole number"):
        compiler.load_spec(OWN, filters="many")


def test_editors_accept_it():
    jsonschema.validate(OWN, compiler.json_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"spec": 1, "name": "nothing"}, compiler.json_schema())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ("extends: p4_cn", 'extends: must be the name of a packaged spec. Did you mean "p4_cnn"?'),
        ("extends: ../p4_cnn.yaml", "extends: must be the name of a packaged spec."),
        ("extends: {a: 1}", "extends: must be the name of a packaged spec."),
        ("extends: e2_wrn_28_10", 'extends: must be a spec that extends no other. Received: "e2_wrn_28_10"'),
        (
            "extends: p4_cnn\nparams: {fitlers: 3}",
            'params.fitlers: "p4_cnn" has no such parameter. Did you mean "filters"?',
        ),
        (
            "extends: p4_cnn\nparams: {classes: many}",
            "params.classes: must be a value like that of \"p4_cnn\", 10. Received: 'many'",
        ),
        ("extends: p4_cnn\nlayers: [Flatten]", "layers: unknown key. Known: spec, extends, name"),
        ("extends: p4_cnn\ntraining: {epoch: 3}", 'training.epoch: unknown key. Did you mean "epochs"?'),
        ("extends: p4_cnn\ntraining: 3", "training: `training` must be a mapping. Received: 3"),
    ],
)
def test_mistakes(error_of, changes, message):
    text = error_of(f"spec: 1\nname: own\n{changes}\n")
    assert text.startswith("net.yaml:")
    assert message in text
    assert "\n" not in text

"""`train SPEC` without data: what comes with the package, of the kind of every spec that is packaged."""

import functools

import pytest

import keras_equivariant as ke
from keras_equivariant.cli import main
from keras_equivariant.compiler import list_specs, load_spec
from keras_equivariant.data.registry import names
from keras_equivariant.training.agreement import ALSO_GENERATED, GENERATED, fits
from keras_equivariant.training.network import data_of

FEW = {"nbody": {"systems": 20, "test": 10}}
ELSEWHERE = {"unet_volumes"}  # nothing of its kind is generated


@functools.cache
def load(name):
    return ke.data.load(name, **FEW.get(name, {}))


@pytest.mark.parametrize("name", list_specs())
def test_every_packaged_spec_has_data_of_its_kind(name):
    if name in ELSEWHERE:
        assert data_of(name) == load_spec(name).training["dataset"]
        return
    data, spec = data_of(name), load_spec(name)
    assert data in (*GENERATED.values(), *ALSO_GENERATED) and data in names()
    assert fits(spec, spec.training.get("task", "classification"), load(data))


def test_a_recipe_s_own_data_come_first_where_they_need_no_file():
    assert data_of("se3_tetris") == "tetris"
    assert data_of("p4_cnn") == "digits"
    assert data_of("hfc_springs") == "springs"
    assert data_of("p4_cnn", recipe={"dataset": "cells", "task": "segmentation"}) == "cells"


@pytest.mark.parametrize("kind", [kind for kind in GENERATED if kind[1] in ("images", "volumes")])
def test_a_recipe_that_names_a_task_alone_gets_data_of_its_kind(kind, tmp_path):
    task, layout = kind
    path = tmp_path / "own.yaml"
    shape = [8] * (2 if layout == "images" else 3) + [1]
    path.write_text(
        f"spec: 1\nname: own\ninput: {{shape: {shape}}}\nlayers: [Flatten, Dense: 2]\ntraining: {{task: {task}}}\n"
    )
    assert data_of(str(path)) == GENERATED[kind]


@pytest.mark.tensorflow
def test_a_motion_is_trained_by_its_spec_alone(tmp_path, capsys):
    command = ["train", "fc_springs", "--set", "width=8", "--epochs", "1", "--limit", "20", "--no-export", "--quiet"]
    assert main([*command, "--angle-step", "90", "--run-dir", str(tmp_path / "run")]) == 0
    assert '"data": "springs"' in (tmp_path / "run" / "summary.json").read_text()


def test_an_error_says_which_data_fit(capsys):
    assert main(["train", "hfc_springs", "--data", "digits", "--epochs", "1"]) == 2
    assert "such as springs, --data springs" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted({*GENERATED.values(), *ALSO_GENERATED}))
def test_what_is_called_generated_needs_no_file(name, monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_EQUIVARIANT_DATA", str(tmp_path))
    few = {"nbody": FEW["nbody"], "springs": {"systems": 20}, "pendulums": {"systems": 20}}
    assert len(ke.data.load(name, **few.get(name, {})).x_train)

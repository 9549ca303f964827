"""Every packaged spec in every format, each artifact run and certified in its runtime; the guide lists what is not."""

import pathlib
import re

import keras
import numpy as np
import pytest
from small_specs import SMALL

import keras_equivariant as ke
from keras_equivariant.equivariance.twin import random_inputs

VOLUMES = (
    *("cath_resnet34", "octa_convnext", "octahedral_resnet", "voxnet"),
    *("se3_cath_resnet34", "se3_modelnet10", "se3_shrec17", "se3_tetris", "se3_vector_field"),
    "unet_volumes",
)
WIDE_RANGES = ("hnet_rotated_mnist", "hnet_segmentation", "so2_irreps", "so2_orientation")
MASKED = (
    *("hamiltonian_nbody", "hlieconv_springs", "lieconv_dipole", "lieconv_molecules", "lieconv_qm9"),
    "lieconv_rotated_mnist",
    *("ponita_molecules", "ponita_tetris", "tfn_dipole", "tfn_molecules"),
)
# What a format cannot hold, and the error that says so.
UNSUPPORTED = {
    # The points are subsampled in a loop.
    ("lieconv_rotated_mnist", "keras"): (ValueError, "A .keras file holds .* without functions of their own"),
    **{(name, "tflite_int8"): (ValueError, "int8") for name in VOLUMES},
    # What is not there is very far away, so that one step of an integer is larger than all distances.
    **{(name, "tflite_int8"): (ValueError, "256 steps can tell apart") for name in MASKED},
    # Magnitudes, quotients and squares span more than 256 steps can tell apart in an untrained network.
    **{(name, "tflite_int8"): (ke.ExportError, "outputs differ|symmetry error|divides by") for name in WIDE_RANGES},
}
FORMATS = ("saved_model", "tflite", "tflite_float16", "tflite_int8", "onnx", "openvino", "keras")
# Sums of vectors that nearly cancel in an untrained network.
TOLERANCE = {"lieconv_dipole": {format: 1e-3 for format in FORMATS if not format.startswith("tflite_")}}
ROUNDING = {"tflite_int8": 1e-2, "tflite_float16": 2e-3}

CELLS = [(name, format) for name in SMALL for format in FORMATS]
# Of blocks that other networks have, too.
LONG = (
    *("densenet", "e2_wrn_16_8", "lieconv_qm9", "ponita_molecules", "resnet50", "se3_cath_resnet34", "se3_shrec17"),
    *("hamiltonian_nbody", "lieconv_dipole", "octa_convnext", "ponita_tetris", "tfn_molecules"),
)
GUIDE = (pathlib.Path(__file__).parents[2] / "tutorials/guides/deploying.md").read_text()

pytestmark = pytest.mark.tensorflow


def test_every_spec_is_here():
    assert set(SMALL) == set(ke.list_specs())


def test_what_no_format_holds_is_in_the_readme():
    table = GUIDE.split("| not in | packaged specs |")[1].split("\n\n")[0]
    rows = [line.split("|")[1:3] for line in table.splitlines() if line.startswith("| `")]
    listed = {(name, format) for formats, names in rows for format in quoted(formats) for name in quoted(names)}
    assert listed == set(UNSUPPORTED)


def quoted(text):
    return re.findall("`(.*?)`", text)


@pytest.fixture(scope="module")
def network():
    """The network of a spec and a few inputs, made once for all its formats."""
    made = {}

    def make(name):
        if name not in made:
            made.clear()
            keras.utils.set_random_seed(0)
            model = ke.build_from_spec(name, **SMALL[name])
            made[name] = model, random_inputs(model, ke.groups.get("C1"), 16, 32, seed=0)
        return made[name]

    return make


@pytest.fixture(scope="module")
def exported(network, tmp_path_factory):
    """The report of a spec, exported once in all the formats that hold it."""
    reports = {}

    def export(name):
        if name not in reports:
            model, inputs = network(name)
            formats = [format for format in FORMATS if (name, format) not in UNSUPPORTED]
            options = {"representative_data": inputs, "tolerance": TOLERANCE.get(name)}
            try:
                reports[name] = ke.export(model, tmp_path_factory.mktemp(name), formats, **options)
            except ke.ExportError as error:  # each format's own test tells what is wrong with it
                reports[name] = error.report
        return reports[name]

    return export


def cells(found):
    """Those of long networks marked as slow."""
    return [pytest.param(*cell, marks=pytest.mark.slow) if cell[0] in LONG else cell for cell in found]


@pytest.mark.parametrize(("name", "format"), cells(cell for cell in CELLS if cell not in UNSUPPORTED))
def test_a_spec_in_a_format(name, format, exported):
    report = exported(name)
    (artifact,) = (artifact for artifact in report.artifacts if artifact.format == format)
    assert not artifact.problems
    assert report.path(format).exists()
    assert artifact.batches == (1, 3)
    assert np.isfinite(artifact.relative_error)
    if artifact.equivariance and max(report.equivariance.values()) < 1e-5:
        assert max(artifact.equivariance.values()) <= ROUNDING.get(format, 1e-5)


# What no permutation of channels describes: points and the states of springs; and means of the channels of a field.
NOT_COVERED = ("fc_springs", "hfc_springs")
NO_SYMMETRY = ("unet_segmentation", "z2_cnn")
INTEGERS = [name for name in SMALL if (name, "tflite_int8") not in UNSUPPORTED]


@pytest.mark.parametrize(("name",), cells((name,) for name in INTEGERS))
def test_integers_are_proved_from_the_file_alone(name, exported):
    path = exported(name).path("tflite_int8")
    proof = ke.prove(path)
    (artifact,) = (artifact for artifact in exported(name).artifacts if artifact.format == "tflite_int8")
    if name in NOT_COVERED:
        assert proof.verdict == "not covered" and proof.reason
    elif name in NO_SYMMETRY:
        assert proof.verdict == "not proved" and proof.layer
    else:
        assert proof.verdict == "proved" and proof.integers
        assert artifact.proof.verdict == "proved"
        assert max(artifact.equivariance.values()) == 0


@pytest.mark.parametrize(("name", "format"), cells(UNSUPPORTED))
def test_what_a_format_cannot_hold_is_refused(name, format, network, tmp_path):
    model, inputs = network(name)
    error, message = UNSUPPORTED[name, format]
    with pytest.raises(error, match=message):
        ke.export(model, tmp_path, format, representative_data=inputs)
    assert not [path for path in tmp_path.iterdir() if not path.name.endswith(".report.json")]

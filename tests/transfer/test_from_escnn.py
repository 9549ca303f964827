"""Whole networks of escnn: its own numbers, recorded, against those of the model that is made of them."""

import functools
import json
import os
import pathlib
import sys

import keras
import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant.transfer.escnn_types import Types, group_of, parts_of

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import record_escnn  # noqa: E402

pytestmark = pytest.mark.tensorflow
# Made anew by `.ci/escnn`, which names the file.
RECORDED = np.load(os.environ.get("ESCNN_RECORDED") or pathlib.Path(__file__).with_name("escnn_1_0_11.npz"))
NAMES = sorted({key.split("/")[0] for key in RECORDED.files if "/" in key})
MODULES = json.loads(str(RECORDED["modules"]))  # all that escnn.nn has


@functools.cache
def recorded(name):
    """`(record, arrays, x, y)`, x and y channels first."""
    arrays = {key[len(name) + 1 :]: RECORDED[key] for key in RECORDED.files if key.startswith(name + "/")}
    return json.loads(str(arrays.pop("record"))), arrays, arrays.pop("x"), arrays.pop("y")


def file_of(name, folder):
    record, arrays, *_ = recorded(name)
    path = folder / "escnn.npz"
    np.savez(path, record=np.array(json.dumps(record)), **arrays)
    return path


def error(model, record, arrays, x, y):
    """What the model gives for an input against what escnn gave, relative, both in escnn's channels."""
    steps = record["steps"]
    types, ends = Types(record, arrays), (steps[0]["in"], steps[record["output"]]["out"])
    before, after = (types[end][1] for end in ends)
    found = keras.ops.convert_to_numpy(model(np.moveaxis(x, 1, -1) @ before.T)) @ after
    wanted = np.moveaxis(y, 1, -1)
    assert found.shape == wanted.shape
    return np.abs(found - wanted).max() / np.abs(wanted).max()


@pytest.mark.escnn
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NAMES)
def test_same_numbers_as_escnn(name, tmp_path):
    record, arrays, x, y = recorded(name)
    model = ke.from_escnn(file_of(name, tmp_path), x.shape[2:], strict=False)
    assert error(model, record, arrays, x, y) < 1e-5
    kernels = [w for w in model.trainable_weights if w.name == "kernel"]
    if name in ("C8 mixed fields", "SO2 gated"):  # negative control, and the saved model
        model.save(tmp_path / "model.keras")
        assert error(keras.models.load_model(tmp_path / "model.keras"), record, arrays, x, y) < 1e-5
        kernels[0].assign(kernels[0][::-1])
        assert error(model, record, arrays, x, y) > 1e-2
    keras.backend.clear_session()


def test_certified_where_the_sizes_allow(tmp_path):
    model = ke.from_escnn(file_of("flips top and bottom", tmp_path), (7, 7))
    assert ke.certify(model, angles=0, layers=False).exact


def test_what_cannot_come_over_is_said(tmp_path):
    path = file_of("SO2 gated", tmp_path)
    with pytest.raises(ValueError, match=r"one size for each axis of space, 2"):
        ke.from_escnn(path, (9, 9, 9))
    with pytest.raises(ValueError, match="loses its exact symmetry"):
        ke.from_escnn(path, (10, 10))
    np.savez(tmp_path / "filters.npz", kernel=np.zeros(3))
    with pytest.raises(ValueError, match="without its record; for single filters use ke.import_filters"):
        ke.from_escnn(tmp_path / "filters.npz")
    with pytest.raises(ValueError, match="must be an escnn module or the path"):
        ke.from_escnn(np.zeros(3))
    record, arrays, *_ = recorded("C8 regular")
    for change, message in (
        ({"kind": "R3IcoConv"}, r"must be a layer here.*bells on the vertices.*SteerableConv3D\(group=.I.\)"),
        ({"kind": "InducedNormPool"}, "must be a layer here.*norm of each part of an induced field"),
        ({"kind": "NewModule"}, "a kind that escnn 1.0.11 does not have; bring over what lies before and behind it"),
        ({"kind": "PointwiseNonLinearity", "options": {"function": "mish"}}, "of the functions elu.*Received: mish"),
        (
            {"kind": "PointwiseMaxPool2D", "options": {"kernel_size": 2, "stride": 2, "padding": 1}},
            "has padding=0 only",
        ),
        ({"kind": "R2Upsampling", "options": {"scale_factor": 1.5, "mode": "nearest"}}, "needs known sizes"),
        ({"kind": "PointwiseAdaptiveAvgPool2D", "options": {"output_size": 2}}, "needs known sizes"),
    ):
        changed = {**record, "output": 1, "steps": [record["steps"][0], {**record["steps"][1], **change}]}
        np.savez(tmp_path / "changed.npz", record=np.array(json.dumps(changed)), **arrays)
        with pytest.raises(ValueError, match=f"What comes from escnn .*{message}"):
            ke.from_escnn(tmp_path / "changed.npz", strict=False)
    upsampling = {"kind": "R2Upsampling", "options": {"scale_factor": 1.5, "mode": "bilinear"}}
    changed = {**record, "output": 1, "steps": [record["steps"][0], {**record["steps"][1], **upsampling}]}
    np.savez(tmp_path / "changed.npz", record=np.array(json.dumps(changed)), **arrays)
    with pytest.raises(ValueError, match="upsamples to whole sizes"):
        ke.from_escnn(tmp_path / "changed.npz", (9, 9), strict=False)
    model = ke.from_escnn(tmp_path / "changed.npz", (8, 8), strict=False)
    assert model.output_shape[1:3] == (12, 12)
    np.savez(tmp_path / "old.npz", record=np.array(json.dumps({**record, "format": 0})), **arrays)
    with pytest.raises(ValueError, match="of this version"):
        ke.from_escnn(tmp_path / "old.npz")


def test_fourier_activation_is_that_of_escnn_after_a_scale():
    """Their rows of samples have norm 1, ours the norm that makes the weights those of a quadrature."""
    for name, function, homogeneous in (("SO2 Fourier p_elu", "elu", False), ("SO2 Fourier p_relu", "relu", True)):
        record, arrays, x, y = recorded(name)
        types = Types(record, arrays)
        before = types[record["steps"][0]["in"]]
        layer = ke.layers.FourierActivation(before[0], activation=function, grid="C16")
        scale = 1 / np.sqrt(before[0].size / 2)  # of two functions
        inputs = np.moveaxis(x, 1, -1) @ before[1].T

        def error(c, layer=layer, inputs=inputs, change=before[1], y=y):
            found = keras.ops.convert_to_numpy(layer(inputs * c)) / c @ change
            return np.abs(found - np.moveaxis(y, 1, -1)).max()

        assert error(scale) < 1e-6
        assert (error(1.0) < 1e-6) == homogeneous


def test_samples_without_symmetry_are_refused(tmp_path):
    record, arrays, *_ = recorded("SO2 Fourier p_elu")
    coarse = {key: value[:, ::3] if "Ainv" in key else value[::3] for key, value in arrays.items() if ".A" in key}
    np.savez(tmp_path / "coarse.npz", record=np.array(json.dumps(record)), **{**arrays, **coarse})
    with pytest.raises(ValueError, match="has samples that the element r90 of SO2 does not permute"):
        ke.from_escnn(tmp_path / "coarse.npz", (2, 2))
    ke.from_escnn(file_of("example: points of space", tmp_path))  # where no pixels are, there is nothing to lose
    for name in ("SO2 Fourier p_elu", "O2 Fourier", "SO3 Fourier", "SO3 sphere to scalars"):  # the remedies
        ke.from_escnn(file_of(name, tmp_path))


def test_a_kernel_outside_every_basis_is_refused(tmp_path):
    record, arrays, *_ = recorded("C8 mixed fields")
    place = record["steps"][0]["arrays"]["kernel"]
    arrays = {**arrays, place: np.random.default_rng(0).normal(size=arrays[place].shape)}
    np.savez(tmp_path / "wrong.npz", record=np.array(json.dumps(record)), **arrays)
    with pytest.raises(ValueError, match="of the kernel is lost"):
        ke.from_escnn(tmp_path / "wrong.npz", strict=False)


def test_irreps_that_the_guide_names(tmp_path):
    record, arrays, *_ = recorded("D6 irreps")
    types = Types(record, arrays)
    last = record["types"][record["steps"][1]["out"]]
    names = [field.rpartition("irrep_")[2] for field in last["fields"]]
    ours = [name for _, name in types[record["steps"][1]["out"]][0].terms]
    assert dict(zip(names, ours, strict=True)) == {"1,0": "0-", "0,3": "3+", "1,3": "3-", "1,1": "1", "1,2": "2"}


def test_groups_are_known_by_their_matrices():
    turn = ke.groups.rotation_matrix(90.0, axis=(1, 0, 0))  # about escnn's x, our last axis
    about_x = np.stack([np.linalg.matrix_power(turn, k) for k in range(4)])
    assert group_of(about_x, True, "C4")[0].name == "C4z"
    octahedral = ke.groups.get("O").matrices
    assert group_of(octahedral, True, "O")[0].name == "O"
    tilted = np.stack([np.eye(2), [[np.cos(1), np.sin(1)], [np.sin(1), -np.cos(1)]]])
    group, elements = group_of(tilted, True, "D1")
    assert group.name.startswith("escnn_") and group_of(tilted, True, "D1")[0] == group
    about = np.stack([ke.groups.rotation_matrix(angle, axis=(0, 0, 1)) for angle in (20.0, 77.0)])
    with pytest.raises(ValueError, match="rotations about one axis"):
        group_of(about, False, "SO2")
    about = np.stack([ke.groups.rotation_matrix(angle, axis=(1, 0, 0)) for angle in (20.0, 77.0)])
    for extra, name in (((1, 1, 1), "Cinfz"), ((1, -1, -1), "Cinfz"), ((1, -1, 1), "Cinfv"), ((-1, 1, -1), "Dinfz")):
        found, elements = group_of(np.concatenate([about, np.diag(extra)[None].astype(float)]), False, "SO2")
        assert found.name == name and all(map(found.contains, elements))


@pytest.mark.parametrize("group", ["D3", "T", "O2"])
def test_any_change_of_basis_is_undone(group):
    group = ke.groups.get(group)
    elements = group.matrices if group.is_finite else group.sample(5).matrices
    for text in ("regular", "1") if group.order == 6 else ("irreps",) if group.is_finite else ("0-", "2"):
        field_type = ke.FieldType.parse(text, group)
        whole = np.stack([field_type.transform(np.eye(field_type.size), m).T for m in elements])
        mixed = np.linalg.qr(np.random.default_rng(0).normal(size=(field_type.size,) * 2))[0]
        theirs = mixed @ whole @ mixed.T
        parts = parts_of(group, elements, theirs)
        change = np.concatenate([one for _, maps in parts for one in maps])
        np.testing.assert_allclose(change @ change.T, np.eye(field_type.size), atol=1e-9)
        for name, maps in parts:
            ours = ke.FieldType.parse(f"1x{name}", group).blocks[0].representation.rho(elements)
            for one in maps:
                np.testing.assert_allclose(ours @ one, one @ theirs, atol=1e-9)


def test_what_is_said_of_branches(tmp_path):
    """Networks with a forward of their own that cannot be followed; the parts of torch alone, without escnn."""
    torch = pytest.importorskip("torch")
    with pytest.raises(ValueError, match="must have modules of escnn"):
        ke.from_escnn(torch.nn.Linear(2, 2), (9, 9))


@pytest.mark.escnn
@pytest.mark.filterwarnings("ignore")
def test_escnn_itself(tmp_path):
    """Where escnn is installed: its modules in this process, and the file that its own process would write."""
    pytest.importorskip("escnn")
    for name, module, size in record_escnn.networks():
        x, y = record_escnn.answers(record_escnn.randomized(module), size)
        record, arrays = ke.transfer.escnn_writer.describe(module, x.shape[2:])
        assert error(ke.from_escnn(module, x.shape[2:], strict=False), record, arrays, x, y) < 1e-5, name
        keras.backend.clear_session()


def test_equal_bases_stay_as_they_are():
    group = ke.groups.get("SO2")
    for seed in (0, 1):
        angles = np.random.default_rng(seed).uniform(0, 360, size=4)
        elements = np.stack([ke.groups.rotation_matrix(angle) for angle in angles])
        ours = ke.FieldType.parse("1x2", group).blocks[0].representation.rho(elements)
        ((name, maps),) = parts_of(group, elements, ours)
        assert name == "2"
        np.testing.assert_allclose(maps[0], np.eye(2), atol=1e-9)

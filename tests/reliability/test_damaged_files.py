"""Damaged and foreign files: whatever reads them raises one error that names the file, bounded in time and memory."""

import collections
import json
import zipfile

import keras
import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant import data
from keras_equivariant.kernels import learned
from keras_equivariant.presets.preset import FOLDER
from keras_equivariant.training import compare_runs
from keras_equivariant.training.saved import load_trained
from keras_equivariant.utils.arrays import as_numbers, read_arrays

RNG = np.random.default_rng(0)
IMAGES = {
    "x_train": RNG.integers(0, 256, (12, 6, 6)).astype("uint8"),
    "y_train": np.arange(12) % 3,
    "x_test": RNG.integers(0, 256, (6, 6, 6)).astype("uint8"),
    "y_test": np.arange(6) % 3,
}
CLOUD = {"positions": RNG.normal(size=(3, 5, 2)), "values": RNG.normal(size=(3, 5, 4))}
MOLECULES = {"z": RNG.integers(1, 9, (4, 3)), "pos": RNG.normal(size=(4, 3, 3)), "energy": np.arange(4.0)}
ATOMS = {**IMAGES, "positions_train": RNG.normal(size=(12, 4, 3)), "positions_test": RNG.normal(size=(6, 4, 3))}


def filters(path):
    layer = ke.layers.LiftingConv2D(2, 3, group="C4", name="lifting_conv2d")
    model = keras.Sequential([layer])
    model.build((None, 7, 7, 1))
    return ke.import_filters(model, path, "groupy")


READERS = {
    "images": (data.load, IMAGES),
    "cloud": (data.load_point_cloud, CLOUD),
    "molecules": (data.load_molecules, MOLECULES),
    "atoms": (data.load, ATOMS),
    "preset": (ke.from_preset, None),
    "basis": (learned.load, None),
    "filters": (filters, {"lifting_conv2d.kernel": np.zeros((2, 1, 1, 3, 3))}),
}


def whole(name, path):
    """A whole file that the reader takes."""
    content = READERS[name][1]
    if name == "preset":
        path.write_bytes((FOLDER / "z2_cnn_rotated_mnist.npz").read_bytes())
    elif name == "basis":
        path.write_bytes(learned.packaged()[0]["path"].read_bytes())
    else:
        np.savez(path, **content)


def huge(path):
    """An array whose header declares 7 TiB."""
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }"
    header += b" " * (117 - len(header)) + b"\n"
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(64)
    with zipfile.ZipFile(path, "w") as archive:
        for key in ("x_train", "y_train", "x_test", "y_test", "positions", "z", "pos", "spec", "functions"):
            archive.writestr(f"{key}.npy", content)


def compressed_otherwise(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x_train.npy", b"rubbish")
        archive.filelist[0].compress_type = 99


def single(path):
    with open(path, "wb") as file:
        np.save(file, np.zeros((3, 6, 6)))


def _later_version(path):
    """A whole archive of which the version of ZIP that is needed to extract it is one that nobody knows."""
    np.savez(path, **IMAGES, **CLOUD)
    path.write_bytes(path.read_bytes().replace(b"PK\x01\x02\x2d\x03\x2d\x00", b"PK\x01\x02\x2d\x03\xed\x00"))


FOREIGN = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("x_train,y_train\n1,2\n"),
    "start of a zip": lambda path: path.write_bytes(b"PK\x03\x04rubbish"),
    "zip of nothing": lambda path: zipfile.ZipFile(path, "w").close(),
    "single array": single,
    "7 TiB": huge,
    "unknown compression": compressed_otherwise,
    "objects": lambda path: np.savez(path, **dict.fromkeys([*IMAGES, *CLOUD, "z", "pos"], np.array([{}], object))),
    "numbers of other kinds": lambda path: np.savez(
        path, **{key: np.array(["a", "b"]) for key in [*IMAGES, *CLOUD, "z", "pos", "spec", "functions"]}
    ),
    "version of another day": lambda path: _later_version(path),
    "complex": lambda path: np.savez(path, **{k: v + 1j for k, v in {**IMAGES, **CLOUD, **MOLECULES}.items()}),
}


@pytest.mark.parametrize("reader", READERS)
def test_whole_files_are_read(reader, tmp_path):
    path = tmp_path / "file.npz"
    whole(reader, path)
    assert READERS[reader][0](str(path)) is not None


@pytest.mark.parametrize("kind", FOREIGN)
@pytest.mark.parametrize("reader", READERS)
def test_foreign_files(reader, kind, tmp_path):
    path = tmp_path / "file.npz"
    FOREIGN[kind](path)
    with pytest.raises(ValueError, match="file.npz"):
        READERS[reader][0](str(path))


@pytest.mark.parametrize("reader", READERS)
def test_random_damage(reader, tmp_path):
    """Truncation and flipped bytes at random places: refused, or harmless to what is read."""
    path = tmp_path / "file.npz"
    whole(reader, path)
    content, rng = path.read_bytes(), np.random.default_rng(1)
    refused = 0
    for trial in range(12):
        damaged = bytearray(content)
        if trial % 3 == 0:
            damaged = damaged[: rng.integers(len(content))]
        else:
            for place in rng.integers(0, len(content), 1 + trial):
                damaged[place] ^= int(rng.integers(1, 256))
        path.write_bytes(bytes(damaged))
        try:
            READERS[reader][0](str(path))
        except ValueError as error:
            assert "file.npz" in str(error)
            refused += 1
    assert refused >= 6


ODD = [np.array(1), np.zeros((2, 0, 0)), np.full(6, np.nan), np.array(["x"]), np.zeros((3,) * 7), np.full((4, 3), -1)]
ODD += [np.array(["2020"], "datetime64[D]"), np.zeros(5, [("a", "i4")]), np.full(12, 2**63, "uint64"), np.zeros((4, 3))]


def search(count, seed, folder):
    """Whole files with a few arrays of other shapes or kinds: how many are read and refused, and `(what, error)` of
    those that are not refused by the file's name."""
    rng, wrong, everything = np.random.default_rng(seed), [], {**IMAGES, **CLOUD, **MOLECULES, **ATOMS}
    found = collections.Counter()
    path = folder / "file.npz"
    readers = [name for name, (_, content) in READERS.items() if content is not None]
    for _ in range(count):
        reader = readers[rng.integers(len(readers))]
        keys = rng.choice(list(everything), rng.integers(1, 4), replace=False)
        changed = {str(key): ODD[rng.integers(len(ODD))] for key in keys}
        np.savez(path, **{**READERS[reader][1], **changed})
        try:
            READERS[reader][0](str(path))
            found["read"] += 1
        except Exception as error:  # any other is what is searched for
            found["refused"] += 1
            if not isinstance(error, ValueError) or "file.npz" not in str(error):
                wrong.append((reader, {key: (value.dtype, value.shape) for key, value in changed.items()}, error))
    return found, wrong


def test_odd_arrays_in_whole_files(tmp_path):
    found, wrong = search(60, 0, tmp_path)
    assert not wrong and found["read"] > 5 and found["refused"] > 20, (found, wrong)


@pytest.mark.slow
def test_more_odd_arrays_in_whole_files(tmp_path):
    found, wrong = search(3000, 1, tmp_path)
    print(found)
    assert not wrong


@pytest.mark.parametrize("load", [data.load, data.load_xyz])
def test_text_that_is_none(load, tmp_path):
    for name in ("file.xyz", *(["file.csv"] if load is data.load else [])):
        (tmp_path / name).write_bytes(b"3\nenergy=1 \xd0\xff\nO 0 0 0\n")
        with pytest.raises(ValueError, match=name):
            load(str(tmp_path / name))


@pytest.mark.parametrize("content", ["", "{}", "[]", "null", "3", '{"settings": 3}', "[" * 100_000, '{"settings": {}}'])
def test_damaged_run_folders(content, tmp_path):
    (tmp_path / "config.json").write_text(content)
    (tmp_path / "summary.json").write_text(content)
    (tmp_path / "model.keras").write_bytes(b"rubbish")
    with pytest.raises(ValueError, match="config.json"):
        load_trained(tmp_path)
    with pytest.raises(ValueError, match="summary.json"):
        compare_runs([tmp_path])


def test_a_summary_without_its_certificate(tmp_path):
    keys = ("parameters", "data", "data_description", "test_error_percent", "error_percent_by_angle")
    keys += ("mean_error_over_angles_percent", "worst_error_over_angles_percent")
    (tmp_path / "summary.json").write_text(json.dumps({**dict.fromkeys(keys, 1), "certificate": None}))
    with pytest.raises(ValueError, match="must hold its certificate"):
        compare_runs([tmp_path])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_train": np.where(np.arange(12) == 3, np.inf, 1.0)}, "finite.*at index 3"),
        ({"y_train": np.where(np.arange(12) == 3, 2**32 + 1, 1)}, "must lie between"),
        ({"x_train": np.full((12, 6, 6), 1e300)}, "must lie between"),
        ({"x_train": np.full((12, 6, 6), 1 + 2j)}, "must be numbers"),
    ],
)
def test_numbers_that_would_become_others(changes, message, tmp_path):
    np.savez(tmp_path / "file.npz", **{**IMAGES, **changes})
    with pytest.raises(ValueError, match=message):
        data.load(str(tmp_path / "file.npz"))


def test_casts_keep_the_numbers():
    assert as_numbers([1.0, 2.0], "int32", "Labels").dtype == np.int32
    for values in ([1.5], [2**31], [-(2**31) - 1], [np.nan], [1j], ["a"]):
        with pytest.raises(ValueError, match="Labels must"):
            as_numbers(values, "int32", "Labels")


def test_keys_of_a_full_file_are_listed(tmp_path):
    np.savez(tmp_path / "file.npz", images=np.zeros((3, 6, 6)), labels=np.arange(3))
    with pytest.raises(ValueError, match="file.npz with images, labels"):
        data.load(str(tmp_path / "file.npz"))
    assert set(read_arrays(tmp_path / "file.npz")) == {"images", "labels"}


def test_one_xyz_file_and_a_short_picture_of_a_point_set(tmp_path):
    with pytest.raises(FileNotFoundError, match="w.xyz"):
        data.load_xyz(str(tmp_path / "w.xyz"))
    np.savez(tmp_path / "cloud.npz", **CLOUD)
    assert str(data.load_point_cloud(tmp_path / "cloud.npz")).count("\n") == 0

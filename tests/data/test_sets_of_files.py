"""Data sets read from an archive, on small ones made here: what they hold, how they are cut, what they refuse."""

import io
from dataclasses import replace

import numpy as np
import pytest

from keras_equivariant import data
from keras_equivariant.data.references import HumanMaps, ObjectCounts, objects

pytest.importorskip("scipy")
image = pytest.importorskip("PIL.Image")
NEW = ("bsds500", "crchisto27", "cifar10_jpeg", "qm9")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_EQUIVARIANT_DATA", str(tmp_path))
    return tmp_path


def jpeg(pictures):
    """The bytes of pictures one after the other, and where each begins."""
    files = []
    for picture in pictures:
        file = io.BytesIO()
        image.fromarray(picture).save(file, "JPEG", quality=95)
        files.append(file.getvalue())
    return np.frombuffer(b"".join(files), "uint8"), np.cumsum([0, *map(len, files)])


def photographs(**changes):
    """Six photographs, two a part, of both orientations, each marked by 2 or 3 people."""
    shapes, rng = [(30, 45), (45, 30)] * 3, np.random.default_rng(0)
    people = [rng.random((2 + i % 2, *shape)) < 0.1 for i, shape in enumerate(shapes)]
    for maps in people:
        maps[:, 15] = True
    bits = [np.packbits(maps, axis=1).ravel() for maps in people]
    bytes_, offsets = jpeg([np.full((*shape, 3), 40 * i, "uint8") for i, shape in enumerate(shapes)])
    found = {"jpeg": bytes_, "jpeg_offsets": offsets, "split": np.array([0, 0, 1, 1, 2, 2], "uint8")}
    found |= {"height": np.array([s[0] for s in shapes]), "width": np.array([s[1] for s in shapes])}
    found |= {"maps": np.concatenate(bits), "map_offsets": np.cumsum([0, *map(len, bits)])}
    return {**found, "annotators": np.array([len(maps) for maps in people]), **changes}, people


@pytest.mark.parametrize("name", NEW)
def test_a_missing_or_wrong_file_is_named_once(folder, name):
    with pytest.raises(FileNotFoundError, match=rf"no {name}\.npz in the folder KERAS_EQUIVARIANT_DATA.*--data \w+"):
        data.load(name)
    np.savez(folder / f"{name}.npz", other=np.zeros(3))
    with pytest.raises(ValueError, match=rf"{name}\.npz.*fetch it again"):
        data.load(name)


def test_photographs_are_cropped_for_training_and_kept_whole_for_the_benchmark(folder):
    arrays, people = photographs()
    np.savez(folder / "bsds500.npz", **arrays)
    found = data.load("bsds500", size=16, crops=3)
    assert found.x_train.shape == (6, 16, 16, 3) and found.x_val.shape == found.x_test.shape == (2, 16, 16, 3)
    assert found.task == "segmentation"
    middle = people[4].mean(axis=0)[7:23, 14:30]
    np.testing.assert_allclose(found.y_test[0, ..., 0], middle)
    np.testing.assert_allclose(found.x_test[0], 160, atol=2)
    assert [one.shape for one in found.references.images] == [(30, 45, 3), (45, 30, 3)]
    np.testing.assert_array_equal(found.references.maps[1], people[5])
    half = data.load("bsds500", size=16, target="consensus")
    np.testing.assert_array_equal(half.y_test[0, ..., 0], middle >= 0.5)
    assert (data.load("bsds500", 1, size=16, crops=3).y_train != found.y_train).any()
    one = found.limited(1, seed=3)
    assert len(one.references) == len(one.x_test) == 1
    kept = int(one.x_test.mean() > 180)
    np.testing.assert_array_equal(one.references.maps[0], people[4 + kept])
    assert len(data.load("bsds500", size=16, photographs=1).references) == 1
    half = found.with_fraction(0.4, seed=1)
    assert len(half.x_train) == 3 and len(set(half.groups)) == 1, "all crops of one photograph, none of the other"
    for options, message in (({"size": 31}, "size=31"), ({"crops": 0}, "crops=0"), ({"target": "any"}, "target='any'")):
        with pytest.raises(ValueError, match=message):
            data.load("bsds500", **{"size": 16, **options})
    np.savez(folder / "bsds500.npz", **{**arrays, "jpeg": arrays["jpeg"][::-1]})
    with pytest.raises(ValueError, match="whole JPEG file.*bytes 0 to"):
        data.load("bsds500", size=16)


def test_references_score_whole_photographs():
    wide = [np.zeros((40, 60)), np.zeros((60, 40))]
    for one in wide:
        one[20] = 1.0
    wholes = HumanMaps([one[..., None] for one in wide], [one[None] > 0 for one in wide])
    perfect = wholes.scores(lambda images: (one[..., 0] for one in images), 0.5)
    assert perfect["test_ods_percent"] > 97 and perfect["test_ois_percent"] > 97, "the border fades"
    nothing = wholes.scores(lambda images: (0 * one[..., 0] for one in images), 0.5)
    assert nothing["test_ods_percent"] == nothing["test_ois_percent"] == 0


def test_objects_are_counted_with_and_without_specks():
    mask = np.zeros((12, 12))
    mask[1:4, 1:4], mask[6:10, 6:10], mask[0, 11] = 1, 1, 1
    assert objects(mask) == 3 and objects(mask, 2) == 2 and objects(0 * mask) == 0
    references = ObjectCounts(np.stack([mask, mask])[..., None], np.array([2, 5]), smallest=2)
    found = references.scores(lambda images: (one[..., 0] for one in images), 0.5)
    assert found == {"test_count_error": 1.5, "test_count_bias": -1.5, "mean_count": 3.5}
    assert references.subset([1]).scores(lambda images: (one[..., 0] for one in images), 0.5)["test_count_error"] == 3


def test_patients_are_in_one_part_only(folder):
    rng = np.random.default_rng(0)
    patients = np.repeat(np.arange(20), 5)
    x = np.broadcast_to(patients[:, None, None, None], (100, 27, 27, 3)).astype("uint8")
    arrays = {"x": x, "patient_id": patients, "is_cancerous": rng.integers(0, 2, 100)}
    types = {"cell_type": np.where(patients < 10, np.arange(100) % 4, 255), "cell_type_names": np.array(list("abcd"))}
    np.savez(folder / "crchisto27.npz", **arrays, **types)
    found = data.load("crchisto27")
    parts = [set(np.unique(getattr(found, f"x_{part}"))) for part in ("train", "val", "test")]
    assert [len(part) for part in parts] == [14, 2, 4] and len(set.union(*parts)) == 20
    assert found.class_names == ("other", "cancer") and found.num_classes == 2
    parts = [found.with_fraction(0.5, seed=2).with_validation(0.2, seed=2)]
    parts += [data.load("crchisto27").limited(40).with_validation(0.3)]
    for part in parts:
        trained, held = set(np.unique(part.x_train)), set(np.unique(part.x_val))
        assert trained and held and not trained & held and trained == set(part.groups)
    with pytest.raises(ValueError, match=r"groups of shape \(3,\) for 70 images"):
        replace(found, groups=np.arange(3))
    with pytest.raises(ValueError, match="several groups"):
        replace(found, groups=np.zeros(70)).with_validation(0.2)
    again = data.load("crchisto27", seed=5)
    np.testing.assert_array_equal(again.x_test, found.x_test)
    by_type = data.load("crchisto27", target="type")
    assert by_type.class_names == tuple("abcd") and by_type.x_train.max() < 10
    assert sum(len(getattr(by_type, f"x_{part}")) for part in ("train", "val", "test")) == 50
    with pytest.raises(ValueError, match="target='patient'"):
        data.load("crchisto27", target="patient")


def test_the_lossy_photographs_say_so(folder):
    pictures = [np.full((32, 32, 3), 20 * i, "uint8") for i in range(6)]
    bytes_, offsets = jpeg(pictures)
    arrays = {"jpeg": bytes_, "offsets": offsets, "y": np.arange(6) % 3, "split": np.array([0, 1, 0, 1, 0, 0])}
    np.savez(folder / "cifar10_jpeg.npz", **arrays, class_names=np.array(["plane", "car", "bird"]))
    found = data.load("cifar10_jpeg")
    assert "lossy" in found.description and found.class_names == ("plane", "car", "bird")
    np.testing.assert_allclose(found.x_test[:, 0, 0, 0], [20, 60], atol=2)
    np.testing.assert_array_equal(found.y_train, [0, 2, 1, 2])


def test_molecules_have_the_property_without_what_the_atoms_have_alone(folder):
    z = np.array([[6, 1, 0], [8, 1, 1], [1, 1, 0], [6, 8, 0]], "uint8")
    arrays = {
        "z": z,
        "positions": np.random.default_rng(0).normal(size=(4, 3, 3)).astype("float32"),
        "properties": np.stack([[-38.0, -76.0, -1.0, -113.0], [0.1, 0.2, 0.3, 0.4]], axis=1),
        "property_names": np.array(["u0", "mu"]),
        "property_units": np.array(["Ha", "D"]),
        "atomref": np.array([[-0.5], [-37.5], [-75.0]]),
        "atomref_z": np.array([1, 6, 8], "uint8"),
        "atomref_names": np.array(["u0"]),
        "train": np.array([0, 1]),
        "validation": np.array([3]),
        "test": np.array([2]),
    }
    np.savez(folder / "qm9.npz", **arrays)
    found = data.load("qm9", target="u0")
    np.testing.assert_allclose(found.y_train.arrays["energy"][:, 0], [0, 0], atol=1e-4)
    np.testing.assert_allclose(found.y_val.arrays["energy"], [[-0.5 * 27.211386]], rtol=1e-5)
    assert found.description == "QM9, u0 in eV" and found.x_train.arrays["values"].shape == (2, 3, 9)
    dipole = data.load("qm9", target="mu")
    np.testing.assert_allclose(dipole.y_train.arrays["energy"][:, 0], [0.1, 0.2])
    assert dipole.description.endswith("mu in D")
    with pytest.raises(ValueError, match="one of u0, mu.*target='gap'"):
        data.load("qm9")

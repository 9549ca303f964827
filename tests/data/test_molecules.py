"""Molecules from archives and xyz files: what is learned, what is refused, and in which words."""

import json

import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant.data.sets.elements import ELEMENTS, charge_values

RNG = np.random.default_rng(0)
Z = np.array([[8, 1, 1, 0]] * 12)
POS, F, E = RNG.normal(size=(12, 4, 3)), RNG.normal(size=(12, 4, 3)), RNG.normal(size=12)
ABSENT = np.where(Z[..., None] > 0, F, np.nan)


def load(path, options=None, **arrays):
    np.savez(path / "some.npz", **{"z": Z, "pos": POS, **arrays})
    return ke.data.load(path / "some.npz", **(options or {}))


def both(dataset, name):
    """An array of all molecules, sorted."""
    parts = [getattr(dataset, f"y_{part}").arrays[name] for part in ("train", "test")]
    return np.sort(np.concatenate(parts), axis=0)


def test_places_that_no_molecule_fills_are_none(tmp_path):
    np.savez(tmp_path / "padded.npz", z=Z, pos=POS, energy=E, forces=ABSENT)
    data = ke.data.load(tmp_path / "padded.npz", points=3)
    assert data.x_train.arrays["mask"].all() and data.x_train.shape[1:] == (3, 3)
    assert data.y_train.arrays["forces"].shape[1:] == (3, 3)


@pytest.mark.parametrize(
    ("arrays", "options", "learned"),
    [
        ({"energy": E, "forces": F}, {}, {"energy": "energy", "forces": "forces"}),
        ({"energy": E, "forces": ABSENT}, {}, {"energy": "energy", "forces": "forces"}),
        ({"energy": E, "forces": F}, {"target": "energy"}, {"energy": "energy"}),
        ({"energy": E, "forces": F}, {"target": "forces"}, {"energy": "energy", "forces": "forces"}),
        ({"energy_ha": E}, {}, {"energy": "energy_kcal"}),
        ({"energy_ha": E, "forces": F}, {}, {"energy": "energy_ha", "forces": "forces"}),
        ({"energy_ha": E, "forces_ha": F}, {}, {"energy": "energy_kcal", "forces": "forces_kcal"}),
        ({"gap": E, "mu": F[:, 0]}, {"target": "gap"}, {"energy": "gap"}),
        ({"gap": E, "mu": F[:, 0]}, {"target": "mu"}, {"dipole": "mu"}),
        ({"dipole": F[:, 0], "forces": F}, {}, {"dipole": "dipole"}),
        ({"energy": E[:, None], "cell": 4 * np.eye(3)}, {"points": 6}, {"energy": "energy"}),
        ({"energy": E, "forces": F}, {"points": 6, "elements": [1, 6, 8]}, {"energy": "energy", "forces": "forces"}),
    ],
)
def test_what_an_archive_has_to_learn(arrays, options, learned, tmp_path):
    found = load(tmp_path, options, **arrays)
    assert tuple(found.y_train.arrays) == tuple(learned) and found.target_names == tuple(learned.values())
    if list(learned.values()) == ["energy", "forces"]:
        assert np.isfinite(found.y_train.arrays["forces"]).all()
    places, elements = options.get("points", 4), options.get("elements", [1, 8])
    assert found.reading == {"points": places, "elements": elements}
    json.dumps(found.reading)
    assert found.x_train.arrays["values"].shape[1:] == (places, 3 * len(elements))


@pytest.mark.parametrize(
    ("arrays", "options", "text"),
    [
        ({"forces": F}, {}, "an energy, with or without forces.*forces"),
        ({"forces": F}, {"target": "forces"}, "an energy, with or without forces"),
        ({"energies": E[:10], "forces": F}, {}, r"energies of shape \(10,\) for 12 samples"),
        ({"energy": E, "forces": F[:, :3]}, {}, r"forces of shape \(12, 3, 3\) for 12 samples of up to 4 atoms"),
        ({"energy": E, "forces": F.reshape(12, 12)}, {}, r"forces of shape \(12, 12\)"),
        ({"energy": F[:, 0, :2]}, {}, r"energy of shape \(12, 2\)"),
        ({"energy": F[:, 0]}, {}, r"energy of shape \(12, 3\)"),
        ({"dipole": F[:, 0, :2]}, {}, r"dipole of shape \(12, 2\)"),
        ({"energy": E, "charges": F[:, :, 0]}, {"target": "charges"}, r"charges of shape \(12, 4\)"),
        ({"energy": E + 1j}, {}, "energy.*must be real numbers.*complex128"),
        ({"energy_ha": np.array(["a"] * 12)}, {}, "energy_ha.*must be real numbers.*U1"),
        ({"energy": np.where(np.arange(12) == 3, np.nan, E)}, {}, "energy.*must be finite.*at index 3"),
        ({"energy": E}, {"target": "gap"}, "target='gap'.* with energy"),
        ({"energy": E, "pos": np.tile(POS, 4)}, {}, r"pos of shape \(12, 4, 12\).*lattice vectors as `cell`"),
        ({"energy": E, "cell": np.ones((5, 3, 3))}, {}, r"cells of shape \(5, 3, 3\)"),
        ({"energy": E[:1], "z": Z[:1], "pos": POS[:1]}, {}, "some to train on and some to test on.*with one"),
        ({"energy": E}, {"elements": [1, 6]}, r"atoms of O beside H, C.*--option elements=\[1,6,8\]"),
        ({"energy": E}, {"elements": ["H"]}, "`elements` are charges"),
        ({"energy": E}, {"points": 2}, "points=2 for molecules of up to 3 atoms.*--option points=3"),
    ],
)
def test_what_no_archive_may_hold(arrays, options, text, tmp_path):
    with pytest.raises(ValueError, match=text) as error:
        load(tmp_path, options, **arrays)
    assert "some.npz" in str(error.value)


def test_energies_keep_their_digits(tmp_path):
    energies = -419110 + 0.0272 * np.arange(12)
    assert np.abs(both(load(tmp_path, energy=energies), "energy")[:, 0] - energies).max() < 1e-9


def test_cells():
    whole = np.zeros((5, 2, 3), int)
    for cells in (4.1 * np.eye(3), 4.1 * np.eye(3)[None], np.tile(4.1 * np.eye(3), (5, 1, 1))):
        found = ke.data.in_cells(whole, cells)
        assert found.shape == (5, 2, 12) and found[4, 1, 3] == 4.1
    assert ke.data.in_cells(whole.astype("float32"), np.eye(3)).dtype == np.float32
    for cells in (np.ones((2, 3, 3)), np.ones(9), np.eye(2)):
        with pytest.raises(ValueError, match="Cells are the lattice vectors"):
            ke.data.in_cells(whole, cells)


def test_values_tell_elements_apart():
    z = np.array([[1, 8, 0]])
    np.testing.assert_allclose(charge_values(z, [1, 6, 8])[0, 1], [0, 0, 1, 0, 0, 1, 0, 0, 1])
    np.testing.assert_allclose(charge_values(z[:, :1], [1, 8])[0, 0], [1, 0, 1 / 8, 0, 1 / 64, 0])
    assert ELEMENTS["Na"] == 11 and ELEMENTS["Og"] == 118 == len(ELEMENTS)
    clusters = ke.data.load("clusters", count=10, atoms=4, elements=[1, 2, 3], points=5)
    assert clusters.reading == {"elements": [1, 2, 3], "points": 5}
    assert clusters.x_train.shape[1:] == (5, 3) and clusters.y_train.arrays["forces"].shape[1:] == (5, 3)


def test_bad_lines_of_the_format_of_qm9(tmp_path):
    head = "2\ngdb 1\t" + "\t".join("1" * 15)
    for i, (lines, text) in enumerate(
        {
            "H 0 0\nO 0 0 1 0": "three coordinates",
            "Qq 0 0 0\nO 0 0 1 0": "Qq is no element",
            "H 0 0 0 0": "is missing",
        }.items()
    ):
        path = tmp_path / f"{i}.xyz"
        path.write_text(f"{head}\n{lines}\n")
        with pytest.raises(ValueError, match=text):
            ke.data.load_xyz(path)
    path.write_text(f"0\n{head[2:]}\n")
    with pytest.raises(ValueError, match="an atom, a line or a property is missing"):
        ke.data.load_xyz(path)
    path.write_text(f"{head}\nNa 0 0 0 0\nCl 0 0 2.4 0\n")
    assert ke.data.load_xyz(path, elements=[1, 11, 17]).values.shape == (1, 2, 9)
    with pytest.raises(ValueError, match="points=1 for molecules of up to 2 atoms"):
        ke.data.load_xyz(path, points=1)


def test_images_without_channels_are_no_points():
    with pytest.raises(ValueError, match=r"\(samples, H, W, channels\).*shape \(2, 4, 4\)"):
        ke.data.points_of_images(np.zeros((2, 4, 4)))


def frames(count=6, says="energy={e}", forces=(), kinds="HO", skip=()):
    """The text of an extended xyz file of molecules of two atoms; frames in `skip` lack the forces, or what is said."""
    rng, lines = np.random.default_rng(0), []
    for i in range(count):
        pushed = forces and i not in skip
        comment = "" if i in skip and not forces else says.format(e=rng.normal(), f=rng.normal())
        lines += ["2", "Properties=species:S:1:pos:R:3" + (":forces:R:3 " if pushed else " ") + comment]
        lines += [" ".join([k, *(f"{v:.4f}" for v in rng.normal(size=6 if pushed else 3))]) for k in kinds]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("text", "options", "learned"),
    [
        (frames(), {}, {"energy": (1,)}),
        (frames(says="Energy={e}"), {}, {"energy": (1,)}),
        (frames(forces=True), {}, {"energy": (1,), "forces": (2, 3)}),
        (frames(forces=True), {"target": "energy"}, {"energy": (1,)}),
        (frames(forces=True, skip=[3]), {"target": "energy"}, {"energy": (1,)}),
        (frames(forces=True), {"target": "forces", "points": 4}, {"energy": (1,), "forces": (4, 3)}),
        (frames(says='energy={e} dipole="1 {e} {f}"'), {"target": "dipole"}, {"dipole": (3,)}),
        (frames(says='dipole="1 {e} {f}"'), {}, {"dipole": (3,)}),
        (frames(says="REF_energy={e} gap={f}"), {"target": "gap"}, {"energy": (1,)}),
        (frames(says='energy={e} pbc="T T T"'), {"periodic": False}, {"energy": (1,)}),
    ],
)
def test_what_frames_have_to_learn(text, options, learned, tmp_path):
    pytest.importorskip("ase")
    (tmp_path / "some.xyz").write_text(text)
    found = ke.data.load(tmp_path / "some.xyz", **options)
    assert {name: array.shape[1:] for name, array in found.y_train.arrays.items()} == learned


def test_a_trajectory_of_ase_has_what_its_calculator_said(tmp_path):
    io, atoms = pytest.importorskip("ase.io"), pytest.importorskip("ase")
    (tmp_path / "some.xyz").write_text(frames(forces=True))
    io.write(tmp_path / "some.traj", io.read(tmp_path / "some.xyz", index=":"))
    found, same = (ke.data.load(tmp_path / f"some.{ending}") for ending in ("traj", "xyz"))
    for part in ("x_train", "y_train", "x_test", "y_test"):
        for name, array in getattr(same, part).arrays.items():
            np.testing.assert_array_equal(getattr(found, part).arrays[name], array)
    io.write(tmp_path / "bare.traj", atoms.Atoms("OH", np.eye(3)[:2]))
    with pytest.raises(ValueError, match="say their energy.*bare.traj, frame 0 with nothing"):
        ke.data.load(tmp_path / "bare.traj")
    (tmp_path / "torn.traj").write_bytes((tmp_path / "some.traj").read_bytes()[:300])
    with pytest.raises(ValueError, match="A trajectory must be whole.*torn.traj"):
        ke.data.load(tmp_path / "torn.traj")


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (frames(forces=True, skip=[3]), {}, "say their forces.*frame 3 with energy.*--target energy"),
        (frames(skip=[2]), {}, "say their energy.*frame 2 with nothing"),
        (frames(), {"target": "dipole"}, "say their dipole.*frame 0 with energy"),
        (frames(), {"target": "forces"}, "say their forces.*frame 0"),
        (frames(says='energy="1 2 3"'), {}, r"energy of shape \(6, 3\)"),
        (frames(says='energy="1 2"'), {}, r"frame 0 with energy of shape \(2,\)"),
        (frames(says="energy=abc"), {}, "frame 0 with energy of shape.*U3"),
        (frames(kinds="XH"), {}, "frame 0 with X, H"),
        (frames(kinds=["Qq", "H"]), {}, "are elements.*'Qq'"),
        (frames(says='energy={e} pbc="T T T"'), {}, "frame 0 with pbc.*periodic=false"),
        (frames(count=1), {}, "some to train on and some to test on"),
        (frames(), {"elements": [1, 6]}, "atoms of O beside H, C"),
        (frames(), {"points": 1}, "points=1 for molecules of up to 2"),
    ],
)
def test_what_no_frame_may_say(text, options, message, tmp_path):
    pytest.importorskip("ase")
    (tmp_path / "some.xyz").write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        ke.data.load(tmp_path / "some.xyz", **options)
    assert "some.xyz" in str(error.value)


def test_frames_to_test_on_say_what_is_learned(tmp_path):
    pytest.importorskip("ase")
    for name, forces in (("with", True), ("without", ())):
        (tmp_path / f"{name}.xyz").write_text(frames(forces=forces))
    with pytest.raises(ValueError, match=r"say their forces.*without\.xyz, frame 0"):
        ke.data.load(tmp_path / "with.xyz", test=str(tmp_path / "without.xyz"))
    found = ke.data.load(tmp_path / "with.xyz", test=str(tmp_path / "without.xyz"), target="energy")
    assert len(found.x_test) == 6 and list(found.y_test.arrays) == ["energy"]


@pytest.mark.parametrize(
    "names", [("z", "pos"), ("z", "R"), ("nuclear_charges", "coords"), ("atomic_numbers", "positions")]
)
def test_archives_in_which_all_samples_have_the_same_atoms_are_read_by_the_names_of_md17(names, tmp_path):
    arrays = {names[0]: Z[0, :3], names[1]: POS[:, :3], "E": E[:, None], "F": F[:, :3], "theory": "DFT", "md5": "0"}
    np.savez(tmp_path / "md.npz", **arrays)
    found = ke.data.load(tmp_path / "md.npz")
    assert found.target_names == ("E", "F") and found.reading == {"points": 3, "elements": [1, 8]}
    assert found.x_train.arrays["mask"].all() and len(found.x_train) == 11


def test_parts_and_groups_of_molecules_are_those_of_the_file(tmp_path):
    split = np.array(["train"] * 6 + ["val"] * 2 + ["test"] * 4)
    found = load(tmp_path, energy=E, split=split)
    for part, rows in (("train", slice(6)), ("val", slice(6, 8)), ("test", slice(8, 12))):
        np.testing.assert_array_equal(getattr(found, f"y_{part}").arrays["energy"][:, 0], E[rows])
    groups = np.repeat(np.arange(4), 3)
    found = load(tmp_path, energy=E, groups=groups)
    tested = np.isin(E, found.y_test.arrays["energy"])
    assert tested.sum() == 3 and len(set(groups[tested])) == 1 and len(found.groups) == 9
    with pytest.raises(ValueError, match="`split` says train, val or test of each of the molecules"):
        load(tmp_path, energy=E, split=np.array(["later"] * 12))


def water(path, split=False, **columns):
    """An extended xyz file of water with numbers of each frame, and of each atom, by their names."""
    of_atoms = {name: array for name, array in columns.items() if np.ndim(array) > 1 and len(array[0]) == 3}
    of_frames = {name: array for name, array in columns.items() if name not in of_atoms}
    kinds = "".join(f":{name}:R:{np.shape(array)[2] if np.ndim(array) > 2 else 1}" for name, array in of_atoms.items())
    lines = []
    for i in range(12):
        said = [f"{name}={array[i]}" for name, array in of_frames.items()]
        said += [f"split={'test' if i > 8 else 'train'}"] if split else []
        lines += ["3", f'Properties=species:S:1:pos:R:3{kinds} {" ".join(said)} pbc="F F F"']
        for atom, symbol in enumerate("OHH"):
            numbers = [POS[i, atom], *(np.ravel(array[i][atom]) for array in of_atoms.values())]
            lines.append(" ".join([symbol, *(f"{v:.8f}" for v in np.concatenate(numbers))]))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("columns", "target", "learned"),
    [
        ({"REF_energy": E, "REF_forces": F[:, :3]}, None, ("REF_energy", "REF_forces")),
        ({"REF_energy": E, "REF_forces": F[:, :3]}, "forces", ("REF_energy", "REF_forces")),
        ({"REF_energy": E, "REF_forces": F[:, :3]}, "REF_energy", ("REF_energy",)),
        ({"energy": E, "forces": F[:, :3], "REF_energy": E, "REF_forces": F[:, :3]}, None, ("energy", "forces")),
        (
            {"energy": E, "forces": F[:, :3], "REF_energy": E, "REF_forces": F[:, :3]},
            "REF_forces",
            ("REF_energy", "REF_forces"),
        ),
        ({"dft_energy": E, "dft_force": F[:, :3]}, None, ("dft_energy", "dft_force")),
        ({"energy": E, "REF_forces": F[:, :3]}, None, ("energy",)),  # of another method, perhaps
    ],
)
def test_energies_and_forces_by_the_names_of_other_tools(columns, target, learned, tmp_path):
    pytest.importorskip("ase")
    found = ke.data.load(water(tmp_path / "some.xyz", **columns), target=target)
    assert found.target_names == learned and len(found.y_test.arrays["energy"]) == 1
    if len(learned) > 1:
        np.testing.assert_allclose(both(found, "forces"), np.sort(F[:, :3].astype("float32"), axis=0), atol=1e-6)


@pytest.mark.parametrize("name", ["charges", "magmoms", "partial"])
def test_a_number_for_each_of_three_atoms_is_no_vector(name, tmp_path):
    pytest.importorskip("ase")
    path = water(tmp_path / "some.xyz", energy=E, **{name: F[:, :3, 0]})
    with pytest.raises(ValueError, match=rf"{name} of shape \(3,\).*of 3 atoms"):
        ke.data.load(path, target=name)


def test_frames_say_their_part(tmp_path):
    pytest.importorskip("ase")
    found = ke.data.load(water(tmp_path / "some.xyz", split=True, energy=E))
    np.testing.assert_allclose(found.y_test.arrays["energy"][:, 0], E[9:], atol=1e-7)

"""Networks of molecules: what a mask leaves out, and energies of many digits."""

from dataclasses import replace

import keras
import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant.data import Rows
from keras_equivariant.training.network import make_network
from keras_equivariant.training.tasks import task_of
from keras_equivariant.training.tasks.molecules import parts_of_energy

SIZES = {
    "tfn_molecules": {"scalars": 2, "vectors": 1, "layers": 1},
    "lieconv_molecules": {"width": 4, "layers": 1, "neighbors": 3},
    "ponita_molecules": {"width": 2, "layers": 1},
}
OPTIONS = {"epochs": 1, "angle_step": 180, "export_formats": (), "verbose": 0}


@pytest.mark.parametrize("spec", SIZES)
def test_what_the_mask_leaves_out_is_nothing(spec, tmp_path):
    clusters = ke.data.load("clusters", count=30, atoms=4)
    model = make_network(spec, clusters, SIZES[spec]).model
    positions, values, mask = (array[:8].copy() for array in clusters.x_train.arrays.values())
    energies = model.predict([positions, values, mask], verbose=0)
    assert not mask.all() and np.abs(energies).max() > 1e-3
    own = parts_of_energy(model)[0].predict([positions, values, mask], verbose=0)
    assert np.abs(own - energies).max() > 1e-3, "the composition has a part in it"
    for rubbish in (1.0, np.nan):
        positions[~mask], values[~mask] = rubbish, rubbish
        np.testing.assert_array_equal(model.predict([positions, values, mask], verbose=0), energies)
    assert ke.certify(model, dtypes=("float32",), angles=0).verdict != "broken"
    values[~mask] = 0
    positions[~mask] = 0
    model.save(tmp_path / "model.keras")
    again = ke.from_preset(tmp_path / "model.keras")
    np.testing.assert_allclose(again.predict([positions, values, mask], verbose=0), energies, atol=1e-5)
    np.testing.assert_allclose(ke.fold(model).predict([positions, values, mask], verbose=0), energies, atol=1e-5)


def test_energies_of_many_digits_are_learned_as_others_are(tmp_path, caplog):
    """What the atoms have alone makes no difference, however large it is."""
    rng = np.random.default_rng(0)
    z, pos = np.array([[8, 1, 1]] * 8 + [[6, 8, 0]] * 8), rng.normal(size=(16, 3, 3))
    rest = 0.0272 * rng.normal(size=16)
    alone = np.where(z == 8, -419110.0, np.where(z == 1, -13.5, np.where(z == 6, -1020.25, 0))).sum(axis=1)
    found = {}
    for name, energy in (("rest", rest), ("all", alone + rest)):
        np.savez(tmp_path / f"{name}.npz", z=z, pos=pos, energy=energy)
        caplog.clear()
        found[name] = ke.train(
            "tfn_molecules", str(tmp_path / f"{name}.npz"), tmp_path / name, params=SIZES["tfn_molecules"], **OPTIONS
        )
        assert ("steps of 0.03" in caplog.text) == (name == "all")
    for key in ("test_mae", "mean_mae_over_angles"):
        np.testing.assert_allclose(*[found[name].summary[key] for name in found], atol=2e-3)
    np.testing.assert_allclose(*[found[name].history["loss"] for name in found], rtol=0.05)
    data = ke.data.load(tmp_path / "all.npz")
    task = task_of(data)
    assert abs(task.scores(found["all"].model, data.x_test, data.y_test)["mae"] / found["all"].scores["mae"] - 1) < 1e-6
    off = found["all"].model.predict([*data.x_test.arrays.values()], verbose=0) - data.y_test.arrays["energy"]
    assert abs(np.abs(off).mean() - found["all"].scores["mae"]) < 0.04, "the network answers with totals"


@pytest.mark.parametrize(("unit", "alone"), [(1e-18, 0.0), (1.0, 1e5), (1e18, 0.0)])
@pytest.mark.parametrize("target", ["energy", "forces"])
def test_the_loss_depends_neither_on_units_nor_on_what_atoms_have_alone(target, unit, alone):
    """A loss in the spread of total energies, that of the atoms, would say nothing of what there is to learn."""
    clusters = ke.data.load("clusters", count=30, atoms=4, target=target)
    x, task = clusters.x_train, task_of(clusters)
    atoms = np.where(x.arrays["mask"][..., None], x.arrays["values"], 0).sum(axis=(1, 2), dtype="float64")[:, None]
    other = {name: unit * y.astype("float64") for name, y in clusters.y_train.arrays.items()}
    other["energy"] += alone * atoms
    found = []
    for y in (clusters.y_train, Rows(**other)):
        dataset = replace(clusters, y_train=y)
        keras.utils.set_random_seed(0)
        model = make_network("tfn_molecules", dataset, SIZES["tfn_molecules"]).model
        targets, trained = task.learned(model, x, y), task.trained(model, dataset)
        task.compile(trained, targets=targets)
        inputs, wanted = [*x.arrays.values()], targets.arrays if target == "forces" else targets.arrays["energy"]
        found.append(np.ravel(trained.evaluate(inputs, wanted, verbose=0))[0])
        off = task._answers(model, x)["energy"].astype("float64") - y.arrays["energy"]
        found[-1:] = [found[-1], np.abs(off).mean() / (unit if y is not clusters.y_train else 1)]
    np.testing.assert_allclose(found[:2], found[2:], rtol=5e-3)


def test_forces_of_energies_of_many_digits():
    clusters = ke.data.load("clusters", count=30, atoms=4)
    task, model = task_of(clusters), make_network("tfn_molecules", clusters, SIZES["tfn_molecules"]).model
    learned = task.learned(model, clusters.x_train, clusters.y_train).arrays
    assert learned["energy"].dtype == np.float32 and learned["energy"].std() < clusters.y_train.arrays["energy"].std()
    trained = task.trained(model, clusters)
    inputs = [array[:4] for array in clusters.x_train.arrays.values()]
    own, whole = trained(inputs), ke.dynamics.EnergyAndForces(model)(inputs)
    np.testing.assert_allclose(own["forces"], whole["forces"], atol=1e-6)
    moved = np.asarray(whole["energy"]) - np.asarray(own["energy"])
    np.testing.assert_allclose(moved, (clusters.y_train.arrays["energy"] - learned["energy"])[:4], atol=1e-4)


def test_the_packaged_energies_are_parts():
    model = ke.from_preset("tfn_molecules_qm9")
    own, weights = parts_of_energy(model)
    rng = np.random.default_rng(0)
    given = [rng.normal(size=(2, 29, 3)), rng.normal(size=(2, 29, 15)), np.ones((2, 29), bool)]
    whole = np.asarray(own(given)) + given[1].sum(axis=1) @ weights
    np.testing.assert_allclose(model(given), whole, rtol=1e-4)

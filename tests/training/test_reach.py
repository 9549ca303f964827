"""What training says of how far a network on points looks beside how far apart the points of the data lie."""

import logging
from types import SimpleNamespace

import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant.data import Rows, in_cells
from keras_equivariant.training.reach import log_reach, neighbors_of

RNG = np.random.default_rng(0)
GRID = np.stack(np.meshgrid(*[np.arange(2.0)] * 3, indexing="ij"), axis=-1).reshape(1, 8, 3)


def rows(positions, count=None):
    mask = np.arange(positions.shape[1]) < (count or positions.shape[1])
    return Rows(positions=positions, mask=np.broadcast_to(mask, positions.shape[:2]))


def model(*layers):
    return SimpleNamespace(layers=layers)


@pytest.mark.parametrize(
    "scale, said",
    [(1.0, None), (0.01, "no difference between near and far"), (10.0, "it sees none"), (0.0, "lie on each other")],
)
@pytest.mark.parametrize("kind", ["typed", "lie"])
def test_points_in_another_unit_than_the_radius_are_named(kind, scale, said, caplog):
    layer = {
        "typed": lambda: ke.layers.SteerablePointConv("1x0e", "1x0e", "O3", radius=3.0, neighbors=8),
        "lie": lambda: ke.layers.LieConv(2, "T3", neighborhood="cutoff", radius=3.0, neighbors=8),
    }[kind]()
    with caplog.at_level(logging.WARNING, "keras_equivariant.training"):
        log_reach(model(layer), rows(scale * GRID), "mine")
    assert (said in caplog.text) if said else not caplog.text


def test_a_radius_that_the_message_names_is_none_to_warn_of(caplog):
    positions = rows(0.01 * RNG.normal(size=(3, 12, 3)))
    layer = ke.layers.SteerablePointConv("1x0e", "1x0e", "O3", radius=5.0, neighbors=12)
    with caplog.at_level(logging.WARNING, "keras_equivariant.training"):
        log_reach(model(layer), positions, "mine")
        radius = float(caplog.text.rsplit("radius=", 1)[1].split(".\n")[0])
        caplog.clear()
        log_reach(model(SimpleNamespace(cutoff=radius, neighbors=12)), positions, "mine")
    assert not caplog.text


def test_more_neighbors_than_places_are_counted_over_the_copies_of_a_cell(caplog):
    cell = RNG.normal(size=(1, 3, 3)) * 0.2 + 2 * np.eye(3)
    positions, radius = RNG.normal(size=(1, 3, 3)), 3.0
    nearest, counts = neighbors_of(rows(in_cells(positions, cell)), radius, images=2)
    steps = np.stack(np.meshgrid(*[np.arange(-5, 6)] * 3, indexing="ij"), axis=-1).reshape(-1, 3) @ cell[0]
    apart = np.linalg.norm(positions[0][:, None, None] - positions[0][:, None] - steps, axis=-1).reshape(3, -1)
    assert counts.tolist() == (apart < radius).sum(axis=1).tolist()
    np.testing.assert_allclose(nearest, np.where(apart > 1e-9, apart, np.inf).min(axis=1))
    for neighbors in (counts.max() - 1, counts.max()):
        layer = ke.layers.SteerablePointConv("1x0e", "1x0e", "O3", radius=radius, neighbors=int(neighbors), images=2)
        caplog.clear()
        with caplog.at_level(logging.WARNING, "keras_equivariant.training"):
            log_reach(model(layer), rows(in_cells(positions, cell)), "mine")
        assert (f"--set neighbors={counts.max()}" in caplog.text) == (neighbors < counts.max())


def test_networks_without_a_cutoff_and_atoms_alone_are_not_warned_of(caplog):
    with caplog.at_level(logging.WARNING, "keras_equivariant.training"):
        log_reach(
            model(ke.layers.LieConv(2, "T3"), ke.layers.LieConv(2, "SE3", neighborhood="cutoff")), rows(GRID), "a"
        )
        layer = ke.layers.SteerablePointConv("1x0e", "1x0e", "O3", radius=3.0, neighbors=1)
        log_reach(model(layer), rows(GRID, count=1), "a")
    assert not caplog.text

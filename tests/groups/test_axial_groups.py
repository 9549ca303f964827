"""The continuous groups about one axis of space: their elements, irreps, places among the others, and errors."""

import itertools

import numpy as np
import pytest

from keras_equivariant import FieldType, groups, layers
from keras_equivariant.groups.intersection import intersection

NAMES = ["Cinfz", "Cinfv", "Cinfh", "Dinfz", "Dinfh"]
RNG = np.random.default_rng(0)
TYPES = {
    "Cinfz": "2x0 + 2x1 + 2x2",
    "Cinfv": "2x0+ + 2x0- + 2x1",
    "Cinfh": "2x0e + 2x0o + 2x1e + 2x1o",
    "Dinfz": "2x0+ + 2x0- + 2x1",
    "Dinfh": "2x0e+ + 2x0o+ + 2x0e- + 2x1o + 2x2e",
}


def elements(group, rotations=3):
    """Rotations by random angles in every component."""
    group = groups.get(group)
    angles = RNG.uniform(0, 360, rotations)
    return np.array([m @ groups.rotation_matrix(a, (0, 0, 1)) for a in angles for m in group.components.matrices])


def law(layer, group):
    """The largest error on single fibers over elements at random angles."""
    x = RNG.normal(size=(3, layer.in_type.size))
    y = np.asarray(layer(x))
    return max(
        np.abs(np.asarray(layer(layer.in_type.transform(x, m))) - layer.out_type.transform(y, m)).max()
        for m in elements(group)
    )


@pytest.mark.parametrize("name", NAMES)
def test_elements(name):
    group, finite = groups.get(name), groups.get(name.replace("inf", "4"))
    assert group.on_grid is finite and group.finite is groups.get(name.replace("inf", "8"))
    assert group.mirrors == finite.mirrors and group.dimension == 3 and not group.is_finite and not group.is_lie
    found = elements(group)
    assert all(map(group.contains, found)) and groups.contains(group, name.replace("inf", "7"))
    assert len(group.components.matrices) * len(groups.get("C4z").matrices) == finite.order
    np.testing.assert_array_equal(group.component_of(group.components.matrices), np.arange(group.components.order))
    tilted = groups.rotation_matrix(30, (1, 2, 3))
    assert not any(group.contains(tilted @ m) for m in found) and groups.contains("O3", group)
    for other in NAMES:
        inside = all(group.contains(m) for m in groups.get(other).components.matrices)
        assert groups.contains(name, other) == inside
    a = np.array([[0.0], [0.7], [-2.0]])
    np.testing.assert_allclose(group.logarithm(group.matrix(a)), a, atol=1e-12)
    assert group.contains(group.matrix([0.7])) and group.hat([1.0])[1, 0] == 1


@pytest.mark.parametrize("name", NAMES)
def test_irreps_are_representations_and_all_of_them(name):
    group, found = groups.get(name), elements(name)
    irreps = groups.irreps(group, 3)
    for rho in irreps:
        product = rho.rho(found) @ rho.rho(found[::-1])
        np.testing.assert_allclose(rho.rho(found @ found[::-1]), product, atol=1e-12)
    sample = group.sample(6)
    characters = np.array([np.trace(rho.rho(sample.matrices), axis1=1, axis2=2) for rho in irreps])
    gram = (characters * sample.haar_weights) @ characters.T
    np.testing.assert_allclose(gram, np.diag([rho.endomorphism_dimension for rho in irreps]), atol=1e-12)
    # Harmonics of degree 3 hold nothing but these, and all of space falls apart into them.
    whole = {"Cinfz": "1x3", "Dinfz": "1x3"}.get(name, "1x3o"), "SO3" if not group.mirrors else "O3"
    out = groups.restriction(FieldType.parse(*whole), group).out_type
    assert out.size == 7 and [block.dim for block in out.blocks] == [1, 2, 2, 2] and out.frequency == 3


VECTORS = {"Cinfz": "1x0 + 1x1", "Cinfv": "1x0+ + 1x1", "Cinfh": "1x0o + 1x1o", "Dinfz": "1x0- + 1x1"}


@pytest.mark.parametrize(("name", "text"), [*VECTORS.items(), ("Dinfh", "1x0o+ + 1x1o")])
def test_vectors(name, text):
    """(z, x, y) is the type of the conventions, to the last bit."""
    field_type = FieldType.parse(text, name)
    x = RNG.normal(size=3)
    for matrix in elements(name):
        np.testing.assert_allclose(field_type.transform(x, matrix)[[1, 2, 0]], matrix @ x[[1, 2, 0]], atol=1e-14)
    assert str(groups.restriction(FieldType.parse("1x1o", "O3"), name).out_type) == text


@pytest.mark.parametrize(
    ("pair", "expected"),
    {
        ("Cinfv", "Dinfz"): "Cinfz",
        ("Cinfh", "Cinfv"): "Cinfz",
        ("SO3", "Dinfh"): "Dinfz",
        ("SO3", "Cinfv"): "Cinfz",
        ("SE3", "Dinfz"): "Dinfz",
        ("O3", "Cinfh"): "Cinfh",
        ("SO3", "O3"): "SO3",
        ("Dinfh", "O"): "D4z",
        ("Cinfv", "C6h"): "C6z",
        ("Dinfh", "Ih"): "D2h",
        ("SE2", "O2"): "SO2",
    }.items(),
    ids=str,
)
def test_intersections(pair, expected):
    assert intersection(*pair).name == intersection(*pair[::-1]).name == expected
    shared = intersection(*pair)
    assert all(groups.contains(group, shared) for group in pair)


@pytest.mark.parametrize(
    ("text", "group", "subgroup", "expected"),
    [
        ("1x0e + 1x1o + 1x1e", "O3", "Dinfh", "1x0e+ + 1x0o+ + 1x1o + 1x0e- + 1x1e"),
        ("1x2", "SO3", "Cinfz", "1x0 + 1x1 + 1x2"),
        ("1x0e+ + 1x0o- + 2x1o", "Dinfh", "D4h", "1xA1g + 1xA1u + 2xEu"),
        ("2x0- + 1x2", "Cinfv", "C4v", "2xA2 + 1xB1 + 1xB2"),
        ("1x2e", "Dinfh", "Dinfz", "1x2"),
        ("1x1o", "Dinfh", "Cinfv", "1x1"),
        ("1xquotient(Cinfz)", "Dinfh", "Cinfv", "2xquotient(Cinfz)"),
        ("1xquotient(SO3)", "O3", "Dinfh", "1xquotient(Dinfz)"),
        ("1xquotient(SO2)", "O2", "SO2", "2x0"),
    ],
)
def test_restrictions(text, group, subgroup, expected):
    field_type = FieldType.parse(text, group)
    restricted = groups.restriction(field_type, subgroup)
    assert str(restricted.out_type) == expected
    layer = layers.Restrict(text, subgroup, group=group, dtype="float64")
    x = RNG.normal(size=(2, field_type.size))
    found = groups.get(subgroup).matrices if groups.get(subgroup).is_finite else None
    for matrix in found if found is not None else _of(subgroup):
        there = np.asarray(layer(field_type.transform(x, matrix)))
        np.testing.assert_allclose(there, layer.out_type.transform(np.asarray(layer(x)), matrix), atol=1e-12)


def _of(name):
    return elements(name) if name in NAMES else groups.get(name).sample(4).matrices


@pytest.mark.parametrize("name", NAMES)
def test_layers_at_any_angle(name):
    text, options = TYPES[name], {"group": name, "dtype": "float64"}
    for layer in (
        layers.NormActivation(text, bias_initializer="normal", **options),
        layers.TensorProductActivation(text, **options),
        layers.SteerableDense(text, text, **options),
        layers.SteerableBatchNormalization(text, **options),
        layers.NormPooling(text, **options),
    ):
        layer.out_type = getattr(layer, "out_type", layer.in_type)
        assert law(layer, name) < 1e-12
    wrong = layers.PointwiseActivation("2xtrivial", "relu", group=name, dtype="float64")
    wrong.in_type = wrong.out_type = FieldType.parse("1x1e" if groups.get(name).parity else "1x1", name)
    x = RNG.normal(size=(3, 2))
    moved = wrong.in_type.transform(x, elements(name)[0])
    assert np.abs(np.maximum(moved, 0) - wrong.in_type.transform(np.maximum(x, 0), elements(name)[0])).max() > 1e-3


def test_signs_tell_components_apart():
    layer = layers.ConcatenatedReLU("1x0e+ + 1x0e- + 1x0o+ + 2x0o-", group="Dinfh", dtype="float64")
    assert str(layer.out_type) == "2x0e+ + 1xquotient(Cinfh) + 1xquotient(Cinfv) + 2xquotient(Dinfz)"
    assert law(layer, "Dinfh") == 0


@pytest.mark.parametrize(
    ("group", "text", "samples"),
    [
        ("Cinfz", "2x0 + 2x1 + 2x2", 12),
        ("Cinfv", "1x0+ + 1x0- + 2x1", 16),
        ("Dinfh", "1x0e+ + 1x0e- + 1x0o+ + 1x0o- + 2x1e + 2x1o", 32),
        ("Cinfv", "2x0+ + 2x1 + 2x2", 12),
        ("Cinfh", "1x0e + 1x1o + 1x2e", 24),
        ("Dinfz", "2x0+ + 2x1", 8),
    ],
)
def test_functions_on_the_group_and_on_a_circle(group, text, samples):
    layer = layers.FourierActivation(text, group=group, dtype="float64")
    assert len(layer._sampling) == samples
    x = RNG.normal(size=(3, layer.in_type.size))
    y = np.asarray(layer(x))
    for matrix in groups.get(group).matrices:
        moved = np.asarray(layer(layer.in_type.transform(x, matrix)))
        np.testing.assert_allclose(moved, layer.in_type.transform(y, matrix), atol=1e-12)


def test_couplings():
    found, some = {}, elements("Dinfh")
    for first, second in itertools.product(("1o", "2e"), repeat=2):
        for into in ("0e+", "0e-", "0o+", "1o", "2e", "2o", "3o", "4e"):
            maps = found[first, second, into] = groups.clebsch_gordan("Dinfh", first, second, into)
            rhos = (groups.irrep("Dinfh", label).rho(some) for label in (first, second, into))
            for a, b, c in zip(*rhos, strict=True):
                moved = np.einsum("nijk,ja,kb->niab", maps, a, b)
                np.testing.assert_allclose(moved, np.einsum("ia,najk->nijk", c, maps), atol=1e-12)
    assert [len(found["1o", "1o", into]) for into in ("0e+", "0e-", "0o+", "2e", "2o")] == [1, 1, 0, 1, 0]


def test_names_and_types():
    assert groups.get("c\N{INFINITY}V") is groups.get("Cinfv") is groups.get("CINFV")
    assert str(FieldType.parse("2x0e++3x1o+irreps(1)", "Dinfh")).startswith("2x0e+ + 3x1o + 1x0e+ + 1x0e- + 1x0o+")
    assert str(FieldType.parse("2xtrivial", "Dinfh")) == "2x0e+"
    assert list(groups.embeddings(groups.irrep("Cinfv", "1"), "O3", 2)) == ["1e", "1o", "2e", "2o"]
    assert groups.MotionSample("Cinfv").matrices[3, 2, 2] == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: groups.get("Cinfv").discrete(0), "must be 1 to 90"),
        (lambda: groups.irrep("Dinfh", "0e"), r"0e\+, 0e-, 0o\+, 0o-, 1e, 1o, ... up to 20"),
        (lambda: groups.irreps("Cinfv", 21), "up to the frequency 20"),
        (lambda: groups.quotient("O3", "Cinfv"), "finitely many cosets. .*such as Oh"),
        (lambda: FieldType.parse("2xquotient(C4v)", "Cinfv"), "finitely many cosets. .*such as C8v"),
        (lambda: FieldType.parse("2xregular", "Cinfv"), "need a highest frequency"),
        (lambda: layers.LiftingConv3D(2, 3, "Cinfv"), '"C8v", or SteerableConv3D'),
        (lambda: layers.LieLift("Cinfz"), "layers on images and volumes take it"),
        (lambda: layers.SteerableConv3D("1x0+", "1x0-", 3, "Cinfv"), 'none from "1x0\\+" to "0-" on Cinfv'),
        (lambda: layers.FourierActivation("1x0+ + 1x1", "Cinfv", grid="C2v"), 'use "C8v", the default'),
        (lambda: groups.get("Cinfx"), 'Did you mean "Cinf'),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()

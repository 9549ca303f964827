"""Regular, quotient and induced types of continuous groups up to a frequency: functions that move as functions do."""

import numpy as np
import pytest

from keras_equivariant import FieldType, groups, layers
from keras_equivariant.groups.decomposition import copies_of

RNG = np.random.default_rng(0)
SECTIONS = [
    ("SO3", "C1z", "trivial", 2),
    ("SO3", "Cinfz", "trivial", 3),
    ("SO3", "Cinfz", "1", 3),
    ("SO3", "Cinfz", "2", 3),
    ("SO3", "Dinfz", "0-", 3),
    ("SO3", "O", "T1", 4),
    ("SO3", "C3_111", "E", 2),
    ("O3", "Cinfv", "trivial", 2),
    ("O3", "Cinfv", "0-", 2),
    ("O3", "SO3", "1", 2),
    ("O3", "Ih", "Au", 6),
    ("SO2", "C1", "trivial", 3),
    ("SO2", "C3", "1", 4),
    ("O2", "D1", "0-", 3),
    ("Cinfv", "C1v", "trivial", 2),
    ("Dinfh", "Cinfz", "1", 2),
]


def random_elements(group, count):
    group = groups.get(group)
    rotations = group.matrix(group.random_logarithms(count, 1))[:, : group.dimension, : group.dimension]
    parts = group.components.matrices
    return parts[np.arange(count) % len(parts)] @ rotations


def inner(group):
    group = groups.get(group)
    return group.matrices if group.is_finite else random_elements(group, 6)


@pytest.mark.parametrize(("group", "subgroup", "label", "frequency"), SECTIONS)
def test_sections(group, subgroup, label, frequency):
    """The type is as large as the space of the functions f(g h) = psi(h)^-1 f(g) that irreps of it have, and no larger.

    A vector c of the irrep rho and a map X from rho to psi make the function f(g) = X rho(g)^-1 c.
    """
    psi = groups.irrep(subgroup, label)
    found = groups.induced_irreps(group, subgroup, label, frequency)
    elements, values = random_elements(group, 60), []
    for rho in groups.irreps(group, frequency):
        copies = copies_of(psi, rho.restricted(subgroup))  # columns (copies, dim of rho, dim of psi)
        here = rho.rho(elements.swapaxes(1, 2))
        maps = [
            basis @ copy.T
            for copy in copies
            for basis in groups.intertwiners(psi, psi) * np.sqrt(psi.dim)  # those that psi itself allows
        ]
        sections = np.array([(m @ here)[:, :, c] for m in maps for c in range(rho.dim)]).reshape(-1, 60 * psi.dim)
        for m in maps:
            for h in inner(subgroup):
                moved = m @ rho.rho((elements[:5] @ h).swapaxes(1, 2))
                expected = psi.rho(h[None])[0].T @ (m @ here[:5])
                np.testing.assert_allclose(moved, expected, atol=1e-10)
        rank = np.linalg.matrix_rank(sections, tol=1e-8) if len(sections) else 0
        assert rank == found.get(rho.name, 0) * rho.dim
        values += [sections]
    whole = np.concatenate([part for part in values if len(part)])
    text = f"1xinduced({subgroup},{label},{frequency})"
    assert np.linalg.matrix_rank(whole, tol=1e-8) == FieldType.parse(text, group).size


def test_functions_on_the_sphere_move():
    """[L_g f](x) = f(g^-1 x) for f(x) = sum of <Y(x), c>."""
    for text, group in (("1xquotient(Cinfz,3)", "SO3"), ("1xquotient(Cinfv,3)", "O3")):
        field_type = FieldType.parse(text, group)
        c, points = RNG.normal(size=field_type.size), RNG.normal(size=(20, 3))

        def values(points, c):
            return np.concatenate([groups.spherical_harmonics(degree, points) for degree in range(4)], axis=1) @ c

        for matrix in random_elements(group, 4):
            moved = values(points, field_type.transform(c, matrix))
            np.testing.assert_allclose(moved, values(points @ matrix, c), atol=1e-12)


@pytest.mark.parametrize(
    ("text", "group", "expected"),
    [
        ("8xquotient(Cinfz,2)", "SO3", "8x0 + 8x1 + 8x2"),
        ("1xregular(2)", "SO3", "1x0 + 3x1 + 5x2"),
        ("2xregular(1) + 1x0e", "O3", "2x0e + 2x0o + 6x1e + 6x1o + 1x0e"),
        ("1xquotient(Dinfz,4)", "SO3", "1x0 + 1x2 + 1x4"),
        ("1xquotient(O, 6)", "SO3", "1x0 + 1x4 + 1x6"),
        ("2xinduced(Cinfz,1,2)", "SO3", "4x1 + 4x2"),
        ("1xquotient(SO(2),3)", "O2", "1x0+ + 1x0-"),
        ("1xquotient(SO2)", "O2", "1xquotient(SO2)"),
        ("1xquotient(C4,8)", "SO2", "1x0 + 1x4 + 1x8"),
        ("1xregular(1)", "Dinfh", "1x0e+ + 1x0e- + 1x0o+ + 1x0o- + 2x1e + 2x1o"),
    ],
)
def test_names(text, group, expected):
    assert str(FieldType.parse(text, group)) == expected


@pytest.mark.parametrize(
    ("text", "group", "samples"),
    [("2xregular(1)", "SO3", 24), ("2xquotient(Cinfv,2)", "O3", 14), ("3xquotient(C1v,2)", "Cinfv", 12)],
)
def test_layers_take_them(text, group, samples):
    options = {"group": group, "dtype": "float64"}
    layer = layers.FourierActivation(text, **options)
    assert len(layer._sampling) == samples
    x = RNG.normal(size=(2, layer.in_type.size))
    y = np.asarray(layer(x))
    for matrix in groups.get(group).matrices[::5]:
        moved = np.asarray(layer(layer.in_type.transform(x, matrix)))
        np.testing.assert_allclose(moved, layer.in_type.transform(y, matrix), atol=1e-12)
    conv = layers.SteerableConv3D(text, text, 3, **options)
    assert conv.out_type == layer.in_type and conv.get_config()["in_type"] == str(layer.in_type)


@pytest.mark.parametrize(
    ("text", "group", "message"),
    [
        ("1xquotient(SO2,2)", "SO3", "SO3 and SO2; about one axis of space it is Cinfz"),
        ("1xquotient(C4,2)", "SO3", "a subgroup of it. Received: SO3 and C4"),
        ("1xregular", "SO3", r"need a highest frequency. Received: 'regular'; use regular\(2\)"),
        ("1xinduced(Cinfz,1)", "SO3", "need a highest frequency"),
        ("1xquotient(Cinfz)", "SO3", r"as in quotient\(H,2\)"),
        ("1xinduced(Cinfz,3,1)", "SO3", "none up to 1; use a higher frequency"),
        ("1xregular(21)", "SO3", "up to the degree 20"),
        ("1xinduced(Cinfz,1o,3)", "SO3", "Cinfz has the irreps"),
        ("1xregular(2)", "C8", "representations trivial, regular"),
        ("0xregular(2)", "SO3", "at least 1"),
        ("9999xregular(20)", "SO3", "1 to 1000000 channels"),
    ],
)
def test_errors(text, group, message):
    with pytest.raises(ValueError, match=message):
        FieldType.parse(text, group)
    for remedy in ("regular(2)", "quotient(Cinfz,2)", "induced(Cinfz,3,3)"):
        FieldType.parse(remedy, "SO3")


def test_means_of_characters_over_classes():
    for name in ("SO3", "O3"):
        group = groups.get(name)
        classes = group.classes(8)
        characters = [np.trace(r.rho(classes.matrices), axis1=1, axis2=2) for r in groups.irreps(group, 4)]
        np.testing.assert_allclose(
            np.array(characters) * classes.haar_weights @ np.array(characters).T, np.eye(len(characters)), atol=1e-12
        )
    with pytest.raises(ValueError, match="finite, or|continuous group and a subgroup"):
        groups.induced_irreps("O", "C4z", "A", 2)

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from keras_equivariant import groups
from keras_equivariant.groups import FieldType
from keras_equivariant.kernels.steerable import irrep_kernels

RNG = np.random.default_rng(1)
D4_LABELS = ("0+", "0-", "2+", "2-", "1")  # A1, A2, B1, B2, E
# The eight classes of subgroups K of D4 and the multiplicities of A1, A2, B1, B2, E in the functions on D4/K.
QUOTIENTS = {
    "regular": (1, 1, 1, 1, 2),
    "quotient(m)": (1, 0, 1, 0, 1),
    "quotient(r180)": (1, 1, 1, 1, 0),
    "quotient(mr90)": (1, 0, 0, 1, 1),
    "quotient(r180,mr90)": (1, 0, 0, 1, 0),
    "quotient(r180,m)": (1, 0, 1, 0, 0),
    "quotient(C4)": (1, 1, 0, 0, 0),
    "trivial": (1, 0, 0, 0, 0),
}


def representation(group, name):
    return FieldType.parse(name, group).blocks[0].representation


def cube():
    return groups.from_generators("cube", [[[0, -1, 0], [1, 0, 0], [0, 0, 1]], [[1, 0, 0], [0, 0, -1], [0, 1, 0]]])


def check_law(rho, atol=1e-12):
    """Q^T rho Q is the block-diagonal matrix of the parts, and Q is orthogonal."""
    continuous = isinstance(rho.group, groups.ContinuousGroup)
    elements = rho.group.sample(2 * rho.frequency).matrices if continuous else rho.group.matrices
    matrices, found = rho.rho(elements), groups.decompose(rho)
    change = found.change_of_basis
    np.testing.assert_allclose(change.T @ change, np.eye(rho.dim), atol=atol)
    blocks = [part.rho(elements) for part, copies in found.parts for _ in copies]
    expected, start = np.zeros(matrices.shape), 0
    for block in blocks:
        stop = start + block.shape[1]
        expected[:, start:stop, start:stop] = block
        start = stop
    assert start == rho.dim
    np.testing.assert_allclose(change.T @ matrices @ change, expected, atol=atol)


@pytest.mark.parametrize("name", QUOTIENTS)
def test_quotients_of_d4(name):
    found = groups.decompose(representation("D4", name)).multiplicities
    assert tuple(found.get(label, 0) for label in D4_LABELS) == QUOTIENTS[name]


@pytest.mark.parametrize(
    ("group", "name"),
    [
        ("C1", "regular"),
        ("C2", "regular"),
        ("C3", "regular"),
        ("C4", "regular"),
        ("C16", "regular"),
        ("D1", "regular"),
        ("D3", "regular"),
        ("D4", "regular"),
        ("D8", "regular"),
        ("D16", "regular"),
        ("D8", "quotient(D2)"),
        ("D6", "quotient(m)"),
        ("D6", "induced(C6,1)"),
        ("D8", "induced(D4,1)"),
        ("C8", "induced(C4,1)"),
        (cube(), "regular"),
    ],
    ids=str,
)
def test_change_of_basis(group, name):
    check_law(representation(groups.get(group), name))


def test_regular_representation_has_every_irrep_as_often_as_its_dimension_allows():
    for name in ("C5", "C8", "D5", "D8"):
        multiplicities = groups.decompose(groups.regular(name)).multiplicities
        for irrep in groups.irreps(name):
            assert multiplicities[irrep.name] == irrep.dim // irrep.endomorphism_dimension


@pytest.mark.parametrize(("group", "label"), [("SO2", 0), ("SO2", 3), ("O2", "0-"), ("O2", 2)])
def test_irreps_are_their_own_only_part(group, label):
    rho = groups.irrep(group, label)
    assert groups.decompose(rho).multiplicities == {str(label): 1}
    np.testing.assert_allclose(groups.decompose(rho).change_of_basis, np.eye(rho.dim), atol=1e-15)


@pytest.mark.parametrize("group", ["SO2", "O2", "D6", "C6"])
def test_a_rotated_sum_is_decomposed(group):
    group = groups.get(group)
    parts = [groups.irrep(group, k) for k in (1, 2, 1)] + [groups.irrep(group, "trivial")] * 2
    total = groups.direct_sum(*parts)
    rotation = np.linalg.qr(RNG.normal(size=(total.dim, total.dim)))[0]
    if isinstance(group, groups.ContinuousGroup):
        rho = groups.Representation(group, "rotated", lambda g: rotation @ total.rho(g) @ rotation.T, 2)
    else:
        rho = groups.Representation(group, "rotated", rotation @ total.matrices @ rotation.T)
    trivial = groups.irrep(group, "trivial").name
    assert groups.decompose(rho).multiplicities == {trivial: 2, "1": 2, "2": 1}
    check_law(rho)


def test_intertwiners_commute_and_are_counted_by_characters():
    source, target = representation("D4", "regular"), representation("D4", "quotient(m)")
    maps = groups.intertwiners(source, target)
    assert len(maps) == round(np.mean(source.character * target.character)) == 4
    for x in maps:
        np.testing.assert_allclose(target.matrices @ x, x @ source.matrices, atol=1e-13)
    np.testing.assert_allclose(np.einsum("nab,mab->nm", maps, maps), np.eye(4), atol=1e-13)
    assert groups.intertwiners(groups.irrep("D4", "A1"), groups.irrep("D4", "A2")).shape == (0, 1, 1)
    assert len(groups.intertwiners(groups.irrep("SO2", 2), groups.irrep("SO2", 2))) == 2
    assert len(groups.intertwiners(groups.irrep("O2", 2), groups.irrep("O2", 2))) == 1


def test_representations_of_two_groups_do_not_mix():
    with pytest.raises(ValueError, match="must belong to one group"):
        groups.intertwiners(groups.regular("C4"), groups.regular("D4"))


def fingerprint():
    """A hash of the bits of everything that is chosen among equivalent answers."""
    parts = [groups.decompose(groups.regular(name)).change_of_basis for name in ("D16", "C16", "D8")]
    parts += [groups.clebsch_gordan("SO2", 2, 3, 1), groups.clebsch_gordan("O2", 1, 1, "0-")]
    parts += [groups.clebsch_gordan("D6", 1, 2, "3-"), groups.clebsch_gordan(cube(), *["irrep(3)"] * 3)]
    parts += [irrep_kernels("D4", "1", "1", (5, 5), "exact"), irrep_kernels("SO2", "1", "2", (7, 7), "steerable")]
    parts += [irrep_kernels("D16", "3", "5", (7, 7), "steerable"), irrep_kernels("C8", "4", "1", (5, 5), "steerable")]
    return hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).hexdigest()


def test_same_bits_in_another_process():
    code = f"import sys; sys.path.insert(0, {str(__file__.rsplit('/', 1)[0])!r})\n"
    code += "import test_decomposition; print(test_decomposition.fingerprint())"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == fingerprint()

"""Direct products of finite groups: their irreps, field types on them, layers without space, and what moves a grid."""

import keras
import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant import FieldType, groups, layers

RNG = np.random.default_rng(0)
LINE = groups.register(groups.FiniteGroup("product_line", [[[1.0]], [[-1.0]]], ["e", "flip"]))
QUATERNIONS = groups.register(
    groups.from_generators(
        "product_quaternions",
        [
            [[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, -1], [0, 0, 1, 0]],
            [[0, 0, -1, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, -1, 0, 0]],
        ],
    )
)
NAMES = ["D4xC2", "C4xC4", "C3xC4", "TxC3", "D3xD3", "OxC2", "C2xC2xC3", "product_quaternionsxC3"]


@pytest.mark.parametrize("name", NAMES)
def test_irreps_are_all_and_outer_products(name):
    group = groups.get(name)
    irreps = groups.irreps(group)
    characters = np.array([rho.character for rho in irreps])
    sizes = np.array([rho.endomorphism_dimension for rho in irreps])
    np.testing.assert_allclose(characters @ characters.T / group.order, np.diag(sizes), atol=1e-12)
    assert sum(rho.dim**2 // size for rho, size in zip(irreps, sizes, strict=True)) == group.order
    assert all(groups.check_axioms(group).values()) and group.element_names[0] == "e"
    for rho in irreps:
        for a in group.generators:
            moved = rho.matrices[group.cayley[a]]
            np.testing.assert_allclose(moved, rho.matrices[a] @ rho.matrices, atol=1e-12)
        np.testing.assert_allclose(
            rho.matrices @ rho.matrices.swapaxes(1, 2), np.tile(np.eye(rho.dim), (group.order, 1, 1)), atol=1e-12
        )
        assert str(FieldType.parse(f"2x{rho.name}", group)) == f"2x{rho.name}"
    first, _ = group.factors
    for rho in irreps:  # pairs (a, e) act by copies of one irrep
        parts = groups.decompose(groups.Representation(first, "first", rho.matrices[: first.order]))
        assert len(parts.multiplicities) == 1


def test_sum_and_difference_of_angles():
    group = groups.get("C8xC8")
    plus, minus = (groups.irrep(group, f"irrep(1,2,{sign})") for sign in "+-")
    for a, b in ((1, 0), (0, 1), (3, 5)):
        rotations = plus.matrices[8 * b + a], minus.matrices[8 * b + a]
        assert np.trace(rotations[0]) == pytest.approx(2 * np.cos(np.pi / 4 * (a + 2 * b)))
        assert np.trace(rotations[1]) == pytest.approx(2 * np.cos(np.pi / 4 * (a - 2 * b)))


def test_types():
    assert groups.get("D4 x C2") is groups.get("D4xC2") is groups.direct_product("D4", "C2")
    assert groups.get("D4xC2xC2").factors[0] is groups.get("D4xC2") and groups.get("RxSO2").is_lie
    whole = FieldType.parse("1xregular", "D4xC2")
    assert str(groups.restriction(whole, "C4xC2").out_type) == "2xregular"
    induced = FieldType.parse("1xinduced(C4xC2,irrep(1,0)) + 1xquotient(C4xC2) + 1xquotient(r90|e)", "D4xC2")
    assert [block.dim for block in induced.blocks] == [4, 2, 4]
    product = groups.tensor_product(groups.irrep("D4xD4", "irrep(1,0+)"), groups.irrep("D4xD4", "irrep(0+,1)"))
    assert groups.decompose(product).multiplicities == {"irrep(1,1)": 1}
    # Functions on a group, moved from the left and from the right: each irrep with itself.
    d3 = groups.get("D3")
    both = np.zeros((36, 6, 6))
    for b in range(6):
        for a in range(6):
            for g in range(6):
                both[6 * b + a, d3.product(d3.product(a, g), d3.inverse(b)), g] = 1
    found = groups.decompose(groups.Representation(groups.get("D3xD3"), "both", both)).multiplicities
    assert found == {"irrep(0+,0+)": 1, "irrep(0-,0-)": 1, "irrep(1,1)": 1}


def network(group, dtype):
    inputs = keras.Input((FieldType.parse("2xregular", group).size,), dtype=dtype)
    x = layers.SteerableDense("2xregular", "3xirreps", group, bias_initializer="normal", dtype=dtype)(inputs)
    x = layers.NormActivation("3xirreps", group, bias_initializer="normal", dtype=dtype)(x)
    x = layers.SteerableDense("3xirreps", "2xregular", group, dtype=dtype)(x)
    x = layers.PointwiseActivation("2xregular", "relu", group=group, dtype=dtype)(x)
    x = layers.SteerableBatchNormalization("2xregular", group, dtype=dtype)(x)
    return keras.Model(inputs, layers.SteerableDense("2xregular", "1xirreps", group, dtype=dtype)(x))


def test_networks_without_space(tmp_path):
    model = network("D4xC2", "float32")
    report = ke.certify(model)
    assert report.exact and report.group == "D4xC2"
    wrong = ke.certify(model, output_layout="invariant")
    assert not wrong.exact and wrong.max_error > 1e-3
    x = RNG.normal(size=(2, 32)).astype("float32")
    np.testing.assert_allclose(ke.fold(model)(x), model(x), atol=1e-5)
    model.save(tmp_path / "product.keras")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "product.keras")(x), model(x))


def test_functions_and_products():
    layer = layers.FourierActivation(
        "1xirrep(0,0) + 1xirrep(0,1) + 1xirrep(1,0) + 1xirrep(1,1,+) + 1xirrep(1,1,-)", "C3xC3", dtype="float64"
    )
    couple = layers.TensorProductActivation("2xirrep(1,1) + 2xirrep(0-,0)", "D4xC2", dtype="float64")
    for one in (layer, couple):
        x = RNG.normal(size=(3, one.in_type.size))
        for matrix in one.group.matrices:
            moved = np.asarray(one(one.in_type.transform(x, matrix)))
            out = getattr(one, "out_type", one.in_type)
            np.testing.assert_allclose(moved, out.transform(np.asarray(one(x)), matrix), atol=1e-12)


def test_a_plane_times_a_line_moves_volumes():
    group = groups.direct_product("C4", LINE)
    assert group.dimension == 3 and group.contains(groups.get("C4h")) and group.on_grid is group
    conv = layers.SteerableConv3D("1xirrep(0,irrep(0))", "1xirrep(1,irrep(1)) + 1xregular", 3, group, padding="same")
    inputs = keras.Input((5, 5, 4, 1))
    report = ke.certify(keras.Model(inputs, conv(inputs)), angles=0, layers=False)
    assert report.exact


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: groups.get("OhxO"), "at most 720 pairs"),
        (lambda: groups.get("x".join(["C1"] * 5000)), "at most 12 coordinates.* use fewer factors"),
        (lambda: groups.direct_product("SO2", "C2"), "needs two finite groups"),
        (lambda: FieldType.parse("1xirrep(5,5)", "D4xC2"), r"irrep\(0\+,0\), irrep\(0\+,1\)"),
        (
            lambda: layers.SteerableConv2D("1xtrivial", "1xregular", 3, "D4xC2"),
            "a group of the plane.*'D4xC2'; use it$",
        ),
        (lambda: layers.LiftingConv2D(2, 3, "D4xC2"), "acts on, 4"),
        (lambda: layers.MaxPooling2D(2, group="D4xC2")(np.zeros((1, 4, 4, 16, 1))), "points of 2 axes. .*of 4; use"),
        (lambda: layers.MaxPooling2D(2, group="O")(np.zeros((1, 4, 4, 24, 1))), "points of 2 axes. .*of 3; use"),
        (lambda: layers.SteerablePointConv("1xtrivial", "1xregular", "D4xC2"), "of the plane or of space"),
        (
            lambda: layers.NormActivation("2xirrep(1,0)", "D4xC2")(np.zeros((1, 4, 4, 4))),
            "without space .* pool over space before it",
        ),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()
    pooled = keras.layers.GlobalAveragePooling2D()(np.zeros((1, 4, 4, 4)))
    layers.NormActivation("2xirrep(1,0)", "D4xC2")(pooled)  # the remedy

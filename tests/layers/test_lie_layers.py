"""Layers on points: laws on the elements and after lifting, masks, neighborhoods in chunks, bad input."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_equivariant as ke
from keras_equivariant import groups, layers
from keras_equivariant.layers.points.features import arithmetic
from keras_equivariant.ops import lie, neighborhoods, thinning


@pytest.fixture(autouse=True)
def _seed():
    keras.utils.set_random_seed(0)


def sample(group, points=10, channels=4, batch=2):
    d = groups.lie_group(group).dimension
    rng = np.random.default_rng(0)
    mask = np.ones((batch, points), bool)
    mask[1, -3:] = False
    return rng.normal(size=(batch, points, d)), rng.normal(size=(batch, points, channels)), mask


def network(group, samples=1, vectors=False, dtype="float64", sampling="grid", **options):
    d = groups.lie_group(group).dimension
    x, f, mask = keras.Input((10, d), dtype=dtype), keras.Input((10, 4), dtype=dtype), keras.Input((10,), dtype="bool")
    y = layers.LieLift(group, samples, sampling, dtype=dtype)([x, f, mask])
    y = layers.LieConv(6, group, neighbors=options.pop("neighbors", 7), dtype=dtype, **options)(y)
    y = layers.LieBottleneck(12, group, neighbors=7, dtype=dtype)(y)
    y = layers.LiePooling(vectors=vectors, group=group, dtype=dtype)(y)
    return keras.Model([x, f, mask], y)


def change(model, x, moved, act=lambda y: y):
    y, z = (ops.convert_to_numpy(model(a)) for a in (x, moved))
    return np.linalg.norm(z - act(y)) / np.linalg.norm(y)


def rotated(matrix):
    """How the vectors of two samples rotate."""
    d = len(matrix) - 1
    return lambda y: np.einsum("ij,bjc->bic", matrix[:d, :d], y.reshape(2, d, -1)).reshape(y.shape)


@pytest.mark.tensorflow
@pytest.mark.parametrize("group", ["T2", "Tx", "SO2", "Rx", "RxSO2", "SQ", "RxSQ", "Trivial2"])
def test_invariance_for_every_element(group):
    model, (x, f, mask) = network(group), sample(group)
    for matrix in groups.LieSample(group, 4).matrices[1:]:
        assert change(model, [x, f, mask], [groups.move_points(x, matrix), f, mask]) <= 1e-12
    skewed = x * np.array([1.0, 1.7]) + 0.3 * x[..., ::-1] * np.array([1.0, 0.0])
    assert change(model, [x, f, mask], [skewed, f, mask]) > 1e-3  # what is in none of these groups


@pytest.mark.tensorflow
@pytest.mark.parametrize(("group", "samples"), [("SE2", 1), ("SE2", 4), ("SE3", 1), ("SE3", 4)])
def test_lifts_along_principal_axes_keep_every_rotation(group, samples):
    model, (x, f, mask) = network(group, samples, vectors=True, sampling="principal"), sample(group)
    some = groups.LieSample(group, 5)
    for matrix in some.matrices[1:]:
        moved = [groups.move_points(x, matrix), f, mask]
        assert change(model, [x, f, mask], moved, rotated(matrix)) <= 1e-11
    mirrored = x * np.array([-1.0] + [1.0] * (some.dimension - 1))
    assert change(model, [x, f, mask], [mirrored, f, mask]) > 1e-2
    elsewhere = np.where(mask[..., None], x, 7.0)
    assert change(model, [x, f, mask], [elsewhere, f, mask]) <= 1e-12, "what is masked has no part in the axes"


@pytest.mark.tensorflow
def test_points_without_principal_axes_give_finite_numbers():
    square = np.zeros((1, 10, 3))
    square[0, :4, :2] = [[1, 0], [-1, 0], [0, 1], [0, -1]]
    nothing, line = np.zeros((1, 10, 3)), np.linspace(-1, 1, 10)[None, :, None] * np.ones(3)
    for points in (square, nothing, line):
        u, _, _ = layers.LieLift("SE3", 4, "principal", dtype="float64")(
            [points, np.ones((1, 10, 1)), np.ones((1, 10))]
        )
        rotations = ops.convert_to_numpy(u)[..., :4]
        np.testing.assert_allclose(np.sum(rotations**2, axis=-1), 1.0, atol=1e-12)


@pytest.mark.tensorflow
@pytest.mark.parametrize(("group", "samples"), [("SE2", 2), ("SE2", 3), ("SE2", 4), ("SE3", 4), ("SE3", 12)])
def test_lifts_on_a_grid_keep_its_rotations(group, samples):
    model, (x, f, mask) = network(group, samples, vectors=True), sample(group)
    some = groups.LieSample(group, 4, samples)
    for element in some.grid_elements[1:]:
        moved = [groups.move_points(x, some.matrices[element]), f, mask]
        assert change(model, [x, f, mask], moved, rotated(some.matrices[element])) <= 1e-10
    other = some.matrices[-1]
    assert change(model, [x, f, mask], [groups.move_points(x, other), f, mask], rotated(other)) > 1e-3


@pytest.mark.tensorflow
@pytest.mark.parametrize("group", ["SE2", "SE3", "SO3"])
def test_convolutions_on_shared_lifts_keep_every_element(group):
    """A set of lifts made once and moved by g gives what it gave: the convolution itself is exact."""
    own, (x, f, mask) = arithmetic(groups.lie_group(group)), sample(group)
    lift = layers.LieLift(group, 3, sampling="uniform", dtype="float64")
    u, values, there = lift([x, f, mask], training=True)  # random rotations
    conv = layers.LieConv(5, group, neighbors=9, dtype="float64")
    _, y, _ = conv([u, values, there])
    logarithm = groups.lie_group(group).random_logarithms(3)[2]
    g = own.exp(lie.unstack(ops.convert_to_tensor(logarithm)))
    product = own.product(g, lie.unstack(u)[: own.size])
    moved = ops.concatenate([ops.stack(product, axis=-1), u[..., own.size :]], axis=-1)
    _, z, _ = conv([moved, values, there])
    y, z = ops.convert_to_numpy(y), ops.convert_to_numpy(z)
    assert np.linalg.norm(y - z) <= 1e-10 * np.linalg.norm(y)
    _, other, _ = conv([u * 1.1, values, there])
    assert np.linalg.norm(y - ops.convert_to_numpy(other)) > 1e-3 * np.linalg.norm(y)


@pytest.mark.tensorflow
@pytest.mark.parametrize(("group", "samples"), [("SE2", 2), ("SE3", 4)])
def test_random_lifts_are_other_ones_in_training_only(group, samples):
    x, f, mask = sample(group)
    for sampling in ("uniform", "shared"):
        lift = layers.LieLift(group, samples, sampling=sampling, seed=3)
        a, b, c, d = (ops.convert_to_numpy(lift([x, f, mask], training=t)[0]) for t in (False, False, True, True))
        np.testing.assert_array_equal(a, b)
        assert np.abs(c - d).max() > 0.1
        if sampling == "shared":
            np.testing.assert_allclose(c[0, :samples, :2], c[0, samples : 2 * samples, :2], atol=1e-6)


@pytest.mark.tensorflow
def test_uniform_lifts_of_so3_are_haar():
    """The rotation about a point is uniform; drawn from a uniform quaternion's angle it would favor half turns."""
    x = np.tile([[[1.0, 0.0, 0.0]]], (1, 4000, 1))
    lift = layers.LieLift("SO3", sampling="uniform", seed=0)
    u = ops.convert_to_numpy(lift([x, x[..., :1], np.ones((1, 4000), bool)], training=True)[0])[0]
    angle = 2 * np.arctan2(u[:, 1], u[:, 0])
    assert abs(np.exp(1j * angle).mean()) < 0.05 and abs(np.exp(2j * angle).mean()) < 0.05


@pytest.mark.tensorflow
def test_padding_changes_nothing():
    model, (x, f, mask) = network("T2"), sample("T2")
    rubbish = x.copy()
    rubbish[1, -3:] = [[np.nan, 1.0], [1e9, -1e9], [0.0, 0.0]]
    values = f.copy()
    values[1, -3:] = np.nan
    assert change(model, [x, f, mask], [rubbish, values, mask]) == 0
    order = np.random.default_rng(5).permutation(10)
    assert change(model, [x, f, mask], [x[:, order], f[:, order], mask[:, order]]) <= 1e-12
    everything = np.ones_like(mask)
    assert change(model, [x, f, mask], [x, f, everything]) > 1e-3


@pytest.mark.tensorflow
@pytest.mark.parametrize("within", [None, 1.2])
def test_chunks_give_exactly_the_dense_result(within):
    rng = np.random.default_rng(0)
    x = ops.convert_to_tensor(rng.normal(size=(2, 37, 3)).astype("float32"))
    mask = ops.convert_to_tensor(rng.random((2, 37)) < 0.8)

    def distance(v, u):
        return ops.sqrt(sum(ops.square(b - a) for a, b in zip(v, u, strict=True)))

    def order(numbers, _):
        return ops.cast(ops.expand_dims(numbers, -1) * 7 + ops.arange(37, dtype="int32") * 11 % 37, "float32") % 1

    dense, *others = (neighborhoods.nearest(x, x, mask, 6, distance, within, order, chunk) for chunk in (37, 1, 5, 36))
    for other in others:
        for a, b in zip(dense, other, strict=True):
            np.testing.assert_array_equal(ops.convert_to_numpy(a), ops.convert_to_numpy(b))
    table = np.linalg.norm(np.asarray(x)[:, :, None] - np.asarray(x)[:, None], axis=-1)
    if within is None:
        expected = np.argsort(np.where(np.asarray(mask)[:, None], table, 9e9), axis=-1, kind="stable")[..., :6]
        np.testing.assert_array_equal(ops.convert_to_numpy(dense[0]), expected)
    else:
        share = ((table < within) & np.asarray(mask)[:, None]).sum(-1) / np.asarray(mask).sum(-1)[:, None]
        np.testing.assert_allclose(ops.convert_to_numpy(dense[2]), share, rtol=1e-6)


@pytest.mark.tensorflow
def test_farthest_points_against_a_slow_reference():
    rng = np.random.default_rng(0)
    x, mask = rng.normal(size=(2, 15, 2)), rng.random((2, 15)) < 0.7

    def distance(v, u):
        return ops.sqrt(sum(ops.square(b - a) for a, b in zip(v, u, strict=True)))

    found, enough = thinning.spread(ops.convert_to_tensor(x), ops.convert_to_tensor(mask), 7, distance)
    assert ops.convert_to_numpy(enough).all()
    for points, there, chosen in zip(x, mask, ops.convert_to_numpy(found), strict=True):
        sums = (np.linalg.norm(points[:, None] - points[there], axis=-1)).sum(axis=1)
        expected = [int(np.argmin(np.where(there, sums, np.inf)))]
        while len(expected) < 7:
            far = np.linalg.norm(points[:, None] - points[expected], axis=-1).min(axis=1)
            far[~there] = -1
            far[expected] = -2
            expected.append(int(np.argmax(far)))
        assert chosen.tolist() == expected


@pytest.mark.tensorflow
def test_thinning_takes_whole_shells():
    """Of a lattice the middle, the corners and the middles of the edges; no shell of four fits in what is left."""
    x = np.stack(np.meshgrid(*[np.arange(5.0)] * 2), axis=-1).reshape(1, 25, 2)

    def distance(v, u):
        return ops.sqrt(sum(ops.square(b - a) for a, b in zip(v, u, strict=True)))

    for order in (np.arange(25), np.random.default_rng(0).permutation(25)):
        some = ops.convert_to_tensor(x[:, order])
        found, enough = (ops.convert_to_numpy(y) for y in thinning.spread(some, ops.ones((1, 25), bool), 12, distance))
        chosen = np.asarray(some)[0, found[enough]]
        wanted = {(i, j) for i in (0, 2, 4) for j in (0, 2, 4)}
        assert {tuple(p) for p in chosen.astype(int).tolist()} == wanted and len(chosen) == 9


@pytest.mark.tensorflow
def test_shared_points_give_what_repeated_ones_give():
    x, f, mask = sample("T2")
    mask[:] = True
    conv = layers.LieConv(3, "T2", neighbors=4, dtype="float64")
    _, shared, _ = conv([x[:1], f, mask[:1]])
    _, repeated, _ = conv([np.repeat(x[:1], 2, axis=0), f, mask])
    np.testing.assert_allclose(ops.convert_to_numpy(shared), ops.convert_to_numpy(repeated), rtol=1e-12)


@pytest.mark.tensorflow
def test_radius_adapts_until_the_balls_are_filled():
    x, f, mask = sample("T2", points=40)
    conv = layers.LieConv(3, "T2", neighborhood="ball", radius=0.1, fill=0.3, neighbors=8)
    for _ in range(60):
        conv([x, f, mask], training=True)
    table = np.linalg.norm(x[:, :, None] - x[:, None], axis=-1) < float(conv.ball_radius)
    filled = (table & mask[:, None]).sum(-1) / mask.sum(-1)[:, None]
    assert abs(filled[mask].mean() - 0.3) < 0.03


@pytest.mark.tensorflow
def test_bias_is_not_divided_by_the_neighbors():
    x, f, mask = sample("T2")
    conv = layers.LieConv(3, "T2", neighbors=5, kernel_initializer="zeros", bias_initializer="ones")
    y = ops.convert_to_numpy(conv([x, f, mask])[1])
    np.testing.assert_allclose(y[mask], 1.0)
    np.testing.assert_array_equal(y[~mask], 0.0)


def two_points(x):
    return [np.asarray(x, "float32"), np.ones((1, len(x[0]), 2), "float32"), np.ones((1, len(x[0])), bool)]


@pytest.mark.tensorflow
@pytest.mark.parametrize("group", ["T2", "SO2", "RxSO2", "SE2"])
def test_duplicates_origins_and_few_points_are_defined(group):
    """Points on each other, in the origin, fewer than neighbors: finite numbers, and finite gradients."""
    import tensorflow as tf

    lift, conv = layers.LieLift(group), layers.LieConv(3, group, neighbors=20)
    x = tf.constant([[[0.0, 0.0], [0.0, 0.0], [1.0, 0.0], [1.0, 0.0]]])
    _, f, mask = two_points(np.asarray(x))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = conv(lift([x, f, mask]))[1]
    assert np.isfinite(y).all() and np.isfinite(tape.gradient(y, x)).all()


@pytest.mark.tensorflow
def test_nobody_there_is_zero():
    x, f, mask = two_points([[[0.0, 1.0], [np.nan, np.nan]]])
    pooled = {}
    for reduction in ("mean", "sum", "max"):
        for name, there in (("none", mask & False), ("nan", mask)):
            u = layers.LieLift("T2")([x, f, there])
            u = layers.LieConv(2, "T2", neighbors=2, bias_initializer="ones")(u)
            pooled[reduction, name] = ops.convert_to_numpy(layers.LiePooling(reduction)(u))
    assert all(np.isfinite(y).all() for y in pooled.values())
    np.testing.assert_array_equal(pooled["mean", "none"], 0.0)
    np.testing.assert_array_equal(pooled["max", "none"], 0.0)
    assert np.abs(pooled["mean", "nan"]).max() > 0  # one of the two is there


@pytest.mark.parametrize(
    ("make", "shapes", "text"),
    [
        (lambda: layers.LieLift("SE2"), [(1, 0, 2), (1, 0, 3), (1, 0)], "at least 1"),
        (lambda: layers.LieLift("SE2"), [(1, None, 2), (1, None, 3), (1, None)], "must be known"),
        (lambda: layers.LieLift("SE2"), [(1, 5, 3), (1, 5, 3), (1, 5)], "width 2"),
        (lambda: layers.LieConv(4, "SE2"), [(1, 5, 2), (1, 5, 3), (1, 5)], "LieLift"),
        (lambda: layers.LieConv(4, "SE2"), (1, 5, 4), "takes points as"),
        (lambda: layers.LieBottleneck(2, "T2"), [(1, 5, 2), (1, 5, 3), (1, 5)], "at least the channels"),
        (lambda: layers.LiePooling(vectors=True, group="SE2"), [(1, 5, 4), (1, 5, 3), (1, 5)], "Dense of a multiple"),
        (lambda: layers.ImageToPoints(), (1, None, 5, 1), "known size"),
    ],
)
def test_shapes_that_are_no_points(make, shapes, text):
    with pytest.raises(ValueError, match=text) as error:
        make().compute_output_shape(shapes)
    assert "Received" in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"neighborhood": "far"}, "neighborhood"),
        ({"fraction": 0}, "fraction"),
        ({"fill": 1.5}, "fill"),
        ({"distance": "euclid"}, "distance"),
        ({"kernel_units": ()}, "kernel_units"),
        ({"neighbors": 0}, "neighbors"),
        ({"alpha": 2.0}, "alpha"),
    ],
)
def test_arguments(arguments, text):
    with pytest.raises(ValueError, match=text):
        layers.LieConv(4, "T2", **arguments)


@pytest.mark.tensorflow
@pytest.mark.parametrize("group", ["SO2", "T2"])
def test_a_certificate_by_the_name_of_a_lie_group(group):
    named, found = (ke.certify(network(group), *name, dtypes=("float64",)) for name in ([group], []))
    assert named.exact and named.group == found.group == group
    assert [n for n in named.notes if "elements" in n] == [n for n in found.notes if "elements" in n] != []


def test_samples_only_where_there_are_some():
    with pytest.raises(ValueError, match="samples"):
        layers.LieLift("T2", samples=2)
    with pytest.raises(ValueError, match="principal.*SE2.*SE3"):
        layers.LieLift("SO3", sampling="principal")
    for group, samples in (("SE3", 2), ("SE2", 3)):
        with pytest.raises(ValueError, match="half turns"):
            layers.LieLift(group, samples, "principal")
    with pytest.raises(ValueError, match="vectors"):
        layers.LiePooling(vectors=True)


@pytest.mark.tensorflow
def test_a_group_of_ones_own_by_exp_and_log_alone():
    """Shears and translations of the plane (the Heisenberg group): nothing but exp, log and a lift."""

    def exp(a):
        s, x, y = a[..., 0], a[..., 1], a[..., 2]
        zero, one = ops.zeros_like(s), ops.ones_like(s)
        rows = [[one, s, x + s * y / 2], [zero, one, y], [zero, zero, one]]
        return ops.stack([ops.stack(row, axis=-1) for row in rows], axis=-2)

    def log(u):
        s, y = u[..., 0, 1], u[..., 1, 2]
        return ops.stack([s, u[..., 0, 2] - s * y / 2, y], axis=-1)

    def lift(points):
        return ops.concatenate([ops.zeros_like(points[..., :1]), points], axis=-1), points[..., :0]

    group = groups.LieGroup("shears", 2, algebra=3, exp=exp, log=log, lift=lift)
    groups.register(group)
    a = np.random.default_rng(0).normal(size=(5, 3))
    np.testing.assert_allclose(group.logarithm(group.matrix(a)), a, atol=1e-12)
    x, f, mask = sample("T2")
    conv = layers.LieConv(4, "shears", neighbors=6, dtype="float64")
    assert conv.get_config()["group"] == "shears"
    u, values, there = layers.LieLift("shears", dtype="float64")([x, f, mask])
    y = ops.convert_to_numpy(conv([u, values, there])[1])
    g = lie.unstack(ops.convert_to_tensor(group.matrix(a[:1]).reshape(9)))
    moved = arithmetic(group).product(g, lie.unstack(u))
    z = ops.convert_to_numpy(conv([ops.stack(moved, axis=-1), values, there])[1])
    np.testing.assert_allclose(z, y, atol=1e-10)


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", ["SQ", "RxSQ"])
def test_squeezes_as_a_group_of_ones_own(name):
    """SQ of LieConv's repository, diag(e^s, e^-s), and RxSQ, with scalings: what moves points of a quadrant along."""
    scales = name == "RxSQ"

    def exp(a):
        r, s = (a[..., 0], a[..., 1]) if scales else (0 * a[..., 0], a[..., 0])
        zero, one = ops.zeros_like(s), ops.ones_like(s)
        rows = [[ops.exp(r + s), zero, zero], [zero, ops.exp(r - s), zero], [zero, zero, one]]
        return ops.stack([ops.stack(row, axis=-1) for row in rows], axis=-2)

    def log(u):
        p, q = ops.log(u[..., 0, 0]), ops.log(u[..., 1, 1])
        return ops.stack([(p + q) / 2, (p - q) / 2][0 if scales else 1 :], axis=-1)

    def lift(points):
        size = ops.maximum(ops.abs(points), 1e-12)  # an axis has no element of its own
        p, q = ops.log(size[..., :1]), ops.log(size[..., 1:])
        if scales:
            return ops.concatenate([(p + q) / 2, (p - q) / 2], axis=-1), ops.sign(points)
        return (p - q) / 2, ops.sign(points) * ops.exp((p + q) / 2)

    group = groups.LieGroup(f"my{name}", 2, algebra=1 + scales, orbit=2, exp=exp, log=log, lift=lift)
    groups.register(group)
    a = np.random.default_rng(0).normal(size=(5, 1 + scales))
    np.testing.assert_allclose(group.logarithm(group.matrix(a)), a, atol=1e-12)
    x, f, mask = sample("T2")
    x = np.asarray(x) + 3.0 * np.sign(np.asarray(x))
    conv = layers.LieConv(4, group.name, neighbors=6, dtype="float64")
    lifted = layers.LieLift(group.name, dtype="float64")
    y = ops.convert_to_numpy(conv(lifted([x, f, mask]))[1])
    moved = groups.move_points(x, group.matrix(a[0]))
    np.testing.assert_allclose(ops.convert_to_numpy(conv(lifted([moved, f, mask]))[1]), y, atol=1e-10)
    other = groups.move_points(x, np.diag([1.3, 1.3 if not scales else -1.3, 1.0]))  # no element
    assert np.abs(ops.convert_to_numpy(conv(lifted([other, f, mask]))[1]) - y).max() > 1e-3


@pytest.mark.tensorflow
def test_scalings_of_axes_by_generators():
    """In space, with points on axes and in planes between them; and what the groups hold of each other."""
    group = groups.register(groups.axis_scalings("test_squash", [[1.0, 1.0, -2.0], [0.0, 0.5, 0.5]]))
    a = np.random.default_rng(0).normal(size=(5, 2))
    np.testing.assert_allclose(group.logarithm(group.matrix(a)), a, atol=1e-12)
    np.testing.assert_allclose(group.matrix(a)[:, 2, 2], np.exp(-2 * a[:, 0] + a[:, 1] / 2))
    model, (x, f, mask) = network("test_squash"), sample("test_squash")
    x[:, 0], x[:, 1, 0], x[:, 2, 1:] = 0.0, 0.0, 0.0
    moves = groups.LieSample(group, 4).matrices[1:]
    for matrix in moves:
        assert change(model, [x, f, mask], [groups.move_points(x, matrix), f, mask]) <= 1e-12
    for scales in ([1.5, 1.0, 1.0], [-1.0, 1.0, 1.0]):
        assert not group.contains(np.diag([*scales, 1.0]))
        assert change(model, [x, f, mask], [x * np.array(scales), f, mask]) > 1e-3
    squeeze, both, scaling = (groups.lie_group(name) for name in ("SQ", "RxSQ", "Rx"))
    assert both.contains(squeeze) and both.contains(scaling) and not squeeze.contains(both)
    assert not squeeze.contains(scaling) and not both.contains(groups.lie_group("T2"))
    assert squeeze.contains(np.diag([2.0, 0.5])) and not squeeze.contains(np.diag([2.0, 2.0]))
    for wrong in ([[1, -1], [2, -2]], [[1, 2, 3, 4]], [1, -1], np.zeros((0, 2))):
        with pytest.raises(ValueError, match="`generators` must be|`dimension` must be") as error:
            groups.axis_scalings("test_wrong", wrong)
        assert "Received: " in str(error.value)


@pytest.mark.tensorflow
@pytest.mark.parametrize("group", ["SQ", "RxSQ"])
def test_a_spec_and_a_certificate_of_squeezes(group):
    conv = {"LieConv": {"filters": 4, "group": group, "neighbors": 5}}
    words = {"spec": 1, "name": "squeezes", "input": {"shape": [8, 3], "space": 2}}
    words["layers"] = [{"LieLift": group}, conv, "LiePooling", {"Dense": 2}]
    model = ke.build_from_spec(words)
    report = ke.certify(model, dtypes=("float64",))
    assert report.exact and report.group == group


@pytest.mark.parametrize("layer", [ke.layers.LieConv, ke.layers.LieBottleneck])
def test_options_go_by_their_old_names_for_now(layer):
    with pytest.warns(DeprecationWarning, match="`neighbours` is now `neighbors`"):
        old = layer(4, "T2", neighbours=5)
    assert old.get_config()["neighbors"] == 5
    config = {k.replace("neighbor", "neighbour"): v for k, v in old.get_config().items()}
    with pytest.warns(DeprecationWarning):
        assert layer.from_config(config).get_config() == old.get_config()


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_largest_value_of_the_points_that_are_there(dtype):
    """However low it is, and whatever stands where there is no point."""
    low = 3e4 if dtype == "float16" else 1e30
    values = np.full((2, 3, 2), -low, dtype)
    values[:, 2] = np.nan
    mask = np.array([[True, True, False], [False, False, False]])
    found = ops.convert_to_numpy(layers.LiePooling("max", dtype=dtype)([np.zeros((2, 3, 2), "float32"), values, mask]))
    np.testing.assert_allclose(found, [[-low, -low], [0, 0]], rtol=1e-3)


@pytest.mark.parametrize("neighborhood", ["nearest", "ball", "cutoff"])
@pytest.mark.parametrize("group", ["T2", "T3", "SE2", "SE3"])
def test_no_difference_how_far_away_the_points_are(group, neighborhood):
    """Offsets between the points are the same number by number, so that every point has the same neighbors."""
    rng, d = np.random.default_rng(0), int(group[-1])
    x = (np.round(rng.normal(size=(1, 24, d)) * 1024) / 1024).astype("float32")
    f, mask = rng.normal(size=(1, 24, 2)).astype("float32"), np.arange(24)[None] < 20
    x[:, 20:] = 1e20
    layer = layers.LieConv(4, group, 6, neighborhood, kernel_units=(8,), batch_normalization=False)
    lift = layers.LieLift(group)
    near, far = (ops.convert_to_numpy(layer(lift([x + np.float32(t), f, mask]))[1]) for t in (0, 1024))
    assert np.abs(far - near)[mask].max() <= 1e-5 * np.abs(near[mask]).max()


def test_positions_of_another_width_are_told_how_many_coordinates_they_need():
    points = np.ones((1, 4, 1), "float32"), np.ones((1, 4, 2), "float32"), np.ones((1, 4), bool)
    with pytest.raises(ValueError, match="takes positions of width 2. Received: 1 in .*; give each 2 coordinates"):
        layers.LieLift("Rx")(points)
    layers.LieLift("Rx")((np.ones((1, 4, 2), "float32"), *points[1:]))

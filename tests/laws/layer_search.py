"""Random layers on random sizes with random options, each judged by its own law in float64.

What a layer says of itself (it is built, or refused for its symmetry) is compared with what is measured: the largest
error over elements that generate all that map the pixel grid onto itself, acting on the layer's own input and output.

    python tests/laws/layer_search.py COUNT SEED       prints what so many layers did, and the wrong ones
"""

import collections
import dataclasses
import functools
import sys
import warnings

import numpy as np
from keras import ops

import keras_equivariant as ke
from keras_equivariant.groups import grid

EXACT = 1e-9
SAMPLES = 6  # so that a maximum is not at the right place by chance
PLANE = [*(f"{kind}{n}" for kind in "CD" for n in range(1, 9)), "SO2", "O2"]
SPACE = ["C2z", "C4z", "D4z", "C3_111", "T", "O", "Oh", "D2h", "C4h", "D4h", "Ci", "SO3", "O3", "Cinfv", "Dinfh"]
RARE = ("Oh", "O", "D4h", "T")  # large kernels: one in so many of the volumes
SPECTRAL = {"SO2": "2x0 + 1x1", "O2": "1x0+ + 1x1", "SO3": "1x0 + 1x1", "O3": "1x0e + 1x1o"}
SPECTRAL |= {"Cinfv": "1x0+ + 1x1", "Dinfh": "1x0e+ + 1x1o"}


@dataclasses.dataclass
class Case:
    """A layer to judge: its class's name, its arguments, the shape and layout of its input, its group."""

    name: str
    arguments: dict
    shape: tuple
    layout: str
    group: str | None

    @property
    def rank(self):
        return 3 if "3D" in self.name else 2

    def layer(self, strict, **changed):
        return getattr(ke.layers, self.name)(**{**self.arguments, **changed}, strict=strict, dtype="float64")


@dataclasses.dataclass
class Outcome:
    """What became of a case: `accepted`, `refused` (for its symmetry) or `impossible`, and the measured error."""

    case: Case
    verdict: str
    error: float = 0.0
    reason: str = ""
    bad_remedies: tuple = ()

    @property
    def kind(self):
        """`accepted`, `refused`, `inexact` (accepted, yet broken), `false` (refused, yet exact) or `impossible`."""
        if self.verdict == "accepted" and self.error > EXACT:
            return "inexact"
        return "false" if self.verdict == "refused" and self.error <= EXACT else self.verdict


def draw(rng):
    """A random Case."""
    kinds = (
        *("LiftingConv", "GroupConv", "GroupConv", "GroupConvTranspose", "SteerableConv", "SteerableConvTranspose"),
        *("HarmonicConv", "MaxPooling", "AveragePooling", "AveragePooling", "NormMaxPooling", "UpSampling"),
        *(
            "GroupDepthwiseConv",
            "AdaptiveAveragePooling",
            "AdaptiveMaxPooling",
            "Resizing",
            "RadialMask",
            "GaussianBlur",
        ),
    )
    kind = str(rng.choice(kinds))
    rank = 2 if kind == "HarmonicConv" or rng.random() < 0.65 else 3
    name = kind.replace("Transpose", "") + f"{rank}D" + "Transpose" * kind.endswith("Transpose")
    group = _group(kind, rank, rng)
    window = functools.partial(_window, rng, rank)
    if kind == "UpSampling":
        smooth = "bilinear" if rank == 2 else "trilinear"
        arguments = {"size": window(1, 3), "interpolation": str(rng.choice(["nearest", smooth]))}
    elif kind == "RadialMask":
        arguments = {"margin": float(rng.choice([0.0, 0.2])), "sigma": float(rng.choice([0.5, 2.0]))}
    elif kind == "GaussianBlur":
        size = None if rng.random() < 0.5 else window(1, 4)
        arguments = {"sigma": float(rng.choice([0.3, 0.66])), "kernel_size": size, "strides": window(1, 3)}
        arguments["padding"] = _padding(rng)
    elif kind.startswith("Adaptive"):
        arguments = {"output_size": window(1, 5)}
    elif kind == "Resizing":
        arguments = {"align_corners": bool(rng.random() < 0.3)}
        factor = float(rng.choice([0.5, 1.5, 2]))
        arguments |= {"output_size": window(1, 8)} if rng.random() < 0.6 else {"factor": factor}
        if rank == 2 and rng.random() < 0.3:
            arguments["interpolation"] = "bicubic"
    elif kind.endswith("Pooling"):
        arguments = {
            "pool_size": window(1, 4),
            "strides": None if rng.random() < 0.4 else window(1, 3),
            "padding": _padding(rng),
        }
        if kind != "NormMaxPooling" and rng.random() < 0.4:
            arguments["antialias"] = True
    else:
        arguments = {
            "kernel_size": window(1, 4, 0.1),
            "strides": window(1, 3),
            "padding": _padding(rng),
            "dilation_rate": window(1, 2, 0.15) if rng.random() < 0.3 else 1,
        }
        if kind.endswith("Transpose"):
            arguments["output_padding"] = None if rng.random() < 0.5 else window(0, 2)
        elif arguments["padding"].lower() == "same" and rng.random() < 0.4:
            arguments["padding_mode"] = str(rng.choice(["circular", "reflect", "replicate"]))
    return _on_features(name, kind, rank, group, arguments, rng)


def _on_features(name, kind, rank, group, arguments, rng):
    """The case with its channels: a layout, its type where it has one, and the shape."""
    space, layout = _sizes(rng, rank), "image"
    order = None if group is None else ke.groups.get(group).order
    fiber = (1,)
    if kind in ("LiftingConv", "GroupConv", "GroupConvTranspose", "GroupDepthwiseConv"):
        fields = 1
        if kind != "GroupConvTranspose" and rng.random() < 0.25:
            arguments["basis"] = str(rng.choice(["exact", "bilinear", "gaussian", "steerable", "pdo"]))
        if kind in ("LiftingConv", "GroupConv") and rng.random() < 0.2:
            fields = arguments["groups"] = 2
        if kind != "GroupDepthwiseConv":
            arguments["filters"] = fields
        arguments["group"] = group
        layout, fiber = ("image", (fields,)) if kind == "LiftingConv" else ("regular", (order, fields))
        arguments["bias_initializer"] = "random_normal"
    elif kind.startswith("Steerable") or kind == "NormMaxPooling":
        types = [SPECTRAL.get(group, "1xregular"), SPECTRAL.get(group, "2xtrivial")]
        types = types[1:] if order > 8 and group not in SPECTRAL else types
        arguments |= {"in_type": str(rng.choice(types)), "group": group}
        if kind != "NormMaxPooling":
            arguments |= {"out_type": types[0], "use_bias": False}
            if kind == "SteerableConv" and rng.random() < 0.2:
                arguments["antialias"] = True
            if rank == 3 and group == "SO3" and rng.random() < 0.5:
                arguments["voxel_size"] = (1, 1, 2)
            arguments |= _kernel_options(kind, rng)
        layout = "typed"
        fiber = (ke.groups.FieldType.parse(arguments["in_type"], group).size,)
    elif kind == "HarmonicConv":
        arguments |= {"filters": 1}
        if rng.random() < 0.5:
            layout, fiber = "harmonic", (2, 2, 1)
    elif group is not None:
        arguments |= {"group": group}
        if math_finite(order) and rng.random() < 0.4:
            layout, fiber = "regular", (order, 1)
    return Case(name, arguments, (SAMPLES, *space, *fiber), layout, group)


def _kernel_options(kind, rng):
    """How the kernels of a steerable convolution are made, where it is not the default."""
    if rng.random() < 0.6:
        return {}
    rings = {"num_rings": int(rng.integers(1, 4)), "ring_width": float(rng.choice([0.3, 0.6]))}
    cut = {"frequency_cutoff": rng.choice(["nyquist", "aliasing"]) if rng.random() < 0.5 else 1}
    choices = [rings, {"radial_profile": "linear"}, {"ring_radii": "escnn"}, {"ring_radii": [0.0, 1.0]}, cut]
    if kind == "SteerableConv":
        derivatives = {"basis": "pdo", "maximum_order": int(rng.integers(0, 3))}
        gauss = {"discretization": "gauss", "smoothing": 0.8}
        choices += [derivatives, derivatives | gauss]
    return choices[rng.integers(len(choices))]


def math_finite(order):
    return order is not None and order != float("inf")


def _group(kind, rank, rng):
    if kind == "HarmonicConv":
        return "C4"
    if kind in ("MaxPooling", "AveragePooling", "UpSampling") and rng.random() < 0.3:
        return None
    names = {2: PLANE, 3: SPACE}[rank]
    while True:
        name = str(rng.choice(names))
        finite = math_finite(ke.groups.get(name).order)
        if (finite or kind.startswith(("Steerable", "Norm"))) and (name not in RARE or rng.random() < 0.4):
            return name


def _window(rng, rank, least, most, differing=0.25):
    """One number for all axes, or one for each."""
    values = [int(n) for n in rng.integers(least, most + 1, rank)]
    return tuple(values) if rng.random() < differing else values[0]


def _padding(rng):
    return str(rng.choice(["valid", "same", "same", "SAME"]))


def _sizes(rng, rank):
    """A square or a rectangle, tiny or small."""
    most = {2: 12, 3: 7}[rank]
    sizes = [int(n) for n in rng.integers(1, most + 1, rank)]
    return tuple(sizes if rng.random() < 0.35 else sizes[:1] * rank)


def judge(case, rng, remedies=True):
    """The Outcome of a case."""
    try:
        layer = case.layer(strict=True)
        layer.build(case.shape)
        verdict = "accepted"
    except (ValueError, TypeError) as error:
        if "exact symmetry" not in str(error):
            return Outcome(case, "impossible", reason=str(error))
        verdict, reason = "refused", str(error)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            loose = case.layer(strict=False)
            error = measure(loose, case, rng)
        except (ValueError, TypeError) as failure:
            return Outcome(case, "impossible", reason=str(failure))
    if verdict == "accepted":
        return Outcome(case, verdict, error)
    return Outcome(case, verdict, error, reason, tuple(bad_remedies(layer, case)) if remedies else ())


def bad_remedies(layer, case):
    """The remedies that a refused layer names and that do not make it exact by its own word."""
    problem = layer.window_problem(case.shape)
    if not problem.remedies:
        yield "no remedy at all"
    for remedy in problem.remedies:
        space = remedy.sizes or case.shape[1 : 1 + case.rank]
        if remedy.pool:
            if any(size % remedy.pool for size in space):
                yield remedy.text
            space = tuple(size // remedy.pool for size in space)
        other = dataclasses.replace(case, shape=(SAMPLES, *space, *case.shape[1 + case.rank :]))
        try:
            other.layer(strict=True, **remedy.arguments).build(other.shape)
        except (ValueError, TypeError) as error:
            yield f"{remedy.text}: {error}"


def measure(layer, case, rng, exact=EXACT):
    """The error of the law relative to the largest value: the largest, or the first that is not exact."""
    x = rng.normal(size=case.shape)
    y = ops.convert_to_numpy(layer(x))
    scale = max(float(np.abs(y).max(initial=0.0)), 1e-300)
    worst = 0.0
    for matrix, element in elements(case):
        try:
            moved = ops.convert_to_numpy(layer(act(x, case, layer, matrix, element, out=False)))
        except Exception:  # noqa: BLE001 (each backend has one of its own for a window longer than the swapped axis)
            return np.inf
        wanted = act(y, case, layer, matrix, element, out=True)
        if moved.shape != wanted.shape:
            return np.inf
        worst = max(worst, float(np.abs(moved - wanted).max(initial=0.0) / scale))
        if worst > exact:
            break
    return worst


def elements(case):
    """Elements that map the grid onto itself, (matrix, index in the group): all, or generators where that is enough.

    It is on a cube. On other shapes each element moves other sizes, and all have to be tried.
    """
    group = _group_of(case)
    space = case.shape[1 : 1 + case.rank]
    scales = np.asarray(case.arguments.get("voxel_size", (1,) * case.rank))
    chosen, reached = [], {0}
    for element, matrix in enumerate(group.matrices):
        moves = np.abs(grid.index_matrix(matrix))
        if element in reached or not grid.is_signed_permutation(matrix) or not np.allclose(moves @ scales, scales):
            continue
        chosen.append(element)
        if len(set(space)) == 1:
            reached = set(group.generated_by(chosen))
    return [(group.matrices[element], element) for element in chosen]


def _group_of(case):
    group = ke.groups.get(case.group or {2: "D4", 3: "Oh"}[case.rank])
    return group if math_finite(group.order) else group.on_grid


def act(x, case, layer, matrix, element, out):
    """The element on the layer's input, or on its output."""
    layout = case.layout
    if layout == "typed":
        field_type = layer.out_type if out else layer.in_type
        return ke.groups.move_pixels(field_type.transform(x, matrix), matrix)
    if out and case.name.startswith("LiftingConv"):
        layout = "regular"
    if out and case.name.startswith("HarmonicConv"):
        layout = "harmonic"
    return ke.groups.act(x, _group_of(case), element, layout)


def search(count, seed):
    """`count` outcomes of layers that can be built on their sizes at all, and their number by kind."""
    rng = np.random.default_rng(seed)
    outcomes = []
    while len(outcomes) < count:
        outcome = judge(draw(rng), rng)
        if outcome.verdict != "impossible":
            outcomes.append(outcome)
    return outcomes, collections.Counter(outcome.kind for outcome in outcomes)


if __name__ == "__main__":
    done, counted = search(int(sys.argv[1]), int(sys.argv[2]))
    print(counted, *(o for o in done if o.kind in ("inexact", "false") or o.bad_remedies), sep="\n")

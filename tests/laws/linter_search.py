"""Random networks of spec layers, ours and Keras's: what the linter says against what is measured.

A network is drawn as a spec: a beginning that gives features of one of the layouts, some layers with random options,
and perhaps an end. The linter passes it or not; then it is built all the same (`strict: false`), given random weights,
and its equivariance under the claimed group is measured in float64 on the elements that the grid knows.

    python tests/laws/linter_search.py COUNT SEED       prints what so many networks did, and the wrong ones
"""

import collections
import sys
import warnings

import keras
import numpy as np

import keras_equivariant as ke
from keras_equivariant.compiler import SpecError, build_from_spec, load_spec
from keras_equivariant.compiler.grammar.registry import first_argument
from keras_equivariant.compiler.linter.linter import trace
from keras_equivariant.equivariance.twin import rounds_to_float32
from keras_equivariant.groups.grid import keeps_shape
from keras_equivariant.groups.layouts import Broken, Regular

EXACT, ROUNDED = 1e-9, 1e-5  # the second where Keras takes means of float64 in float32, on JAX and torch
POSITIVE = ("'ReLU'", "relu", "softmax", "Softmax", "Magnitude", "NormPooling")
# On the elements that the grid knows, components of continuous types are permuted up to sign; between them they mix.
ON_THE_GRID_ONLY = ("tanh", "softsign", "Maximum", "Normalization")
GROUPS = ("C2", "C4", "D1", "D2", "D4")
TYPES = {
    "SO2": ("2x0 + 2x1", "3x0"),
    "O2": ("2x0+ + 1x1", "2x0- + 1x0+"),
    "D4": ("2xregular", "2x0+ + 1x1", "2x0-", "1xquotient(C4) + 1x1"),
    "C4": ("1xregular + 2x0", "2x1"),
}


def draw(rng):
    """A random spec as a dict, all layers strict, and how many layers at its end pool over all of space."""
    size = int(rng.choice([4, 5, 6, 7, 8, 9]))
    shape = [size, size if rng.random() < 0.85 else size + 1, 2]
    start = {"regular": _lift, "typed": _typed, "harmonic": _harmonic}[rng.choice(["regular", "typed", "harmonic"])]
    layers = [_stock(rng)] if rng.random() < 0.15 else []
    layers += start(rng)
    layers += [_any(rng) for _ in range(rng.integers(1, 4))]
    if "PReLU" in str(layers) and any(word in str(layers) for word in POSITIVE):
        return draw(rng)  # of positive numbers its slopes make nothing
    end = _end(rng) if rng.random() < 0.4 else []
    return {"spec": 1, "name": "net", "input": {"shape": shape}, "layers": layers + end}, len(end)


def _lift(rng):
    group = str(rng.choice(GROUPS))
    lift = {"LiftingConv2D": {"filters": 2, "kernel_size": 3, "group": group, "padding": "same"}}
    return [lift] + [_regular(rng, group) for _ in range(rng.integers(0, 2))]


def _regular(rng, group):
    return [
        {"GroupConv2D": {"filters": 2, "kernel_size": int(rng.choice([1, 2, 3])), "group": group, **_window(rng)}},
        {"GroupPooling": str(rng.choice(["max", "mean"]))},
        "BatchNormalization",
        {"FlattenFields": group},
    ][rng.integers(4)]


def _typed(rng):
    group = str(rng.choice(list(TYPES)))
    conv = {"out_type": str(rng.choice(TYPES[group])), "kernel_size": 3, "group": group, "padding": "same"}
    return [{"SteerableConv2D": conv}]


def _harmonic(rng):
    return [{"HarmonicConv2D": {"filters": 2, "kernel_size": 3, "padding": "same"}}]


def _window(rng):
    return {"strides": int(rng.choice([1, 1, 2])), "padding": str(rng.choice(["valid", "same"]))}


def _any(rng):
    if rng.random() < 0.25:
        return _ours(rng)
    if rng.random() < 0.15:
        branches = [[_stock(rng)] if rng.random() < 0.5 else [{"Rescaling": {"scale": -0.7}}], []]
        merge = str(rng.choice(["Add", "Average", "Concatenate", "Maximum", "Multiply"]))
        return {"parallel": {"branches": branches, "merge": merge}}
    return _stock(rng)


def _ours(rng):
    pool = {"pool_size": int(rng.choice([2, 3])), **_window(rng)}
    return [
        {"MaxPooling2D": pool},
        {"AveragePooling2D": pool | {"antialias": bool(rng.random() < 0.3)}},
        {"UpSampling2D": [int(n) for n in rng.choice([1, 2], 2)] if rng.random() < 0.5 else 2},
        {"GroupPooling": "max"},
        "NormPooling",
        "NormActivation",
        {"PointwiseActivation": str(rng.choice(["relu", "tanh", "softsign"]))},
        "ConcatenatedReLU",
        {"SteerableDense": "2x0" if rng.random() < 0.5 else "1x0 + 1x1"},
        "HarmonicActivation",
        "HarmonicMagnitude",
    ][rng.integers(11)]


def _stock(rng):
    side = [int(n) for n in rng.integers(0, 2, 2)]
    axis = [int(n) for n in rng.choice([-1, 1, 2, 3, 4], rng.integers(1, 3), replace=False)]
    activation = str(rng.choice(["relu", "tanh", "linear", "softmax", "elu", "softsign"]))
    return [
        "ReLU",
        "ELU",
        {"Activation": activation},
        {"Activation": activation},
        {"LeakyReLU": 0.3},
        {"Dropout": 0.4},
        {"GaussianNoise": 0.1},
        {"SpatialDropout2D": 0.3},
        {"PReLU": {"shared_axes": axis} if rng.random() < 0.7 else {}},
        {"Dense": {"units": 3, "use_bias": bool(rng.random() < 0.5), "activation": activation}},
        {"Dense": {"units": 2, "use_bias": False}},
        {"Rescaling": {"scale": 0.5, "offset": float(rng.choice([0.0, 1.0]))}},
        {"Rescaling": {"scale": 2.0}},
        {"LayerNormalization": {"axis": axis, "center": bool(rng.random() < 0.5), "scale": bool(rng.random() < 0.5)}},
        {"GroupNormalization": {"groups": 1, "center": bool(rng.random() < 0.5), "scale": bool(rng.random() < 0.5)}},
        {"BatchNormalization": {"axis": int(rng.choice([-1, 3]))}},
        {"UnitNormalization": {"axis": axis}},
        {"Softmax": {"axis": axis[0]}},
        {"Conv2D": {"filters": 2, "kernel_size": int(rng.choice([1, 1, 3])), **_window(rng)}},
        {"DepthwiseConv2D": {"kernel_size": 1, **_window(rng)}},
        {"Conv2DTranspose": {"filters": 2, "kernel_size": int(rng.choice([1, 1, 2])), **_window(rng)}},
        {"ZeroPadding2D": [side, side] if rng.random() < 0.5 else side},
        {"Cropping2D": [side, side[::-1]] if rng.random() < 0.5 else side},
        "Flatten",
        {"Identity": {}},
    ][rng.integers(25)]


def _end(rng):
    pool = str(rng.choice(["GlobalAveragePooling2D", "GlobalMaxPooling2D"]))
    return [[pool], ["GroupPooling", pool], ["NormPooling", pool], ["HarmonicMagnitude", pool]][rng.integers(4)]


def lenient(layers):
    """The same layers, none of which refuses what breaks its symmetry."""
    return [_lenient(entry) for entry in layers]


def _lenient(entry):
    (name, arguments), *_ = entry.items() if isinstance(entry, dict) else [(entry, {})]
    if name == "parallel":
        branches = [lenient(branch) for branch in arguments["branches"]]
        return {name: {"branches": branches, "merge": _lenient(arguments["merge"])}}
    if not isinstance(arguments, dict):
        arguments = {first_argument(name): arguments}
    return {name: {**arguments, "strict": False}}


def judge(spec, ending, rng):
    """`accepted`, `refused`, `inexact` (passed, yet broken), `false` (refused, yet exact) or `impossible`.

    The last is for networks that cannot be built, whose features are of no known layout, or which claim no symmetry.
    What is refused is measured without its ending: a mean over all of space hides much of what is broken before it.
    """
    walked = trace(load_spec(spec))
    said = not walked.errors
    core = {**spec, "layers": spec["layers"][: len(spec["layers"]) - ending]}
    if not said and ending and trace(load_spec(core)).errors:
        spec = core
    if walked.output is None:
        return "impossible"
    free = {**spec, "layers": lenient(spec["layers"])}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            loose = trace(load_spec(free))
            if loose.errors or loose.claim is None or not keeps_shape(loose.claim, spec["input"]["shape"][:2]):
                return "impossible"
            model = build_from_spec(free)
        except SpecError:
            return "impossible"
    layout = loose.output.layout
    if isinstance(layout, Broken):
        layout = _guess(loose)
    if layout is None:
        return "impossible"
    try:
        exact = measure(model, loose.claim, layout, rng) <= (ROUNDED if rounds_to_float32() else EXACT)
    except Exception:  # a backend has not every operation on six axes or in float64
        return "impossible"
    continuous = not loose.claim.is_finite or "Harmonic" in str(spec)
    if continuous and not said and any(word in str(spec) for word in ON_THE_GRID_ONLY):
        exact = False
    kinds = {(True, True): "accepted", (True, False): "inexact", (False, True): "false", (False, False): "refused"}
    return kinds[said, exact]


def _guess(walked):
    """The layout that the output would have if the layers that broke it had not: that of the last known one's kind."""
    before = [step.features for step in walked.layers if not isinstance(step.features.layout, Broken)]
    if not before or len(before[-1].shape) != len(walked.output.shape):
        return None
    layout, channels = before[-1].layout, walked.output.shape[-1]
    if isinstance(layout, Regular) and walked.output.shape[-2] != layout.size:
        return None
    field_type = getattr(layout, "type", None)
    return layout if field_type is None or field_type.size == channels else None


def measure(model, claim, layout, rng):
    """The largest relative error over the elements of the claimed group that map the grid onto itself."""
    group = claim.on_grid if not claim.is_finite else claim
    for variable in model.weights:
        if "seed" not in variable.path:
            variable.assign(_values(variable, rng))
    x = rng.normal(size=(3, *model.input_shape[1:]))
    errors = ke.equivariance_error(model, group, x, elements="exact", output_layout=layout)
    if np.isnan(list(errors.values())).any():
        raise ValueError("there is nothing to compare")
    return max(errors.values())


def _values(variable, rng):
    drawn = rng.uniform(0.2, 1.0, variable.shape)
    return drawn if "variance" in variable.path else drawn * rng.choice([-1, 1], variable.shape)


def search(count, seed):
    """The kinds of `count` possible networks, and the specs on which the linter is wrong."""
    rng = np.random.default_rng(seed)
    found, wrong = collections.Counter(), []
    policy, floats = keras.config.dtype_policy(), keras.config.floatx()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        while found.total() < count:
            spec, ending = draw(rng)
            kind = judge(spec, ending, rng)
            if kind == "impossible":
                continue
            found[kind] += 1
            if kind in ("inexact", "false"):
                wrong.append((kind, spec["input"]["shape"], spec["layers"]))
            if found.total() % 25 == 0:
                keras.backend.clear_session()
    finally:
        keras.config.set_floatx(floats)
        keras.config.set_dtype_policy(policy)
    return found, wrong


if __name__ == "__main__":
    counted, mistaken = search(int(sys.argv[1]), int(sys.argv[2]))
    print(counted, *mistaken, sep="\n")

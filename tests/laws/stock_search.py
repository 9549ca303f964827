"""Random stock layers with windows over space: what `stock.windows` says of them against what is measured."""

import collections

import keras
import layer_search
import numpy as np

import keras_equivariant as ke
from keras_equivariant.stock import windows
from keras_equivariant.stock.traits import has
from keras_equivariant.utils.checks import tuple_of

SINGLE = 1e-5  # Keras resamples in float32, whatever the precision


def draw(rng):
    """A stock layer, its group and the sizes of its input."""
    rank = 2 if rng.random() < 0.7 else 3
    group = str(rng.choice({2: layer_search.PLANE, 3: layer_search.SPACE}[rank]))
    window = lambda least, most: layer_search._window(rng, rank, least, most, 0.5)  # noqa: E731
    padding = {"padding": str(rng.choice(["valid", "same"]))}
    kinds = ["ZeroPadding", "Cropping", "UpSampling", "Pooling", "Conv", "ConvTranspose"]
    kind = str(rng.choice([*kinds, *(["Resizing", "CenterCrop"] if rank == 2 else [])]))
    if kind in ("Resizing", "CenterCrop"):
        height, width = tuple_of(window(1, 9), 2, "sizes")
        ratio = str(rng.choice(["none", "crop_to_aspect_ratio", "pad_to_aspect_ratio"]))
        chosen = {
            "interpolation": str(rng.choice(["nearest", "bilinear", "bicubic"])),
            **({ratio: True} if "_" in ratio else {}),
        }
        layer = getattr(keras.layers, kind)(height, width, **(chosen if kind == "Resizing" else {}))
        return layer, group, layer_search._sizes(rng, rank)
    if kind in ("ZeroPadding", "Cropping"):
        sides = window(0, 2)
        if rng.random() < 0.5:
            pairs = [tuple(int(n) for n in rng.integers(0, 2, 2)) for _ in range(rank)]
            sides = tuple(pairs if rng.random() < 0.5 else pairs[:1] * rank)
        arguments = {{"ZeroPadding": "padding", "Cropping": "cropping"}[kind]: sides}
    elif kind == "UpSampling":
        arguments = {"size": window(1, 2)}
    elif kind == "Pooling":
        kind = str(rng.choice(["MaxPooling", "AveragePooling"])) if rank == 2 else "UpSampling"
        pooled = {"pool_size": window(1, 3), "strides": window(1, 3), **padding}
        arguments = pooled if rank == 2 else {"size": window(1, 2)}  # TensorFlow pools no volumes of float64
    else:  # of one pixel: a kernel of more has no symmetry
        steps = window(1, 3) if kind == "ConvTranspose" else layer_search._window(rng, rank, 1, 5 - rank, 0.0)
        arguments = {"filters": 1, "kernel_size": 1, "strides": steps, **padding}
    name = kind.replace("Transpose", "") + f"{rank}D" + "Transpose" * kind.endswith("Transpose")
    return getattr(keras.layers, name)(**arguments, dtype="float64"), group, layer_search._sizes(rng, rank)


def search(count, seed):
    """`count` layers that can be called at all, by kind: accepted, refused, inexact or false."""
    rng = np.random.default_rng(seed)
    found, wrong = collections.Counter(), []
    while found.total() < count:
        layer, group, space = draw(rng)
        case = layer_search.Case(layer.__class__.__name__, {}, (layer_search.SAMPLES, *space, 1), "image", group)
        try:
            output = layer.compute_output_shape(case.shape)
            if min(output[1:-1]) < 1:
                continue
            rounding = SINGLE if has(layer, "resizing") else layer_search.EXACT
            exact = layer_search.measure(layer, case, rng, rounding) <= rounding
        except (ValueError, TypeError):
            continue
        said = windows.keeps(layer, space, [ke.groups.get(group)])
        kind = {(True, True): "accepted", (False, False): "refused", (True, False): "inexact"}.get(
            (said, exact), "false"
        )
        found[kind] += 1
        if kind in ("inexact", "false"):
            wrong.append((kind, case.name, layer.get_config(), space, group))
    return wrong, found

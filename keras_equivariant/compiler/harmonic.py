"""What stock layers do to harmonic features, which only complex-linear maps of the channels leave intact."""

import numpy as np

PRODUCER = "HarmonicConv2D"
GROUP = "C4"  # the rotations on which it is exact, and which a network with it claims
_LINEAR = ("Add", "Average", "Identity", "Dropout", "GaussianDropout")
_NORMALIZATIONS = (
    "BatchNormalization",
    "GroupNormalization",
    "LayerNormalization",
    "Normalization",
    "UnitNormalization",
)


def breaks(name, layer, axis):
    """Why a stock layer does not commute with the rotations of complex features, or None.

    Args:
        name: class name.
        layer: the layer, unbuilt.
        axis: its `axis`, -1 or 5 for the channels.
    """
    if name in _LINEAR or (name == "Concatenate" and axis in (-1, 5)):
        return None
    if name in ("Activation", "Dense") and layer.activation.__name__ != "linear":
        return f"{_PREFIX}{name} with an activation acts on real and imaginary parts; use HarmonicActivation"
    if name == "Activation" or (name == "Dense" and not layer.use_bias):
        return None
    if name == "Dense":
        return f"{_PREFIX}a bias does not turn; use use_bias=False, or the bias of HarmonicActivation"
    if name == "Rescaling":
        return None if not np.any(layer.offset) else f"{_PREFIX}an offset does not turn; use offset=0"
    if name in _NORMALIZATIONS:
        return f"{_PREFIX}{name} shifts or scales real and imaginary parts; use HarmonicBatchNormalization"
    if name == "Concatenate":
        return f"must join channels. Received: axis={axis}; use axis=-1"
    remedy = "HarmonicMagnitude before it" if name in ("Flatten", "Reshape", "GroupPooling") else "HarmonicActivation"
    return f"{_PREFIX}{name} acts on real and imaginary parts by themselves; use {remedy}"


def mirrored(name, groups):
    """Why a layer of this name does not commute with the groups of the network: an empty list or one sentence."""
    mirrors = [group.name for group in groups if group.mirrors]
    if name != PRODUCER or not mirrors:
        return []
    return [
        f"{PRODUCER} commutes with rotations, not with the mirrors of {' and '.join(mirrors)}; use a group of "
        'rotations such as "C4" in the other layers'
    ]


_PREFIX = "harmonic features turn as complex numbers, and "

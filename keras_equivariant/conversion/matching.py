"""How wide the twin is: as many parameters, channels or multiplications as the original."""

import math

from keras_equivariant.costs.layers import layer_costs

MATCHES = ("parameters", "channels", "multiply-adds")
_ROUNDS = 4
_CLOSE = 0.02


def matched(match, group, original, build):
    """The twin whose cost is nearest to the original's.

    Args:
        match: one of MATCHES, or the fields for each channel.
        group: the symmetry.
        original: the model to match.
        build: function from fields for each channel to (twin, rows, ...).

    Returns:
        (fields for each channel, what `build` gave).
    """
    if not isinstance(match, str) or match == "channels":
        width = 1 / group.order if match == "channels" else match
        return width, build(width)
    width = 1 / math.sqrt(group.order) if match == "parameters" else 1 / group.order
    wanted, best = cost(original, match), None
    for _ in range(_ROUNDS):
        found = build(width)
        ratio = cost(found[0], match) / max(wanted, 1)
        if not ratio or not wanted:
            return width, found  # nothing is learned, or multiplied
        if best is None or abs(math.log(ratio)) < abs(math.log(best[0])):
            best = ratio, width, found
        if abs(ratio - 1) < _CLOSE or group.order == 1:
            break
        width /= math.sqrt(ratio)
    return best[1:]


def cost(model, match):
    """The trainable parameters of a model, or its multiplications with additions for one example."""
    if match == "parameters":
        return sum(math.prod(v.shape) for v in model.trainable_variables)
    return sum(layer.multiply_adds for layer in layer_costs(model))

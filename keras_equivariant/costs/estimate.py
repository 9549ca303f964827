"""What a network will cost, known before it is trained: `estimate("p4m_resnet")`."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

from keras_equivariant.compiler import SpecError, build_from_spec
from keras_equivariant.compiler.build import load
from keras_equivariant.compiler.grammar.spec import Spec
from keras_equivariant.compiler.linter.linter import trace
from keras_equivariant.costs.layers import LayerCost, layer_costs
from keras_equivariant.utils.text import aligned

_COLUMNS = ("layer", "class", "output", "features", "symmetry", "parameters", "multiply-adds", "activations", "folded")


@dataclasses.dataclass(frozen=True)
class EstimatedLayer:
    """A LayerCost, what its output is, and how far its symmetry is exact on the grid."""

    cost: LayerCost
    features: str
    symmetry: str


@dataclasses.dataclass(frozen=True)
class Estimate:
    """The costs of a network, for one example; `print(estimate)` shows a table.

    Attributes:
        network: its name.
        layers: an EstimatedLayer per layer.
    """

    network: str
    layers: tuple

    @property
    def parameters(self):
        """Trainable parameters."""
        return sum(layer.cost.parameters for layer in self.layers)

    @property
    def multiply_adds(self):
        """Multiplications with additions of a forward pass, in convolutions and matrix products."""
        return sum(layer.cost.multiply_adds for layer in self.layers)

    @property
    def activation_bytes(self):
        """Bytes of all outputs in float32: what a training step keeps for every example, at the most."""
        return sum(layer.cost.activation_bytes for layer in self.layers)

    @property
    def exported_bytes(self):
        """Bytes of the folded weights in float32, at the most: absorbed BatchNormalization counts."""
        return sum(layer.cost.exported_bytes for layer in self.layers)

    def to_dict(self):
        """The estimate as numbers, strings, lists and dicts."""
        layers = [
            {**dataclasses.asdict(layer.cost), "features": layer.features, "symmetry": layer.symmetry}
            for layer in self.layers
        ]
        totals = {name: getattr(self, name) for name in _TOTALS}
        return {"network": self.network, **totals, "layers": layers}

    def __str__(self):
        lines = aligned([_COLUMNS, *(_row(layer) for layer in self.layers)])
        lines.insert(1, "-" * len(max(lines, key=len)))
        totals = (
            f"{self.network}: {self.parameters:,} trainable parameters, {self.multiply_adds:,} multiply-adds, "
            f"{_size(self.activation_bytes)} of activations for each example, "
            f"{_size(self.exported_bytes)} of folded weights"
        )
        return "\n".join([*lines, "", totals])


_TOTALS = ("parameters", "multiply_adds", "activation_bytes", "exported_bytes")


def estimate(source: str | os.PathLike[str] | Mapping[str, Any] | Spec, /, **params: Any) -> Estimate:
    """Builds the network of a spec, without training it, and counts what it costs.

    Args:
        source, **params: as `build_from_spec` takes them.

    Returns:
        An Estimate: parameters, multiply-adds, memory of the activations and size of the folded weights of each layer
        and in all, with the layout or field type of its output and how much of the symmetry is exact on the grid.

    Raises:
        SpecError: a mistake in the spec, as in `build_from_spec`.
        ValueError: a size of the input is unknown.

    Example:
        >>> import keras_equivariant as ke
        >>> ke.estimate("p4_cnn").parameters
        24680
    """
    spec = load(source, params)
    traced = trace(spec)
    if traced.errors:
        raise SpecError(traced.problems)
    about = {layer.layer.name: layer for layer in traced.layers}
    costs = layer_costs(build_from_spec(spec))
    return Estimate(
        spec.name, tuple(EstimatedLayer(cost, *_features(about[cost.name])) for cost in costs if cost.name in about)
    )


def _features(traced):
    features, layout = traced.features, traced.features.layout
    if traced.problems:
        return str(features), "lost"
    return str(features), "" if not layout.moves or layout.group is None else layout.exactness


def _row(layer):
    cost = layer.cost
    shape = " x ".join(map(str, cost.shape))
    sizes = (_size(cost.activation_bytes), _size(cost.exported_bytes))
    numbers = (f"{cost.parameters:,}", f"{cost.multiply_adds:,}", *sizes)
    return (cost.name, cost.kind, shape, layer.features, layer.symmetry, *numbers)


def _size(count):
    for unit in ("B", "KB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"

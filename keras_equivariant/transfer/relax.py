"""relax() and project(): a network whose degree of symmetry is learned, and back to the exact one."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_equivariant.graphs.reading import functional
from keras_equivariant.graphs.rewriting import Rewriter
from keras_equivariant.graphs.weights import DeferredWeights, clone_operation, clone_with
from keras_equivariant.layers.regular.relaxed import Relaxed, relaxes
from keras_equivariant.utils.text import number, share, table


def relax(
    model: keras.Model, penalty: float = 1e-3, layers: str | Sequence[str] | None = None, name: str | None = None
) -> keras.Model:
    """The same function as a network that may unlearn its symmetry where the data have none.

    y = activation(K * x + w R * x + bias) with R = 0 to begin with, and loss + penalty |w R|^2 for each layer

    Args:
        model: a built `keras.Model`; nested and shared models are fine.
        penalty: of the free kernels R: how much symmetry is worth. `certify` and `layers.Relaxed.symmetry_kept` say
            how much training kept.
        layers: name or names of the convolutions and dense layers to relax; None for all that can be.
        name: name of the new model; by default that of `model`.

    Returns:
        A functional `keras.Model`, not compiled, with the numbers of `model`.

    Raises:
        ValueError: no such layer, or none that can be relaxed.

    Example:
        >>> import keras, keras_equivariant as ke
        >>> image = keras.Input((9, 9, 1))
        >>> x = ke.layers.LiftingConv2D(4, 3, group="C4", activation="relu", name="lift")(image)
        >>> relaxed = ke.relax(keras.Model(image, ke.layers.GroupPooling("max")(x)), penalty=1e-2)
        >>> relaxed.get_layer("lift").symmetry_kept
        1.0

    Equivariance: that of `model` to begin with; then as much as training keeps.

    Reference: Finzi, Benton & Wilson, Residual Pathway Priors, arXiv 2112.01388.
    """
    layers = [layers] if isinstance(layers, str) else layers
    walk = _Relaxation(penalty, layers)
    relaxed = walk.run(functional(model, "relaxed"), name or model.name)
    missing = sorted(set(layers or ()) - set(walk.done))
    if not walk.known:
        raise ValueError(
            "What is relaxed are lifting, group and steerable convolutions and SteerableDense, with a fixed basis and "
            f'without antialias. Received: the model "{model.name}" without any. Use such layers in place of harmonic '
            "ones, of points or of learned bases."
        )
    if missing or not walk.done:
        known = ", ".join(walk.known)
        raise ValueError(
            f"`layers` must name convolutions or dense layers that can be relaxed: {known}. Received: layers={layers} "
            f'for the model "{model.name}"'
        )
    return relaxed


@dataclasses.dataclass(frozen=True)
class Projected:
    """What projection took from one layer.

    Attributes:
        name: of the layer.
        kept: how much of the squared norm of its kernel was equivariant.
        removed: norm of what was not, relative to that of the kernel.
        gain: a bound of by how much the layer's output changes, before its activation, for each unit of the norm of its
            input.
    """

    name: str
    kept: float
    removed: float
    gain: float


@dataclasses.dataclass(frozen=True)
class Projection:
    """The exact network of a relaxed one, and what changed: `print(projection)`, `projection.model`.

    Attributes:
        model: the network without free kernels.
        layers: a Projected for each relaxed layer, in order.
        change: how far the outputs for the given inputs moved, relative to their norm; None without inputs.
    """

    model: keras.Model
    layers: tuple[Projected, ...]
    change: float | None = None

    def __str__(self):
        rows = [(one.name, share(one.kept), number(one.removed), number(one.gain)) for one in self.layers]
        lines = table(("layer", "symmetry kept", "removed", "gain of what was removed"), rows)
        if self.change is not None:
            lines.append(f"the outputs change by {number(self.change)} of their norm")
        return "\n".join(lines)


def project(model: keras.Model, inputs: Any = None, name: str | None = None) -> Projection:
    """The nearest exact network of a relaxed one: each kernel projected onto the basis of its layer.

    K' = the orthogonal projection of K + w R onto the basis; |y - y'| <= gain |x| for the layer's output before its
    activation, gain = the sum over the taps of the spectral norms of K + w R - K'

    Args:
        model: a network with `layers.Relaxed`, as `ke.relax` makes it.
        inputs: arrays, on which the change of the outputs is measured; None to leave that out.
        name: name of the new model; by default that of `model`.

    Returns:
        A Projection, of which `model` is the exact network, not compiled.

    Raises:
        ValueError: a model without relaxed layers.

    Example:
        >>> import keras, keras_equivariant as ke
        >>> image = keras.Input((9, 9, 1))
        >>> relaxed = ke.relax(keras.Model(image, ke.layers.LiftingConv2D(4, 3, group="C4", name="lift")(image)))
        >>> projection = ke.project(relaxed)
        >>> projection.layers[0].removed, type(projection.model.get_layer("lift")).__name__
        (0.0, 'LiftingConv2D')

    Equivariance: exact again, where the layers inside are: `certify(projection.model)` says so.

    Reference: the projection onto the equivariant subspace of Finzi et al., arXiv 2112.01388, section 4.
    """
    walk = _Projecting()
    exact = walk.run(functional(model, "projected"), name or model.name)
    if not walk.found:
        raise ValueError(f'A model to project has relaxed layers. Received: "{model.name}" without any; use ke.relax')
    change = None
    if inputs is not None:
        pairs = zip(*(keras.tree.flatten(one.predict(inputs, verbose=0)) for one in (model, exact)), strict=True)
        change = max(float(np.linalg.norm(a - b) / max(np.linalg.norm(a), 1e-30)) for a, b in pairs)
    return Projection(exact, tuple(walk.found), change)


class _Copying(Rewriter):
    """Copies of all layers with their weights; subclasses say in `replaced` what comes instead of some."""

    def __init__(self):
        super().__init__()
        self._made = {}

    def replaced(self, layer, name, shape):
        """A built layer instead of this one; None to copy it."""

    def call(self, operation, args, kwargs):
        if not isinstance(operation, keras.layers.Layer):
            return clone_operation(operation)(*args, **kwargs)
        if id(operation) not in self._made:
            name, shape = self.own_name(operation.name), getattr(args[0], "shape", None)
            new = self.replaced(operation, name, shape)
            if new is None:
                new = DeferredWeights(clone_with(operation, name), operation.get_weights())
            self._made[id(operation)] = operation, new
        return self._made[id(operation)][1](*args, **kwargs)


class _Relaxation(_Copying):
    purpose = "relaxed"

    def __init__(self, penalty, chosen):
        super().__init__()
        self._penalty, self._chosen = penalty, chosen
        self.known, self.done = [], []

    def replaced(self, layer, name, shape):
        if not relaxes(layer):
            return None
        self.known.append(layer.name)
        if self._chosen is not None and layer.name not in self._chosen:
            return None
        self.done.append(layer.name)
        inside = clone_with(layer, f"{name}_exact")
        inside.build(shape)
        inside.set_weights(layer.get_weights())
        return Relaxed(inside, self._penalty, name=name, dtype=layer.dtype_policy)


class _Projecting(_Copying):
    purpose = "projected"

    def __init__(self):
        super().__init__()
        self.found = []

    def replaced(self, layer, name, shape):
        if not isinstance(layer, Relaxed):
            return None
        kept, broken = layer.split_kernel()
        activation = keras.activations.serialize(layer.activation)
        new = layer.projected(kept + broken, name=name, activation=activation)
        whole = max(np.linalg.norm(kept + broken), 1e-30)
        removed = float(np.linalg.norm(broken) / whole) if layer.symmetry_kept < 1.0 else 0.0
        self.found.append(Projected(layer.name, layer.symmetry_kept, removed, layer.gain if removed else 0.0))
        return new

"""convert_basis(): the convolutions of a network on another basis of kernels, and what that loses."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import keras

from keras_equivariant.graphs.reading import functional
from keras_equivariant.graphs.rewriting import Rewriter
from keras_equivariant.graphs.weights import DeferredWeights, clone_operation, clone_with
from keras_equivariant.transfer.convolutions import dense_kernel, fill


def convert_basis(
    model: keras.Model,
    basis: str = "auto",
    layers: Sequence[str] | None = None,
    name: str | None = None,
    **options: Any,
) -> tuple[keras.Model, dict[str, float]]:
    """The same network with the kernels of its convolutions on another basis, as near as that basis comes.

    K' = the orthogonal projection of K onto the new basis; loss = |K' - K| / |K|

    From a band-limited basis to the exact one, which holds every kernel on the pixels, nothing is lost; the other way
    what the rings cannot hold is. Biases and all other layers stay as they are.

    Args:
        model: a built `keras.Model`; nested and shared models are fine.
        basis: that of the new layers, such as `"exact"`, `"steerable"`, `"pdo"` or `"learned"`.
        layers: names of the convolutions to convert; None for all that have a basis.
        name: name of the new model; by default that of `model`.
        **options: further options of the new layers that say what their basis is: `num_rings`, `ring_radii`,
            `ring_width`, `radial_profile`, `frequency_cutoff`, `maximum_order`, `discretization`, `accuracy`,
            `smoothing`. A layer without such an option keeps what it has.

    Returns:
        `(model, losses)`: a functional model, not compiled, and a dict from the layers' names to what each has lost.

    Raises:
        ValueError: no such layer, a basis that the group or the window of a layer does not have, other options.

    Example:
        >>> import keras, keras_equivariant as ke
        >>> image = keras.Input((9, 9, 1))
        >>> x = ke.layers.SteerableConv2D("1x0", "4xregular", 3, group="C4", basis="steerable", name="conv")(image)
        >>> model, losses = ke.convert_basis(keras.Model(image, x), "exact")
        >>> model.get_layer("conv").basis, losses["conv"] < 1e-6
        ('exact', True)

    Equivariance: that of the new basis: on the exact one of the grid's group exact, as before.

    Reference: Weiler & Cesa, arXiv 1911.08251, section 2 (bases of kernels).
    """
    walk = _Conversion(layers, {"basis": basis, **_checked(options)})
    converted = walk.run(functional(model, "converted to another basis"), name or model.name)
    missing = sorted(set(layers or ()) - set(walk.losses))
    if missing or not walk.losses:
        known = ", ".join(walk.known) or "none"
        raise ValueError(
            f"`layers` must name convolutions that have a basis: {known}. Received: layers={layers} for the model "
            f'"{model.name}"'
        )
    return converted, walk.losses


BASIS_OPTIONS = (
    *("num_rings", "ring_radii", "ring_width", "radial_profile", "frequency_cutoff"),
    *("maximum_order", "discretization", "accuracy", "smoothing"),
)


def _checked(options):
    for option in options:
        if option not in BASIS_OPTIONS:
            raise ValueError(
                f"Options must be of the basis: {', '.join(BASIS_OPTIONS)}. Received: {option}={options[option]!r}"
            )
    return options


class _Conversion(Rewriter):
    """Copies of all layers with their weights, the chosen convolutions on the other basis.

    Attributes:
        losses: what each has lost.
        known: names of all layers that have a basis.
    """

    purpose = "converted to another basis"

    def __init__(self, chosen, options):
        super().__init__()
        self._chosen, self._options = chosen, options
        self.losses, self.known, self._made = {}, [], {}

    def call(self, operation, args, kwargs):
        if not isinstance(operation, keras.layers.Layer):
            return clone_operation(operation)(*args, **kwargs)
        if id(operation) not in self._made:
            self._made[id(operation)] = operation, self._layer(operation, args)
        return self._made[id(operation)][1](*args, **kwargs)

    def _layer(self, layer, args):
        name = self.own_name(layer.name)
        if hasattr(layer, "basis") and hasattr(layer, "coefficients"):
            self.known.append(layer.name)
            if self._chosen is None or layer.name in self._chosen:
                return self._converted(layer, name, args[0].shape)
        return DeferredWeights(clone_with(layer, name), layer.get_weights())

    def _converted(self, layer, name, shape):
        declared = inspect.signature(type(layer).__init__).parameters
        options = {key: value for key, value in self._options.items() if key in declared}
        try:
            new = clone_with(layer, name, **options)
        except (TypeError, ValueError) as error:  # Keras wraps what was raised
            raise ValueError(f'The layer "{layer.name}": {error.__context__ or error}') from None
        new.build(shape)
        if layer.bias is not None:
            new.bias.assign(layer.bias)
        self.losses[layer.name] = fill(new, dense_kernel(layer))
        return new

"""What all layers share: registration, the strictness check, and how one becomes stock layers."""

from __future__ import annotations

import contextlib
import functools
import warnings
from typing import Any

import keras

from keras_equivariant.groups import grid
from keras_equivariant.groups.layouts import BreaksSymmetry
from keras_equivariant.layers.core.activations import check_activated
from keras_equivariant.layers.core.law import Lawful
from keras_equivariant.layers.core.losses import LossesInFloatx
from keras_equivariant.layers.core.options import check_given, configuration
from keras_equivariant.layers.core.quantized import quantize_when_built, quantized_inside
from keras_equivariant.layers.core.source_layout import source_groups
from keras_equivariant.ops import window_remedies, windows
from keras_equivariant.stock import making
from keras_equivariant.utils.frames import users_frame

PACKAGE = "keras_equivariant"
register = keras.saving.register_keras_serializable(package=PACKAGE)


class EquivariantLayer(Lawful, LossesInFloatx, keras.layers.Layer):
    """Base of the layers: nobody loses equivariance silently, and every layer can be folded to stock Keras layers.

    A subclass says in `windows` and `window_arguments` how its windows lie over space, adds to `symmetry_problems`
    what else breaks its exact symmetry, calls `check_symmetry` from `build`, and says in `fold` what it is on 4-D
    features. The sizes of every call are judged again, once for each shape: the real ones of an array, the static ones
    while a graph is traced.

    Args:
        strict: raise where the sizes break the exact symmetry; with False warn once instead.
        **kwargs: those of `keras.layers.Layer`.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        check_given(cls, args, kwargs)
        return super().__new__(cls, *args, **kwargs)

    def __init__(self, *, strict: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.strict = strict
        self._source = None  # the group of what comes in, where the layer has none of its own
        self._judged = frozenset()
        self._fitting = frozenset()
        self._has_warned = False

    def __call__(self, *args, **kwargs):
        inputs, *others = (*args, *kwargs.values()) or (None,)
        if self.built and not any(map(keras.ops.is_tensor, others)):
            self._check_shapes(inputs)
        if self._sees_windows:
            self._judge_call(inputs)
        return super().__call__(*args, **kwargs)

    def _check_shapes(self, inputs):
        """ValueError where a layer that is built is used on shapes that it does not take: asked once for each."""
        tensors = inputs if isinstance(inputs, tuple | list) else [inputs]
        shapes = [getattr(tensor, "shape", None) for tensor in tensors]
        if any(shape is None or getattr(shape, "rank", 0) is None for shape in shapes):
            return
        shapes = tuple((None, *tuple(shape)[1:]) for shape in shapes)
        # Channels, and of points their number, may be unknown in a graph: then nobody can tell.
        if shapes in self._fitting or any(shape[-1] is None for shape in shapes):
            return
        with contextlib.suppress(NotImplementedError):
            self.compute_output_shape(list(shapes) if tensors is inputs else shapes[0])
        self._fitting = self._fitting | {shapes}

    def window_arguments(self):
        """The arguments that say how windows lie over space, as `windows` takes them; None for a layer without."""
        return None

    def windows(self, **arguments):
        """One window of `ops.windows` for each axis of space; ValueError for arguments that no layer can have."""
        raise NotImplementedError

    def axis_moves(self):
        """How the elements of the symmetry move the axes of space; every flip and swap where none is known."""
        group = self.group or self._source
        if group is not None and group.dimension != self.rank:
            known = {2: '"D4" or "SO2"', 3: '"O" or "SO3"'}[self.rank]
            raise ValueError(
                f"{type(self).__name__} needs a group that moves the points of {self.rank} axes. Received: "
                f"group={group.name!r}, of {group.dimension}; use one such as {known}"
            )
        return grid.axis_moves(group, dimension=self.rank)

    def window_problem(self, input_shape):
        """What the windows break on inputs of this shape, with remedies that work: a `Problem`, or None."""
        arguments = self.window_arguments()
        if arguments is None:
            return None
        group = self.group or self._source
        name = "a quarter turn" if group is None else group.name
        space = tuple(input_shape[1 : 1 + self.rank])
        return window_remedies.problem(self.windows, arguments, space, self.axis_moves(), name)

    def symmetry_problems(self, input_shape):
        """What breaks the layer's exact symmetry on inputs of this shape: a list of sentences, empty if nothing.

        Unknown sizes (None) count as symmetric where any size is. Works on a layer that is not built.
        """
        problem = self.window_problem(input_shape)
        found = [] if problem is None else [problem.text(self._received(input_shape))]
        return found + self.activation_problems(input_shape)

    def activation_problems(self, input_shape):
        """What of the symmetry an activation breaks that is a Keras layer, as `symmetry_problems` says it."""
        activation = getattr(self, "activation", None)
        if not isinstance(activation, keras.Layer):
            return []
        try:
            layout = self.law(self.expected_layout(input_shape), [input_shape])
            check_activated(activation, layout, self.compute_output_shape(input_shape))
        except BreaksSymmetry as error:
            return [f"its activation {type(activation).__name__}: {error}"]
        return []

    def rotation_problem(self):
        """What makes rotations between those of the grid worse than they need be: a sentence with a remedy, or None."""
        return None

    def symmetry_condition(self, input_shape):
        """On which sizes the exact symmetry holds, where they are unknown and not all are right; else None."""
        arguments = self.window_arguments()
        if arguments is None:
            return None
        space = tuple(input_shape[1 : 1 + self.rank])
        return window_remedies.condition(self.windows, arguments, space, self.axis_moves())

    def check_symmetry(self, input_shape):
        """Raises ValueError, or warns if `strict` is False, where `symmetry_problems` finds any.

        Where sizes are unknown, one warning says which are right.
        """
        asked = self._question(input_shape)
        if asked in self._judged:
            return
        own = f'{type(self).__name__} "{self.name}"'
        problems = self.symmetry_problems(input_shape)
        if problems and self.strict:
            text = f"{own} loses its exact symmetry: " + "; ".join(problems)
            raise ValueError(f"{text}. With strict=False it is built all the same, approximately equivariant")
        if problems:
            text = f"{own} loses its exact symmetry: " + "; ".join(problems)
            self._warn_once(f"{text}. It is only approximately equivariant (strict=False)")
        elif condition := self.symmetry_condition(input_shape):
            self._warn_once(
                f"{own} keeps its exact symmetry only on {condition}. Received: {self._received(input_shape)}; "
                "give the model a fixed input shape, or feed it such sizes only"
            )
        elif found := self.rotation_problem():
            self._warn_once(f"{own} {found}")
        activation = getattr(self, "activation", None)
        if isinstance(activation, keras.Layer) and not activation.built:
            activation.build(self.compute_output_shape(input_shape))
        self._judged = self._judged | {asked}

    def _judge_call(self, inputs):
        shape = getattr(inputs, "shape", None)
        if isinstance(inputs, keras.KerasTensor) and self.group is None:
            found = source_groups(inputs, self.rank)
            self._source = found[0] if len(found) == 1 else None
        if self.built and shape is not None and len(shape) >= self.rank + 2:
            self.check_symmetry(tuple(shape))

    @functools.cached_property
    def _sees_windows(self):
        return self.window_arguments() is not None

    def _question(self, input_shape):
        group = self.group or self._source
        return tuple(input_shape[1:]), None if group is None else group.name

    def _received(self, input_shape):
        group = self.group or self._source
        return f"input_shape={tuple(input_shape)}" + ("" if group is None else f', group="{group.name}"')

    def _warn_once(self, text):
        if not self._has_warned:
            self._has_warned = True
            warnings.warn(text, stacklevel=users_frame())

    def fold(self, input_shape):
        """The stock layers that compute the same on 4-D features (B, H, W, |G| C), group axis slowest.

        Args:
            input_shape: shape of the input in the layer's own layout, with the batch axis.

        Returns:
            A list of steps `(stock layer or function of a tensor, list of weights)`, applied one after the other;
            functions use `keras.ops` only.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot be folded to stock layers")

    # A layer of several tensors has `fold_call(apply, inputs)` instead: it computes its outputs with `keras.ops` and
    # `apply(key, stock_layer, weights, tensor)`, where the key is unique in the layer.

    def get_config(self):
        inside = quantized_inside(self)
        return {**super().get_config(), **configuration(self), **({"quantized": inside} if inside else {})}

    @classmethod
    def from_config(cls, config):
        layer = cls(**{key: value for key, value in config.items() if key != "quantized"})
        if "quantized" in config:
            quantize_when_built(layer, config["quantized"])
        return layer


def stock(stem, rank):
    """What makes the Keras layer of this name for so many axes of space: `stock("Conv", 3)` a `keras.layers.Conv3D`."""
    name = stem.replace("Transpose", "") + f"{rank}D" + "Transpose" * stem.endswith("Transpose")
    return functools.partial(making.make, getattr(keras.layers, name))


def space_rank(layer):
    """Axes of space of the features of a layer, ours or Keras's; None where it does not know."""
    group = getattr(layer, "group", None)
    return getattr(layer, "rank", None) or getattr(group, "dimension", None)


def axis_names(rank):
    """One letter per axis of space: HW in the plane, DHW in space."""
    return windows.AXES[3 - rank :]

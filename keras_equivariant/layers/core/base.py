"""What all layers share: registration, the strictness check, and how one becomes stock layers."""

import os
import pathlib
import sys
import warnings

import keras

from keras_equivariant.ops import convolution

PACKAGE = "keras_equivariant"
register = keras.saving.register_keras_serializable(package=PACKAGE)


class EquivariantLayer(keras.layers.Layer):
    """Base of the layers: nobody loses equivariance silently, and every layer can be folded to stock Keras layers.

    A subclass says in `symmetry_problems` on which sizes its exact symmetry breaks and in `fold` what it is on
    4-D features, and calls `check_symmetry` from `build`.

    Args:
        strict: raise where the sizes break the exact symmetry; with False warn once instead.
        **kwargs: those of `keras.layers.Layer`.
    """

    def __init__(self, *, strict=True, **kwargs):
        super().__init__(**kwargs)
        self.strict = strict

    def symmetry_problems(self, input_shape):
        """What breaks the layer's exact symmetry on inputs of this shape: a list of sentences, empty if nothing.

        Unknown sizes (None) count as symmetric. Works on a layer that is not built.
        """
        return []

    def check_symmetry(self, input_shape):
        """Raises ValueError, or warns if `strict` is False, where `symmetry_problems` finds any."""
        problems = self.symmetry_problems(input_shape)
        if not problems:
            return
        text = f'{type(self).__name__} "{self.name}" loses its exact symmetry: ' + "; ".join(problems)
        if self.strict:
            raise ValueError(f"{text}. With strict=False it is built all the same, approximately equivariant")
        warnings.warn(f"{text}. It is only approximately equivariant (strict=False)", stacklevel=_users_frame())

    def add_loss(self, loss):
        """Adds a regularisation loss, in the precision of the variables; in half precision Keras cannot sum them."""
        super().add_loss(keras.tree.map_structure(lambda term: keras.ops.cast(term, self.variable_dtype), loss))

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
        return {**super().get_config(), "strict": self.strict}


def _users_frame():
    """The `stacklevel` of the first frame that belongs neither to Keras nor to this package, seen from the caller."""
    folders = pathlib.Path(keras.__file__).parent, pathlib.Path(__file__).parents[2]
    libraries = tuple(f"{folder}{os.sep}" for folder in folders)
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(libraries):
        frame, level = frame.f_back, level + 1
    return level


def stock(stem, rank):
    """The stock Keras layer of this name for so many axes of space: `stock("Conv", 3)` is `keras.layers.Conv3D`."""
    return getattr(keras.layers, stem.replace("Transpose", "") + f"{rank}D" + "Transpose" * stem.endswith("Transpose"))


def space_rank(layer):
    """Axes of space of the features of a layer, ours or Keras's; None where it does not know."""
    group = getattr(layer, "group", None)
    return getattr(layer, "rank", None) or getattr(group, "dimension", None)


def axis_names(rank):
    """One letter per axis of space: HW in the plane, DHW in space."""
    return "DHW"[3 - rank :]


def window_problems(axes, argument, padding):
    """Sentences that say on which axes a sliding window is not symmetric, and what would be.

    Args:
        axes: for each axis of space None (nothing moves it) or `(size, window, stride, dilation)`.
        argument: name of the constructor argument that sets the window.
        padding: `"valid"` or `"same"`.
    """
    problems = []
    for window, names in alike(axes).items():
        if not convolution.is_symmetric(*window, padding):
            problems.append(_window_problem(len(axes), names, argument, *window, padding))
    return problems


def alike(axes):
    """Names of the axes that have the same window, as a dict from window to text; None stands for no window."""
    found = {}
    for name, window in zip(axis_names(len(axes)), axes, strict=True):
        if window is not None:
            found.setdefault(window, []).append(name)
    return {w: " and ".join(", ".join(names).rsplit(", ", 1)) for w, names in found.items()}


def _window_problem(rank, names, argument, size, window, stride, dilation, padding):
    sizes = " or ".join(map(str, convolution.symmetric_sizes(size, window, stride, dilation, padding)))
    fixes = [f"size {sizes}"] if sizes else []
    near = [
        k for k in (window - 1, window + 1) if k > 0 and convolution.is_symmetric(size, k, stride, dilation, padding)
    ]
    fixes += [f"{argument}={near[-1]}"] if near else []
    if stride > 1 and argument == "kernel_size":
        fixes.append(f"AveragePooling{rank}D({stride}) before a stride-1 convolution")
    dilated = f", dilation_rate={dilation}" if dilation > 1 else ""
    return (
        f'a window of {window} pixels with strides={stride}{dilated}, padding="{padding}" does not cover the '
        f"{size} pixels of {names} symmetrically; use " + ", or ".join(fixes)
    )

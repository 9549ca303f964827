from __future__ import annotations

from typing import Any

import numpy as np

from keras_equivariant.kernels.samples import symmetrized
from keras_equivariant.layers.core.base import register
from keras_equivariant.layers.core.options import Activation, FieldsLike, GroupLike, Matrix, passed_on
from keras_equivariant.layers.core.sampled import Sampled
from keras_equivariant.layers.core.typed import as_type


@register
class SampledActivation(Sampled):
    """A pointwise activation of values that a matrix of one's own reads off every field.

    y = R activation(S x) for each of n functions x;   R = (S^T S)^-1 S^T where none is given

    Samples that are the same up to 1e-6 count as one, and matrices are rounded to the nearest that the group permutes.
    `FourierActivation` has the samples of functions on the group; this layer takes any, of functions on another space,
    by grids of other kinds, or with other frequencies in the result. Its symmetry is that of the samples.

    Args:
        in_type: field type of n functions. Its channels are S's columns, and the n functions lie fastest: a block holds
            component after component, in each of them copy after copy of an irrep, in each of these n functions.
        samples: the matrix S, `(samples, coefficients)`, the type's size a multiple of its columns.
        group: group name; may be left out where `in_type` is a FieldType.
        activation: name or function.
        out_type: field type of what comes out, as `in_type` by default.
        back: the matrix R, `(coefficients of out_type, samples)`; by default by least squares.
        strict: raise where the exact symmetry is lost; with False warn once.
        **kwargs: those of `keras.layers.Layer`.

    Input shape:
        `(..., D)`

    Output shape:
        `(..., D')`, of type `out_type`

    Equivariance: exact for the elements that permute the samples. On images and volumes those of a continuous group
    that map the pixels onto themselves must, and those of a finite group all; else it raises. For all other elements
    approximate, the better the finer the samples.

    Raises:
        ValueError: matrices that do not fit the types, samples that the group does not permute.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> # 1, cos t and sin t at four angles
        >>> layer = ke.layers.SampledActivation("4x0 + 4x1", [[1, 1, 0], [1, 0, 1], [1, -1, 0], [1, 0, -1]], "SO2")
        >>> layer(np.zeros((1, 9, 9, 12), "float32")).shape
        TensorShape([1, 9, 9, 12])

    Reference: Cesa, Lang & Weiler, A Program to Build E(N)-Equivariant Steerable CNNs, ICLR 2022 (escnn's
    QuotientFourierPointwise).
    """

    def __init__(
        self,
        in_type: FieldsLike,
        samples: Matrix,
        group: GroupLike | None = None,
        activation: Activation = "relu",
        out_type: FieldsLike | None = None,
        back: Matrix | None = None,
        strict: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        if out_type is not None:
            self.out_type = as_type(out_type, group or self.in_type.group, "out_type")
        sampling = _matrix(samples, "samples")
        given = np.linalg.pinv(sampling).T if back is None else _matrix(back, "back").T
        self.functions = self.in_type.size // sampling.shape[1]
        sizes = self.functions * sampling.shape[1], self.functions * given.shape[1]
        if not self.functions or sizes != (self.in_type.size, self.out_type.size) or len(given) != len(sampling):
            raise ValueError(
                "`samples` must be (samples, coefficients) and `back` (coefficients after, samples) of functions each. "
                f"Received: samples of shape {sampling.shape}, back of shape {given.T.shape} for "
                f'in_type="{self.in_type}" of size {self.in_type.size} and out_type="{self.out_type}" of size '
                f"{self.out_type.size}"
            )
        found = symmetrized(sampling, given, self.in_type, self.out_type, self.functions)
        self._sampling, self._back, self._problem = found
        self.samples = self._sampling.tolist()
        self.back = None if back is None and len(sampling) == len(self._sampling) else self._back.T.tolist()


def _matrix(values, argument):
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 2 or not np.isfinite(found).all():
        raise ValueError(f"`{argument}` must be a matrix of numbers. Received: an array of shape {found.shape}")
    return found

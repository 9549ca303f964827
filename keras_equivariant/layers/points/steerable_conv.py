from __future__ import annotations

from typing import Any, Literal

import keras
from keras import ops

from keras_equivariant.groups.spherical import MAX_DEGREE
from keras_equivariant.kernels import default_degree, harmonic_count, point_basis
from keras_equivariant.layers.core.base import register
from keras_equivariant.layers.core.options import (
    Activation,
    ActivationName,
    Constraint,
    Count,
    Counts,
    FieldsLike,
    GroupLike,
    Initializer,
    Regularizer,
    Whole,
    passed_on,
)
from keras_equivariant.layers.core.steerable_weights import bias_size, expand_bias, per_pair, scaled
from keras_equivariant.layers.core.typed import as_type, check_activation
from keras_equivariant.layers.core.weighted import Weighted
from keras_equivariant.layers.points.features import zero_where_absent
from keras_equivariant.layers.points.within_cutoff import WithinCutoff
from keras_equivariant.ops import neighborhoods, solid_harmonics, steerable
from keras_equivariant.utils.checks import tuple_of


@register
class SteerablePointConv(WithinCutoff, Weighted):
    """Convolution from one field type to another on points anywhere, each with neighbors within a smooth cutoff.

    y_i = activation(1/n_i sum_j w(r_ij) K(x_j - x_i) f_j + bias),   K(g x) = rho_out(g) K(x) rho_in(g)^-1

    K(x) = sum_s,l,c W_slc R_s(|x|) C_c Y_l(x / |x|): harmonics Y_l of the direction, every map C_c that couples them to
    the two types (on SO(3) the Clebsch-Gordan coefficients), and radial functions R_s, a small network of Gaussian
    rings; the W are learned. W comes after the sum over the neighbors, so that no kernel is made for any pair.
    n_i = sum_j w(r_ij), which is 1 for a point alone.

    Args:
        in_type, out_type: field types of the values, such as `"8x0 + 4x1"` on SO(3) or `"8x0e + 4x1o"` on O(3).
        group: group name, of the plane or of space; may be left out where the types are FieldTypes.
        radius: of the cutoff, in units of the positions.
        neighbors: how many points the sum has place for, the point itself among them. Where more are within the radius,
            it ends at the first of those that there is no place for.
        max_degree: highest degree (in the plane frequency) of the harmonics; None for the highest of the two types, and
            on finite groups the least that leads to every field.
        num_rings: Gaussian rings of the distance, from 0 to the radius.
        kernel_units: units of the layers of the network that makes the radial functions of the rings, the last one
            without activation; `()` for the rings themselves. The fewer the last has, the less is computed.
        kernel_activation: name of the activation inside it.
        reduction: `"mean"` as above, or `"sum"` without 1/n.
        images: copies of a periodic cell that are looked at on each side, where positions come with one. The radius
            ends at `images` times the least height of the cell.
        chunk_size: points whose neighbors are looked for at a time; chosen by itself where None. Changes no result.
            Of 1,024 points or more they are looked for in cells, in linear time.
        activation: only on types that permute their components, see `PointwiseActivation`.
        use_bias, the initializers, regularizers and constraints: as in `SteerableConv3D`, for the coefficients W.
        strict: raise where the exact symmetry is lost; with False warn once.
        **kwargs: those of `keras.layers.Layer`.

    Input shape:
        positions `(B, N, d)`, values `(B, N, D_in)`, channels component-major, see `FieldType`; mask `(B, N)` of
        booleans. A point with a position that is NaN or infinite counts as one that is not there. In a periodic cell
        positions are `(B, N, d + d d)`: behind its coordinates each point has the d lattice vectors, one after the
        other; a vector of zeros is no period, such as across a slab. All copies of a point within the radius count.

    Output shape:
        positions as they came, values `(B, N, D_out)`, mask `(B, N)`.

    Equivariance: exact for every element of the group and for translations: where positions are moved by x -> g x + t
    and the values multiplied by rho_in(g), those of the output are multiplied by rho_out(g); a cell is rotated with
    them, and each point may be moved by lattice vectors of its own. The order of the points changes the order of the
    output alone, and points that the mask leaves out change nothing. Twice differentiable in
    the positions: directions are x / s, s^2 = |x|^2 + (0.05 radius)^2, which fade where two points meet and are 0 at
    the point itself.

    Raises:
        ValueError: malformed or unknown types, an output field to which no kernel leads, values or positions of
            another shape.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> x, f, mask = np.ones((1, 5, 3), "float32"), np.ones((1, 5, 4), "float32"), np.ones((1, 5), bool)
        >>> layer = ke.layers.SteerablePointConv("4x0", "8x0 + 2x1", group="SO3", radius=3.0)
        >>> [tuple(y.shape) for y in layer([x, f, mask])]
        [(1, 5, 3), (1, 5, 14), (1, 5)]

    Reference: Thomas et al., Tensor field networks, arXiv 1802.08219, section 4.1 (layers), with radial functions that
    all fields share; Gasteiger et al., arXiv 2003.03123, eq. 8 (cutoff).
    """

    def __init__(
        self,
        in_type: FieldsLike,
        out_type: FieldsLike,
        group: GroupLike | None = None,
        radius: float = 2.0,
        neighbors: Count = 32,
        max_degree: Whole | None = None,
        num_rings: Count = 8,
        kernel_units: Counts = (32, 8),
        kernel_activation: ActivationName = "swish",
        reduction: Literal["mean", "sum"] = "mean",
        images: Count = 1,
        chunk_size: Count | None = None,
        activation: Activation | None = None,
        use_bias: bool = True,
        kernel_initializer: Initializer = "glorot_uniform",
        bias_initializer: Initializer = "zeros",
        kernel_regularizer: Regularizer | None = None,
        bias_regularizer: Regularizer | None = None,
        activity_regularizer: Regularizer | None = None,
        kernel_constraint: Constraint | None = None,
        bias_constraint: Constraint | None = None,
        strict: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        self.out_type = as_type(out_type, group or self.in_type.group, "out_type")
        self.max_degree = None if max_degree is None else _degree(max_degree)
        check_activation(self.activation, self.out_type)
        self._functions = self.kernel_units[-1] if self.kernel_units else self.num_rings
        self._degree = default_degree(self.in_type, self.out_type) if max_degree is None else self.max_degree
        # A radial function more is a copy more of every field that comes in.
        self._basis = scaled(point_basis(self._functions * self.in_type, self.out_type, self._degree))
        self._add_kernel_layers([kernel_activation] * (len(self.kernel_units) - 1) + [None] * bool(self.kernel_units))

    def build(self, input_shape):
        self._build_kernel_layers(input_shape, self.num_rings)
        self._add_kernel((self._basis.size,), per_pair(self.kernel_initializer, list(self._basis.shapes.values())))
        self._add_bias(bias_size(self.out_type))

    def call(self, inputs):
        positions, mask, summed = self._summed(inputs, self._by_itself)
        y = summed @ ops.cast(self.expanded_kernel(), self.compute_dtype)
        if self.bias is not None:
            y = ops.add(y, ops.cast(expand_bias(ops.convert_to_tensor(self.bias), self.out_type), self.compute_dtype))
        return positions, zero_where_absent(self.activation(y), mask), mask

    def _summed(self, inputs, dense):
        """Positions, mask and sum_j w Y R f_j, `(B, N, D_in harmonics functions)`."""
        positions, mask, found, offsets, weights = self._neighbors(inputs)
        direction, distance = solid_harmonics.softened(offsets, self.radius)
        harmonics = ops.stack(solid_harmonics.solid_harmonics(direction, self._degree), axis=-1)
        radial = self._kernel_of(solid_harmonics.gaussian_rings(distance / self.radius, self.num_rings), dense)
        harmonics = ops.cast(ops.expand_dims(weights, -1) * harmonics, radial.dtype)
        kernel = ops.expand_dims(harmonics, -1) * ops.expand_dims(radial, -2)
        kernel = ops.reshape(kernel, (-1, *kernel.shape[1:3], kernel.shape[3] * kernel.shape[4]))
        values = zero_where_absent(ops.cast(inputs[1], self.compute_dtype), mask)
        around = neighborhoods.take(values, found)
        summed = ops.swapaxes(around, -1, -2) @ ops.cast(kernel, values.dtype)
        return positions, mask, ops.reshape(summed, (-1, summed.shape[1], summed.shape[2] * summed.shape[3]))

    def expanded_kernel(self):
        """The kernel of the equal stock Dense layer behind the sum over neighbors, `(rows, D_out)`."""
        kernel = steerable.expand(ops.convert_to_tensor(self.kernel), self._basis)  # (harmonics, D_in functions, D_out)
        kernel = ops.reshape(kernel, (kernel.shape[0], self.in_type.size, -1, self.out_type.size))
        return ops.reshape(ops.transpose(kernel, (1, 0, 2, 3)), (-1, self.out_type.size))

    def expanded_size(self, channels):
        """How many numbers `expanded_kernel` holds."""
        return harmonic_count(self.group.dimension, self._degree) * self._functions * channels * self.out_type.size

    def compute_output_shape(self, input_shape):
        positions, values, mask = self.checked_shapes(input_shape, None)
        return positions, (*values[:2], self.out_type.size), mask

    def fold_call(self, apply, inputs):
        positions, mask, summed = self._summed(inputs, self._folded(apply))
        linear = keras.layers.Dense(self.out_type.size, self.activation, self.bias is not None, name=self.name)
        bias = [] if self.bias is None else [expand_bias(ops.convert_to_tensor(self.bias), self.out_type)]
        y = apply("linear", linear, [self.expanded_kernel(), *bias], summed)
        return positions, zero_where_absent(y, mask), mask


def _degree(value):
    (degree,) = tuple_of(value, 1, "max_degree", minimum=0)
    if degree > 2 * MAX_DEGREE:
        raise ValueError(f"`max_degree` must be at most {2 * MAX_DEGREE}. Received: max_degree={value}")
    return degree

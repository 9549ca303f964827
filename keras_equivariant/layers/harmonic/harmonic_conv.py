from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_equivariant.groups.layouts import BreaksSymmetry, Harmonic, Image, WrongFeatures, received
from keras_equivariant.kernels import ring_basis
from keras_equivariant.kernels.orbits import shared_over_orbits
from keras_equivariant.layers.core.base import register
from keras_equivariant.layers.core.options import (
    Constraint,
    Count,
    DataFormat,
    Initializer,
    Padding,
    PaddingMode,
    Regularizer,
    Size,
    Whole,
    passed_on,
)
from keras_equivariant.layers.core.windowed_conv import WindowedConv
from keras_equivariant.layers.harmonic.features import GRID_GROUP, orders_and_fields
from keras_equivariant.ops import harmonic
from keras_equivariant.utils.checks import positive, tuple_of

_NOT_HERE = ("activation", "use_bias", "bias_initializer", "bias_regularizer", "bias_constraint")


@register
class HarmonicConv2D(WindowedConv):
    """Convolution of complex features with circular harmonics, equivariant to rotations.

    y_n = sum over m of W_{n-m} * x_m,  W_m(r, phi) = R_m(r) e^{i (m phi + beta_m)},  W_{-m} = conj(W_m)

    for the orders n = 0..max_order of the output and m of the input. The radial profile R (a coefficient for each of
    `num_rings` rings) and the phase beta of each |n - m| and each pair of channels are learned. There is no bias: it
    would not rotate with the features of orders above 0; order 0 gets one from the activation.

    Args:
        filters: output channels of each order.
        kernel_size: side of the square kernel.
        max_order: highest order of the output; that of the input follows from its shape.
        strides, padding, dilation_rate: as in `keras.layers.Conv2D`.
        padding_mode: what `padding="same"` pads with: `"zeros"`, `"circular"`, `"reflect"` or `"replicate"`.
        data_format: `"channels_last"` only.
        use_phase: learn the phases; without, they are 0.
        num_rings: rings of each order; None for `max(kernel_size // 2, 2)`. Orders above 0 start at radius 1, all end
            at `num_rings - 1/2` or at the outermost pixel centers, whichever is nearer. Rings that coincide are one.
        ring_width: standard deviation in pixels of the Gaussian that spreads the rings over the pixels.
        kernel_initializer: of the coefficients, `(rings of all orders, C, filters)`. Their functions have norm 1, so
            that `"lecun_normal"` keeps the variance of white features, independent from pixel to pixel; the
            nonlinearities, which act on magnitudes, keep most of it. Smooth features grow, at most, where they are
            constant, to about four times the mean square by a layer of 5x5 pixels, and what a few convolutions have
            made is smooth: seven such layers in a row make several hundred times the mean square of white features.
            HarmonicBatchNormalization between them keeps the scale.
        phase_initializer: of the phases, `(orders, C, filters)`; None draws them from the whole circle.
        kernel_regularizer, phase_regularizer, kernel_constraint, phase_constraint: as their names say.
        strict: raise where the sizes break the exact symmetry under quarter turns; with False warn once.

    Input shape:
        An image `(B, H, W, C)`, real and of order 0, or harmonic features `(B, H, W, M+1, 2, C)`: orders 0..M, real and
        imaginary part.

    Output shape:
        `(B, H', W', max_order+1, 2, filters)`

    Equivariance: if the input rotates by t, order m of the output rotates with it and is multiplied by e^{i m t}. Exact
    for quarter turns on sizes that the windows cover symmetrically, other sizes raise; approximate for other angles,
    the better the smoother the input. Mirror images have no such law.

    Raises:
        ValueError: a bias or an activation, a kernel that is not square or too small for an order, sizes that break the
            exact symmetry, an input that is neither an image nor harmonic.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> x = ke.layers.HarmonicConv2D(8, 5)(np.zeros((1, 28, 28, 1), "float32"))
        >>> ke.layers.HarmonicConv2D(16, 5, max_order=2)(x).shape
        TensorShape([1, 20, 20, 3, 2, 16])

    Reference: Worrall et al., arXiv 1612.04642, sections 4.1 and 5. The rings stay inside the window, the imaginary
    part of the filters of order 0 counts, and no coefficients are kept for negative orders.
    """

    def __init__(
        self,
        filters: Count,
        kernel_size: Size,
        max_order: Whole = 1,
        strides: Size = 1,
        padding: Padding = "valid",
        data_format: DataFormat | None = None,
        dilation_rate: Size = 1,
        use_phase: bool = True,
        num_rings: Count | None = None,
        ring_width: float = 0.5,
        kernel_initializer: Initializer = "lecun_normal",
        phase_initializer: Initializer | None = None,
        kernel_regularizer: Regularizer | None = None,
        phase_regularizer: Regularizer | None = None,
        kernel_constraint: Constraint | None = None,
        phase_constraint: Constraint | None = None,
        padding_mode: PaddingMode = "zeros",
        strict: bool = True,
        **kwargs: Any,
    ) -> None:
        for name in _NOT_HERE:
            if name in kwargs:
                raise ValueError(
                    "HarmonicConv2D has neither bias nor activation, for these must act on magnitudes. "
                    f"Received: {name}={kwargs[name]!r}; put a HarmonicActivation behind it"
                )
        super().__init__(**passed_on(locals()), use_bias=False)
        _check_square(self.kernel_size)
        self.filters = positive(filters, "filters")
        self.max_order = tuple_of(max_order, 1, "max_order", minimum=0)[0]
        self.use_phase = bool(use_phase)
        self.num_rings = None if num_rings is None else positive(num_rings, "num_rings")
        self.ring_width = _check_width(ring_width)
        if phase_initializer is None:
            phase_initializer = keras.initializers.RandomUniform(0.0, 2 * math.pi)
        self.phase_initializer = keras.initializers.get(phase_initializer)
        self.phase_regularizer = keras.regularizers.get(phase_regularizer)
        self.phase_constraint = keras.constraints.get(phase_constraint)
        self.group = GRID_GROUP  # on which the law is exact

    def check_kernel(self, kernel_size):
        _check_square(kernel_size)
        if kernel_size < self.kernel_size:
            raise ValueError(f"A smaller kernel may not reach every order. Received: kernel_size={kernel_size}")

    def build(self, input_shape):
        orders, fields = self._orders_and_fields(input_shape)
        self.compute_output_shape(input_shape)
        self.check_symmetry(input_shape)
        self.basis = self._ring_basis(orders or 1)
        self._filters, self._signs = _routes(self.basis.orders, orders, self.max_order + 1)
        self._add_kernel((self.basis.size, fields, self.filters))
        self.phase = None
        if self.use_phase:
            self.phase = self.add_weight(
                name="phase",
                shape=(len(self.basis.orders), fields, self.filters),
                initializer=self.phase_initializer,
                regularizer=self.phase_regularizer,
                constraint=self.phase_constraint,
                autocast=False,
            )
        axes = {3: orders, 4: 2, 5: fields} if orders else {3: fields}
        self.input_spec = keras.layers.InputSpec(ndim=6 if orders else 4, axes=axes)

    def call(self, inputs):
        shape = ops.shape(inputs)
        x = ops.reshape(inputs, (*shape[:3], math.prod(inputs.shape[3:])))
        y = self._convolve(x, self.expanded_kernel())
        return ops.reshape(y, (*ops.shape(y)[:3], self.max_order + 1, 2, self.filters))

    def expanded_kernel(self):
        """The kernel of the equal stock convolution, (*kernel_size, (M+1) 2 C, (max_order+1) 2 F)."""
        phase = None if self.phase is None else ops.convert_to_tensor(self.phase)
        kernel = harmonic.expand(
            ops.convert_to_tensor(self.kernel), phase, self.basis.basis, self._filters, self._signs
        )
        return ops.reshape(kernel, (*self.kernel_size, *kernel.shape[1:]))

    def expanded_bias(self):
        """The bias of the equal stock convolution: zeros."""
        return ops.zeros(((self.max_order + 1) * 2 * self.filters,), dtype=self.variable_dtype)

    def fold(self, input_shape):
        orders, fields = self._orders_and_fields(input_shape)
        rho_in, rho_out = _representation(orders, fields), _representation(self.max_order + 1, self.filters)
        return [
            (step, [shared_over_orbits(ops.convert_to_numpy(weights[0]), self.group, rho_in, rho_out), *weights[1:]])
            if weights
            else (step, weights)
            for step, weights in super().fold(input_shape)
        ]

    def compute_output_shape(self, input_shape):
        orders, _ = self._orders_and_fields(input_shape)
        self._check_reached(self._ring_basis(orders or 1).orders, orders or 1)
        space = self._sizes_after(input_shape[1:3])
        return (input_shape[0], *space, self.max_order + 1, 2, self.filters)

    @classmethod
    def claimed_group(cls, arguments):
        """The quarter turns, on which the layer is exact."""
        return GRID_GROUP.name

    def check_features(self, layout, shapes):
        if not isinstance(layout, Image | Harmonic):
            raise WrongFeatures(f"takes an image or harmonic features. {received(layout, shapes[0])}")
        self._check_rank(layout, tuple(shapes[0]))

    def law(self, layout, shapes):
        found, group = Harmonic(self.max_order + 1), layout.group
        if group is not None and group.mirrors:
            raise BreaksSymmetry(
                f"{type(self).__name__} commutes with rotations, not with the mirrors of {group.name}",
                'use a group of rotations such as "C4" in the other layers',
                layout=found,
            )
        return found

    def expected_layout(self, shape):
        return Image(self.group) if len(shape) == 4 else Harmonic(shape[3])

    def _orders_and_fields(self, input_shape):
        """(M + 1, C) of the input, (None, C) of an image."""
        if len(input_shape) == 4 and input_shape[-1] is not None:
            return None, input_shape[-1]
        return orders_and_fields("Apart from images (B, H, W, C), HarmonicConv2D", input_shape)

    def _ring_basis(self, orders):
        size = self.kernel_size[0]
        rings = max(size // 2, 2) if self.num_rings is None else self.num_rings
        return ring_basis(size, max(orders - 1, self.max_order), rings, self.ring_width)

    def _check_reached(self, available, orders):
        for n in range(self.max_order + 1):
            if not any(abs(n - m) in available for m in range(orders)):
                raise ValueError(
                    f"Order {n} of the output must be reached by filters that fit into the kernel. "
                    f"Received: kernel_size={self.kernel_size[0]}, max_order={self.max_order}, input orders "
                    f"0..{orders - 1}; use kernel_size={max(2, n - orders + 2)} or larger, or a lower max_order"
                )

    def get_config(self):
        return {name: value for name, value in super().get_config().items() if name not in _NOT_HERE}


def _routes(available, orders_in, orders_out):
    """Which filter leads from each (order, part) of the input to each of the output, and with which sign.

    Args:
        available: orders that have filters, the rows of the basis.
        orders_in: number of orders of the input; None for an image, which is real.
        orders_out: number of orders of the output.

    Returns:
        `(filters, signs)` as `ops.harmonic.expand` takes them.
    """
    sources = [(0, 0)] if orders_in is None else [(m, part) for m in range(orders_in) for part in (0, 1)]
    targets = [(n, part) for n in range(orders_out) for part in (0, 1)]
    filters, signs = np.zeros((2, len(sources), len(targets)), int)
    for i, (m, part_in) in enumerate(sources):
        for o, (n, part_out) in enumerate(targets):
            if abs(n - m) not in available:
                continue
            imaginary = part_in != part_out
            filters[i, o] = 2 * available.index(abs(n - m)) + imaginary
            # The real part takes -b W_im; conj(W) has the imaginary part -W_im.
            signs[i, o] = (-1 if imaginary and part_in else 1) * (-1 if imaginary and n < m else 1)
    return filters, signs.astype(float)


def _representation(orders, fields):
    """The function from a rotation's matrix to how it mixes the channels (order, part, field); None is an image."""

    def rho(matrix):
        if orders is None:
            return np.eye(fields)
        angle = math.atan2(matrix[1, 0], matrix[0, 0])
        matrix_of_angle = np.zeros((2 * orders, 2 * orders))
        for m in range(orders):
            cos, sin = math.cos(m * angle), math.sin(m * angle)
            matrix_of_angle[2 * m : 2 * m + 2, 2 * m : 2 * m + 2] = [[cos, -sin], [sin, cos]]
        return np.kron(matrix_of_angle, np.eye(fields))

    return rho


def _check_square(size):
    if size[0] != size[1]:
        raise ValueError(
            "`kernel_size` must be square, for its rings are round. "
            f"Received: kernel_size={size}; use kernel_size={max(size)}"
        )


def _check_width(width):
    if not isinstance(width, (int, float)) or isinstance(width, bool) or width <= 0:
        raise ValueError(f"`ring_width` must be a positive number of pixels. Received: ring_width={width!r}")
    return float(width)

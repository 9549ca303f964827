from typing import Any

import keras
from keras import ops

from keras_equivariant.groups.layouts import Invariant, Vectors
from keras_equivariant.groups.registry import is_lie_name, plain_name
from keras_equivariant.layers.core.base import EquivariantLayer, register
from keras_equivariant.layers.core.options import Anything, GroupLike, passed_on
from keras_equivariant.layers.points.features import OnPoints, arithmetic, checked_group
from keras_equivariant.ops.frames import centered, weighted_frames


@register
class FrameAveraging(OnPoints, EquivariantLayer):
    """A network on points made exactly equivariant to rigid motions, and kept continuous: a mean over frames.

    y = sum over frames R of w_R network(R^-1 (x - mean of x)),  with `vectors`  sum of w_R R network(R^-1 (x - mean))

    The frames stand on the points themselves: the first axis leads from the mean to a point i, in space the second one
    into the plane of a point j, so that there are N frames in the plane and N (N - 1) in space. A frame weighs as much
    as its axes are sure: |x_i|, and in space |x_i| times the distance of j from the first axis, normalized over j. So
    no frame jumps while it has a weight: y is continuous wherever the network is, for symmetric molecules and for
    those on a line, too, where single frames, such as principal axes, are not. On a line, and where a point lies in the
    mean, it may have a kink, as the length of a vector has at 0; its gradient there is the mean of both sides. (Vectors
    of points on a line are those along it; what a network adds across it depends on an axis that is any, and is no
    function of the points.)

    Args:
        network: a model or layer of [positions `(B, N, d)`, values `(B, N, C)`, mask `(B, N)`] with one output
            `(B, D)`, that needs no symmetry of its own; the order of the points must not matter to it.
        group: `"SE2"` or `"SE3"`.
        vectors: whether the output is vectors, components first: channel i C + c is component i of vector c.
        strict: raise where the exact symmetry is lost; with False warn once.
        **kwargs: those of `keras.layers.Layer`.

    Input shape:
        positions `(B, N, d)`, values `(B, N, C)`, mask `(B, N)`. A point with a position that is NaN or infinite counts
        as one that is not there.

    Output shape:
        `(B, D)`, as that of the network.

    Equivariance: exact for every g of the group. It costs as much as the network on as many sets of points as there are
    frames: it is for small molecules.

    Raises:
        ValueError: another group, an output that is not `(B, D)`, shapes that are no points.

    Example:
        >>> import keras, numpy as np, keras_equivariant as ke
        >>> x, f, mask = keras.Input((5, 3)), keras.Input((5, 2)), keras.Input((5,), dtype="bool")
        >>> y = ke.layers.LieConv(4, "T3")(ke.layers.LieLift("T3")([x, f, mask]))
        >>> network = keras.Model([x, f, mask], ke.layers.LiePooling("sum")(y))
        >>> points = np.ones((1, 5, 3), "float32"), np.ones((1, 5, 2), "float32"), np.ones((1, 5), bool)
        >>> ke.layers.FrameAveraging(network, "SE3")(list(points)).shape
        TensorShape([1, 4])

    Reference: Dym et al., arXiv 2402.16077 (weighted frames); Puny et al., arXiv 2110.03336.
    """

    takes_positions = True

    def __init__(
        self, network: Anything, group: GroupLike, vectors: bool = False, strict: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(**passed_on(locals()))
        self.network = network
        self.vectors = bool(vectors)
        if plain_name(getattr(group, "name", group)) not in ("se2", "se3"):
            remedy = "use LieLift, which needs no frames" if is_lie_name(group) else "use one of them"
            raise ValueError(
                '`group` must be "SE2" or "SE3", of rotations about any point and no mirrors. '
                f"Received: group={group!r}; {remedy}"
            )
        self.group = checked_group(group)

    def build(self, input_shape):
        self.compute_output_shape(input_shape)

    def call(self, inputs, training=None):
        positions, values, mask = inputs
        positions, mask = self.present(positions, mask)
        planes = centered(positions, mask)
        rotation, weights, lines = weighted_frames(planes, mask)
        own = arithmetic(self.group)
        back = tuple(ops.expand_dims(x, -1) for x in own.inverse(rotation))
        seen = own.rotate(back, tuple(ops.expand_dims(p, 1) for p in planes))
        if lines is not None:  # 0 across a line; forces across it would follow an axis that means nothing
            seen = (seen[0], *(ops.where(ops.expand_dims(lines, -1), ops.zeros_like(p), p) for p in seen[1:]))
        seen = ops.stack(seen, axis=-1)
        count = seen.shape[1]
        seen = ops.reshape(seen, (-1, *seen.shape[2:]))
        y = self.network([seen, ops.repeat(values, count, axis=0), ops.repeat(mask, count, axis=0)], training=training)
        y = ops.reshape(y, (-1, count, y.shape[-1]))
        if self.vectors:
            parts = tuple(self.full(part) for part in ops.split(y, len(planes), axis=-1))
            rotated = own.rotate(tuple(ops.expand_dims(x, -1) for x in rotation), parts)
            y = ops.cast(ops.concatenate(rotated, axis=-1), y.dtype)
        return ops.sum(y * ops.cast(ops.expand_dims(weights, -1), y.dtype), axis=1)

    def compute_output_shape(self, input_shape):
        shapes = self.checked_shapes(input_shape, self.group.dimension)
        found = tuple(self.network.compute_output_shape([(None, *shape[1:]) for shape in shapes]))
        if len(found) != 2 or (self.vectors and found[1] % self.group.dimension):
            raise ValueError(
                "`network` must give one row of numbers for each set of points, and with `vectors` as many as fill "
                f"vectors. Received: outputs of shape {found}; end it with LiePooling"
            )
        return (shapes[0][0], found[1])

    def law(self, layout, shapes):
        return Vectors(self.group) if self.vectors else Invariant()

    def get_config(self):
        network = keras.saving.serialize_keras_object(self.network)
        return {**super().get_config(), "network": network, "group": self.group.name, "vectors": self.vectors}

    @classmethod
    def from_config(cls, config):
        return super().from_config({**config, "network": keras.saving.deserialize_keras_object(config["network"])})

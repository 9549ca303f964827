from __future__ import annotations

from typing import Any, Literal

from keras_equivariant.groups import FieldType
from keras_equivariant.layers.core.activations import activation_of
from keras_equivariant.layers.core.base import register
from keras_equivariant.layers.core.fiberwise import BiasedActivation
from keras_equivariant.layers.core.options import (
    Activation,
    Constraint,
    FieldsLike,
    GroupLike,
    Initializer,
    Regularizer,
    passed_on,
)
from keras_equivariant.layers.core.typed import as_type, scalar_blocks
from keras_equivariant.ops import activations
from keras_equivariant.utils.checks import check_choice


@register
class GatedActivation(BiasedActivation):
    """Fields scaled by gates, numbers that scalar fields give; the other scalars get an activation.

    y_i = gate(s_i + b_i) v_i for the i-th field v_i that is no scalar;  y = activation(x + b) for the other scalars

    The first scalars of the type are the gates, as many as there are other fields; they do not come out. With
    scalars="gate" the other scalars have gates, too: y_i = gate(s_i + b_i) v_i for every field v_i.
    `GatedActivation.in_type_for(out_type)` is the type with the gates that the convolution before must give.

    Args:
        in_type: field type of the features, gates included, such as `"12x0 + 4x1"` for 8 scalars and 4 gated vectors.
        group: group name; may be left out where `in_type` is a FieldType.
        gate: name or function, applied to the gates.
        activation: name or function, applied to the other scalars.
        use_bias: learn the bias b, one per scalar, with scalars="gate" one per gate; a convolution before has one
            already.
        bias_initializer, bias_regularizer, bias_constraint: as in `keras.layers.Dense`.
        strict: raise where the exact symmetry is lost; with False warn once.
        scalars: what the scalars that are no gates get: `"activation"`, or `"gate"` for a gate each.
        **kwargs: those of `keras.layers.Layer`.

    Input shape:
        `(..., D)`

    Output shape:
        `(..., D - gates)`, of type `out_type`

    Equivariance: exact for every element on every size: the gates are invariant.

    Raises:
        ValueError: a type with fewer scalars than gates are needed, features of another type, another word for
            `scalars`.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> layer = ke.layers.GatedActivation("12x0 + 4x1", group="SO2")
        >>> print(layer.in_type_for("8x0 + 4x1", "SO2"), "->", layer.out_type)
        12x0 + 4x1 -> 8x0 + 4x1
        >>> layer(np.zeros((1, 9, 9, 20), "float32")).shape
        TensorShape([1, 9, 9, 16])

    Reference: Weiler et al., arXiv 1807.02547, section 4.
    """

    def __init__(
        self,
        in_type: FieldsLike,
        group: GroupLike | None = None,
        gate: Activation = "sigmoid",
        activation: Activation = "relu",
        use_bias: bool = False,
        bias_initializer: Initializer = "zeros",
        bias_regularizer: Regularizer | None = None,
        bias_constraint: Constraint | None = None,
        strict: bool = True,
        scalars: Literal["activation", "gate"] = "activation",
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        self.gate = activation_of(gate, alone=True)
        self.scalars = check_choice(scalars, "scalars", ("activation", "gate"))
        self._kept = _without_gates(self.in_type, self.scalars)
        terms = zip(self._kept, self.in_type.terms, strict=True)
        self.out_type = FieldType(
            self.group, tuple((n if kept is None else kept, name) for kept, (n, name) in terms if kept != 0)
        )
        gates = self.in_type.fields - self.out_type.fields
        self.bias_size = gates if self.scalars == "gate" else _scalars(self.in_type)

    @staticmethod
    def in_type_for(out_type, group=None, scalars="activation"):
        """The type that the layer takes to give `out_type`: with one more scalar in front for each gated field.

        Args:
            out_type: field type.
            group: group name; may be left out where `out_type` is a FieldType.
            scalars: as the layer's.
        """
        out_type = as_type(out_type, group, "out_type")
        ungated = 0 if scalars == "gate" else _scalars(out_type)
        return _with_gates(out_type, out_type.fields - ungated)

    def compute(self, x, bias=None, training=False):
        activation = None if self.scalars == "gate" else self.activation
        return activations.gate(x, bias, self.layout, self._kept, self.gate, activation, training)


def _scalars(field_type):
    blocks = zip(field_type.blocks, scalar_blocks(field_type), strict=True)
    return sum(block.multiplicity for block, scalar in blocks if scalar)


def _with_gates(field_type, gates):
    if not gates:
        return field_type
    ((_, name),) = FieldType.scalars(gates, field_type.group).terms
    (first, known), *rest = field_type.terms
    terms = [(gates + first, name), *rest] if known == name else [(gates, name), (first, known), *rest]
    return FieldType(field_type.group, tuple(terms))


def _without_gates(field_type, how):
    """For each block None where its fields are gated, else the number of scalars that are no gates."""
    scalars = scalar_blocks(field_type)
    found, gates = _scalars(field_type), field_type.fields - _scalars(field_type)
    if how == "gate":
        total, gates = field_type.fields, (field_type.fields + 1) // 2
        if total % 2 or found < gates:
            raise ValueError(
                'GatedActivation with scalars="gate" needs one scalar field, in front, for each other field, scalars '
                f'included. Received: in_type="{field_type}" with {found} scalars of {total} fields; use '
                'GatedActivation.in_type_for(out_type, scalars="gate")'
            )
    elif found < gates:
        raise ValueError(
            f"GatedActivation needs one scalar field for each field that is none, {gates} here. "
            f'Received: in_type="{field_type}" with {found} scalars; use '
            f'in_type="{_with_gates(field_type, gates - found)}", or GatedActivation.in_type_for(out_type)'
        )
    kept = []
    for block, scalar in zip(field_type.blocks, scalars, strict=True):
        used = min(gates, block.multiplicity) if scalar else 0
        gates -= used
        kept.append(block.multiplicity - used if scalar else None)
    return tuple(kept)

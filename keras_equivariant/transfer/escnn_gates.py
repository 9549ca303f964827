"""The gated nonlinearities of escnn: gates in front, in a tensor of their own, or in every field."""

import keras
import numpy as np

from keras_equivariant import layers as L
from keras_equivariant.groups import FieldType
from keras_equivariant.transfer.escnn_channels import moved
from keras_equivariant.transfer.escnn_step import NotHere


def gated(step):
    """GatedNonLinearity1: gates are taken in their order by the gated fields from the smallest to the largest."""
    step.plain(drop_gates=True)
    starts = np.cumsum([0, *step.dims])
    gates = step.options["gates"]
    fields = [np.arange(*ends) for ends in zip(starts[:-1], starts[1:], strict=True) if ends[0] not in gates]
    return _gated(step, step.before, gates, fields, sizes_first=True)


def gated_by_another(step):
    """GatedNonLinearity2: two tensors, the gates and the fields."""
    (gates, change, _), (fields, other, _) = step.parts
    joined = FieldType(gates.group, (*gates.terms, *fields.terms))
    both = np.zeros((joined.size, joined.size))
    both[: gates.size, : gates.size], both[gates.size :, gates.size :] = change, other
    starts = gates.size + np.cumsum([0, *step.part_dims[1]])
    apart = [np.arange(*ends) for ends in zip(starts[:-1], starts[1:], strict=True)]
    layers, set_weights = _gated(step, (joined, both), list(range(gates.size)), apart, sizes_first=True)
    return [keras.layers.Concatenate(name=f"{step.layer_name}_joined"), *layers], set_weights


def gated_within(step):
    """GatedNonLinearityUniform: each field begins with one gate for each of its irreps."""
    members = step.arrays["expansion"]  # (components behind the gates, gates)
    size, number = members.shape[0] + members.shape[1], members.shape[1]
    gates, fields = [], []
    for start in range(0, step.type.size, size):
        gates += range(start, start + number)
        fields += [start + number + np.flatnonzero(members[:, i]) for i in range(number)]
    return _gated(step, step.before, gates, fields, gate=step.function)


def _gated(step, before, gates, fields, sizes_first=False, gate="sigmoid"):
    """A GatedActivation between what puts the gates in front and what puts the fields where they were.

    Args:
        before: `(FieldType, change of basis)` of the features.
        gates: their channels there.
        fields: for each gated field its channels there, in the order of the features.
        sizes_first: gates are taken by small fields before large ones, else in the order of the fields.
    """
    field_type, change = before[:2]
    order = np.argsort([len(field) for field in fields], kind="stable") if sizes_first else range(len(fields))
    gate_of = {int(field): i for i, field in enumerate(order)}
    rows, terms, taken = [], [], []
    for i, channels in enumerate(fields):
        for name, ours in _parts(step, field_type, change, channels):
            taken.append(gate_of[i])
            if terms and terms[-1][1] == name:
                rows[-1].append(change[ours])
                terms[-1] = (terms[-1][0] + 1, name)
            else:
                rows.append([change[ours]])
                terms.append((1, name))
    fields_last = np.concatenate([np.stack(block, axis=1).reshape(-1, field_type.size) for block in rows])
    matrix = np.concatenate([np.eye(field_type.size)[[gates[i] for i in taken]], fields_last])
    ((_, scalar),) = FieldType.scalars(1, field_type.group).terms
    whole = FieldType(field_type.group, _joined([(len(taken), scalar), *terms]))
    layer = L.GatedActivation(whole, gate=gate, scalars="gate", use_bias=True, **step.given())
    kept = fields_last[:, np.concatenate(fields)]
    bias = -step.arrays["bias"].ravel()[taken]

    def set_weights():
        layer.bias.assign(bias)
        return 0.0

    first = moved(step, field_type, whole, matrix @ change.T)
    last = moved(step, layer.out_type, step.after[0], step.after[1] @ kept.T)
    for one in last:
        one.name = f"{one.name}_behind"
    return [*first, layer, *last], set_weights


def _joined(terms):
    """Scalars in front, together with the gates where they come first."""
    (gates, scalar), (first, name), *rest = terms
    return ((gates + first, scalar), *rest) if name == scalar else tuple(terms)


def _parts(step, field_type, change, channels):
    """Our fields, `(name, channels)`, that a field of theirs consists of."""
    found = [(name, ours) for name, ours in field_type.places if np.abs(change[ours][:, channels]).max() > 1e-6]
    if sum(len(ours) for _, ours in found) != len(channels):
        raise NotHere(
            f'gates fields that are ours, or sums of them. Received: the module "{step.name}" ({step.kind}) on '
            f'"{field_type}", in other coordinates; build it on irreps'
        )
    return found

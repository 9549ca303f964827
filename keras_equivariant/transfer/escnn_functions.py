"""Nonlinearities of escnn on functions and on products of fields."""

import numpy as np

from keras_equivariant import layers as L
from keras_equivariant.groups import FieldType
from keras_equivariant.groups.irreps import is_irrep_label
from keras_equivariant.transfer.convolutions import fill
from keras_equivariant.transfer.escnn_channels import LOST, moved
from keras_equivariant.transfer.escnn_step import NotHere, nothing


def sampled(step):
    """FourierPointwise and its kin: their own samples, whatever their grid, and their own way back."""
    (before, there), (after, back) = _apart(step, step.type, step.before[1]), _apart(step, *step.after[:2])
    one, other = (len(matrix) // step.fields for matrix in (there, back))
    field = there.reshape(one, step.fields, -1)[:, 0, :one]  # our coefficients of the first field
    returned = back.reshape(other, step.fields, -1)[:, 0, :other]
    words = {"samples": step.arrays["A"] @ field.T, "back": returned @ step.arrays["Ainv"]}
    layer = L.SampledActivation(before, activation=step.function, out_type=after, **words, **step.given())
    last = moved(step, after, step.after[0], step.after[1] @ back.T)
    for one in last:
        one.name = f"{one.name}_behind"
    return [*moved(step, step.type, before, there @ step.before[1].T), layer, *last], nothing


def _apart(step, field_type, change):
    """The type with the functions fastest, and the matrix from their channels to it."""
    rows, terms = [], []
    for block, (count, name) in zip(field_type.blocks, field_type.terms, strict=True):
        if count % step.fields:
            raise NotHere(
                f'has the irreps of every field in the same order. Received: the module "{step.name}" on "{field_type}"'
            )
        channels = block.start + np.arange(block.dim * count).reshape(block.dim, step.fields, count // step.fields)
        rows.append(change[channels.swapaxes(1, 2).ravel()])
        terms.append((count, name))
    return FieldType(field_type.group, tuple(terms)), np.concatenate(rows)


def products(step):
    """TensorProductModule: the products of each field with itself, and a dense layer that is 0 between the fields."""
    fields, change = step.fields, step.before[1]
    parts = [(n // fields, name) for n, name in step.type.terms]
    single = FieldType(step.type.group, tuple((1, name) for copies, name in parts for _ in range(copies)))
    if any(not is_irrep_label(single.group, name) for _, name in parts) or any(n % fields for n, _ in step.type.terms):
        raise NotHere(f'multiplies irreps. Received: the module "{step.name}" on "{step.type}"; disentangle it before')
    rows = []
    for block, (copies, _) in zip(step.type.blocks, parts, strict=True):
        channels = block.start + np.arange(block.dim * fields * copies).reshape(block.dim, fields, copies)
        rows += [change[channels[:, :, copy].ravel()] for copy in range(copies)]
    there = np.concatenate(rows)
    many = FieldType(single.group, tuple((fields, name) for _, name in single.terms))
    words = {"max_frequency": None if single.group.is_finite and single.group.dimension > 2 else _highest(step)}
    layer = L.TensorProductActivation(many, **words, **step.given())
    kernel = _of_products(step, single, there.reshape(single.size, fields, -1)[:, 0, : single.size], layer)
    words = {"use_bias": False, "unreached": "zeros", "name": f"{step.layer_name}_mixed", "strict": step.strict}
    dense = L.SteerableDense(layer.out_type, step.after[0], **words)
    dense.build((None, *[None] * (step.rank if step.space else 0), layer.out_type.size))
    if fill(dense, kernel) > LOST:
        raise NotHere(f'mixes products within each field. Received: the module "{step.name}"; build it on irreps')
    return [*moved(step, step.type, many, there @ change.T), layer, dense], nothing


def _highest(step):
    return max(step.after[0].frequency, step.type.frequency)


def _of_products(step, single, field, layer):
    """The kernel from all products of all fields to the result, of which each field's matrix makes its own."""
    fields, after = step.fields, step.after[0]
    one = L.TensorProductActivation(single, max_frequency=layer.max_frequency)
    x = np.random.default_rng(0).normal(size=(3 * single.size**2, single.size))  # enough to tell all products apart
    found = np.asarray(one.compute(x @ field.T), dtype=np.float64)
    squares = np.einsum("ni,nj->nij", x, x).reshape(len(x), -1)
    matrices = step.arrays["kernel"].reshape(fields, -1, squares.shape[1])
    kernel = np.zeros((layer.out_type.size, after.size))
    ours = np.zeros((fields, one.out_type.size), int)  # the channels of each field's products
    for block, few in zip(layer.out_type.blocks, one.out_type.blocks, strict=True):
        channels = block.start + np.arange(block.dim * block.multiplicity).reshape(block.dim, few.multiplicity, fields)
        ours[:, few.start : few.stop] = np.moveaxis(channels, -1, 0).reshape(fields, -1)
    size = after.size // fields
    for i, matrix in enumerate(matrices):
        wanted = squares @ matrix.T
        solved, *_ = np.linalg.lstsq(found, wanted, rcond=1e-10)
        if np.abs(found @ solved - wanted).max() > LOST * np.abs(wanted).max():
            raise NotHere(
                "needs products that no layer here has. Received: the module "
                f'"{step.name}" from "{step.type}" to "{after}"; write it with SteerableTensorProduct'
            )
        kernel[ours[i]] += solved @ step.after[1][:, i * size : (i + 1) * size].T
    return kernel


STEPS = {
    **dict.fromkeys(("FourierPointwise", "FourierELU", "QuotientFourierPointwise", "QuotientFourierELU"), sampled),
    "TensorProductModule": products,
}

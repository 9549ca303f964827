"""Samples of functions that are given by coefficients: whether a group permutes them."""

import numpy as np

CLOSE = 1e-6  # of samples, relative to the largest: what they are known to where they come from float32


def symmetrized(sampling, back, in_type, out_type, functions):
    """The nearest matrices that the group permutes, equal samples as one.

    The elements that must permute the samples are all of a finite group, and those of a continuous one that map the
    pixels onto themselves.

    Args:
        sampling: `(samples, coefficients)`, what reads off the values of one function.
        back: `(samples, coefficients after)`, the transpose of the way back.
        in_type, out_type: FieldTypes of that many functions.
        functions: their number.

    Returns:
        `(sampling, back, problem)`: the matrices, and "" or what an element does to the given ones instead, in words.
    """
    sampling, back = _distinct(sampling, back)
    group = in_type.group if in_type.group.is_finite else in_type.group.on_grid
    before, after = (_of_one(field_type, functions) for field_type in (in_type, out_type))
    if before is None or after is None:
        return sampling, back, "has types that are no whole number of functions"
    means = np.zeros_like(sampling), np.zeros_like(back)
    for name, element in zip(group.element_names, group.matrices, strict=True):
        moved, returned = sampling @ _rho(before, element), back @ _rho(after, element)
        order = _nearest(moved, sampling)
        if _far(moved, sampling[order]) or len(set(order.tolist())) < len(order):
            return sampling, back, f"has samples that the element {name} of {in_type.group.name} does not permute"
        if _far(returned, back[order]):
            return sampling, back, f"has a way back that the element {name} of {in_type.group.name} does not keep"
        means[0][order] += moved / group.order
        means[1][order] += returned / group.order
    return *means, ""


def _far(found, wanted):
    return np.abs(found - wanted).max() > CLOSE * np.abs(wanted).max()


def _nearest(rows, among):
    """For each row the index of the nearest of others."""
    return np.abs(rows[:, None] - among[None]).max(axis=-1).argmin(axis=1)


def _distinct(sampling, back):
    """Equal samples as one, whose way back is the sum of theirs."""
    first = [i for i, row in enumerate(sampling) if not i or all(_far(row, other) for other in sampling[:i])]
    kept = sampling[first]
    if len(kept) == len(sampling):
        return sampling, back
    total = np.zeros((len(kept), back.shape[1]))
    np.add.at(total, _nearest(sampling, kept), back)
    return kept, total


def _of_one(field_type, functions):
    """`(representation, copies)` of every block of one function; None where the functions share no blocks evenly."""
    if any(block.multiplicity % functions for block in field_type.blocks):
        return None
    return [(block.representation, block.multiplicity // functions) for block in field_type.blocks]


def _rho(blocks, element):
    """The matrix by which an element moves the coefficients of one function."""
    size = sum(representation.dim * copies for representation, copies in blocks)
    found, start = np.zeros((size, size)), 0
    for representation, copies in blocks:
        stop = start + representation.dim * copies
        found[start:stop, start:stop] = np.kron(representation.rho(element[None])[0], np.eye(copies))
        start = stop
    return found

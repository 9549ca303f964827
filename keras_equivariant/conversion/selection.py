"""Which channels of the original the fields of the twin go back to."""

import keras
import numpy as np

from keras_equivariant.stock.traits import traits


class Selection:
    """For each tensor of the original, the channels that the twin keeps.

    Args:
        plan: a Plan.
        widths: function from Channels to their number in the twin.
    """

    def __init__(self, plan, widths):
        self._plan, self._widths = plan, widths
        self._roots, self._tensors = {}, {}
        self._norms = _norms(plan)
        for call in plan.calls:
            for tensor in (*call.inputs, *call.outputs):
                self._tensors[id(tensor)] = self._of_root(plan[tensor].channels.root)

    def __getitem__(self, tensor):
        """Indices of channels, one for each field of the twin."""
        return self._tensors[id(tensor)]

    def _of_root(self, root):
        if root not in self._roots:
            self._roots[root] = self._chosen(root, self._widths(root))
        return self._roots[root]

    def _chosen(self, root, fields):
        """Those of its parts, else the channels with the largest kernels."""
        unit = self._widths.unit
        if fields >= root.size:
            return np.arange(fields) % root.size
        if unit and root.scaled:  # as many of each block
            each = fields * unit // root.size
            return (np.arange(root.size // unit)[:, None] * unit + np.arange(each) % unit).ravel()
        if root.sums and len(set(root.sums[0])) < len(root.sums[0]):  # a depth multiplier
            parts, multiplier = self._of_root(root.sums[0][0].root), len(root.sums[0])
            return (parts[:, None] * multiplier + np.arange(multiplier)).ravel()
        if root.sums:
            parts = [part.root for part in root.sums[0]]
            starts = np.cumsum([0, *(part.size for part in parts[:-1])])
            return np.concatenate([self._of_root(part) + start for part, start in zip(parts, starts, strict=True)])
        norms = self._norms.get(root, np.zeros(root.size))
        return np.sort(np.argsort(-norms, kind="stable")[:fields])


def _norms(plan):
    """Sums of squares of the kernels that make each channel, by Channels."""
    found = {}
    for call in plan.calls:
        root = plan[call.outputs[0]].channels.root
        weights = getattr(call.operation, "weights", None)
        if not weights or getattr(traits(call.operation), "kind", None) not in ("convolution", "dense"):
            continue
        kernel = keras.ops.convert_to_numpy(weights[0]).astype("float64")
        axis = -2 if traits(call.operation).transposed else -1
        squares = np.square(np.moveaxis(kernel, axis, -1)).reshape(-1, kernel.shape[axis]).sum(axis=0)
        if len(squares) == root.size:
            found[root] = found.get(root, 0) + squares
    return found

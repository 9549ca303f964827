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
            for tensor in call.inputs:
                self._tensors.setdefault(id(tensor), self._of_root(tensor))
            found = self._behind(call)
            self._tensors.update({id(tensor): found for tensor in call.outputs})

    def __getitem__(self, tensor):
        """Indices of channels, one for each field of the twin."""
        return self._tensors[id(tensor)]

    def _behind(self, call):
        kind = getattr(traits(call.operation), "kind", None)
        names = kind == "join" or type(call.operation).__name__ == "Concatenate"
        before, after = (x.shape[-1] for x in (call.inputs[0], call.outputs[0]))
        if names:
            starts = np.cumsum([0, *(x.shape[-1] for x in call.inputs[:-1])])
            return np.concatenate([self[x] + start for x, start in zip(call.inputs, starts, strict=True)])
        if kind == "convolution" and self._plan[call.outputs[0]].channels.root.derived and after % before == 0:
            multiplier = after // before
            return (self[call.inputs[0]][:, None] * multiplier + np.arange(multiplier)).ravel()
        return self._of_root(call.outputs[0])

    def _of_root(self, tensor):
        root = self._plan[tensor].channels.root
        if root not in self._roots:
            self._roots[root] = self._chosen(root, self._widths(root))
        return self._roots[root]

    def _chosen(self, root, fields):
        """The channels with the largest kernels; the same number of each block where parts stand side by side."""
        if fields >= root.size:
            return np.arange(fields) % root.size
        unit = self._widths.unit
        if unit and root.bound:
            each = fields * unit // root.size
            return (np.arange(root.size // unit)[:, None] * unit + np.arange(each) % unit).ravel()
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

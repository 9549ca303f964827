"""The walk through a model that puts stock layers into a folded graph, call by call."""

import keras

from keras_equivariant.export.folding.features import Packed
from keras_equivariant.export.folding.rules import apply_rule
from keras_equivariant.graphs.calls import fresh
from keras_equivariant.graphs.rewriting import Rewriter
from keras_equivariant.stock import copies


class Folder(Rewriter):
    """One walk through the graph. A model within the model stays one; features with a fiber cross its border in their
    4-D form.

    Args:
        emitter: Emitter.
    """

    purpose = "folded"
    functions = True

    def __init__(self, emitter):
        super().__init__()
        self.emitter, self.features = emitter, emitter.features
        self.scope, self.own_name, self.finish = emitter.scope, emitter.own_name, emitter.finish

    def call(self, operation, args, kwargs):
        kwargs.pop("training", None)  # as in predict(), which overrides what was given when the graph was built
        return apply_rule(self.emitter, operation, args, kwargs)

    def input(self, tensor):
        return fresh(tensor, self.emitter.dtype if tensor.dtype in copies.FLOATS else None)

    def form(self, tensor):
        features = self.features.get(tensor)
        return features and (features.fiber, features.sections, features.rank)

    def mark(self, tensor, form):
        return tensor if form is None else self.features.add(Packed(*form, tensor=tensor))

    def crossing(self, tensor):
        return self.features.packed(tensor).tensor if self.features.get(tensor) else tensor

    def outputs(self, tensors):
        return keras.tree.map_structure(self.features.full, tensors)

"""A trained network with another head, without one, or on images of another size."""

import keras

from keras_equivariant.graphs.calls import calls, fresh
from keras_equivariant.graphs.reading import functional, is_plain
from keras_equivariant.graphs.rewriting import Rewriter, inlined
from keras_equivariant.graphs.weights import DeferredWeights, clone_operation, clone_with
from keras_equivariant.utils.checks import positive


def adapted(model, classes=None, include_top=True, input_shape=None):
    """A network with the weights of another one, as far as it is the same.

    Args:
        model: the trained network, of one input and one output.
        classes: units of the new head, whose weights are random; None keeps the head.
        include_top: False for the features that the head is given.
        input_shape: shape of one input; None for that of the model.

    Raises:
        ValueError: classes without a head, no head to be found, an input with other channels or on which layers lose
            their symmetry.
    """
    if classes is not None and not include_top:
        raise ValueError(
            f"`classes` are those of the head. Received: classes={classes}, include_top=False; leave out one of them"
        )
    if classes is not None:
        positive(classes, "classes")
    graph = functional(model, "given another head", opened=False)
    head = None
    if classes is not None or not include_top:
        if any(isinstance(call.operation, keras.Model) and is_plain(call.operation) for call in calls(graph)):
            graph = inlined(graph)
        head = _head(graph, model.name, through_sums=not include_top)
        if not include_top:
            graph = keras.Model(graph.input, head.inputs[0], name=graph.name)
    if input_shape is not None:
        _check_channels(model, tuple(input_shape))
    walk = _Adapted(None if head is None or not include_top else head.operation, classes, input_shape)
    try:
        return walk.run(graph, model.name)
    except ValueError as error:
        if input_shape is None:
            raise
        raise ValueError(
            f"{error}. Received of a preset: input_shape={tuple(input_shape)}, on which the layers inside get these "
            f"sizes; it was trained on {tuple(model.input_shape[1:])}, give it images of such a size"
        ) from None


def _head(graph, name, through_sums):
    """The last call that makes channels, behind which nothing is learned but for normalizations; `through_sums` also
    in front of sums and pooling of points, if one such call that is trained is nearest to the output."""
    source = {id(tensor): call for call in calls(graph) for tensor in call.outputs}
    tensors = [graph.outputs[0]]
    while tensors and (through_sums or len(tensors) == 1):
        behind = list({id(call): call for x in tensors if (call := source.get(id(x))) is not None}.values())
        heads = [call for call in behind if hasattr(call.operation, "units") or hasattr(call.operation, "filters")]
        if len(tensors) > 1:
            heads = [call for call in heads if call.operation.trainable_weights]
        if heads:
            if len(heads) > 1:
                break
            return heads[0]
        tensors = [x for call in behind for x in call.inputs]
    raise ValueError(
        f'The head of a network is its last dense layer or convolution. Received: "{name}", whose output is made of '
        "several tensors; "
        + ("" if through_sums else "take its features, include_top=False, or ")
        + "cut it yourself, keras.Model(model.input, model.get_layer(...).output)"
    )


def _check_channels(model, shape):
    wanted = tuple(model.input_shape[1:])
    if len(shape) != len(wanted) or shape[-1] != wanted[-1]:
        raise ValueError(
            f"`input_shape` may differ in the sizes of space only. Received: input_shape={shape} for a network of "
            f"{wanted}; convert the images to {wanted[-1]} channels"
        )


class _Adapted(Rewriter):
    """Copies of the layers with their weights, but for the head and what comes behind it."""

    purpose = "given another head"

    def __init__(self, head, classes, input_shape):
        super().__init__()
        self._head, self._classes, self._shape = head, classes, input_shape
        self._made, self._behind = {}, False

    def input(self, tensor):
        if self._shape is None:
            return fresh(tensor)
        return keras.Input(tuple(self._shape), dtype=tensor.dtype, name=tensor.name)

    def call(self, operation, args, kwargs):
        if not isinstance(operation, keras.layers.Layer):
            return clone_operation(operation)(*args, **kwargs)
        if operation not in self._made:
            name = self.own_name(operation.name)
            changes = {}
            if operation is self._head:
                changes = {"units" if hasattr(operation, "units") else "filters": self._classes}
                self._behind = True
            weights = None if self._behind else operation.get_weights()
            self._made[operation] = DeferredWeights(clone_with(operation, name, **changes), weights)
        return self._made[operation](*args, **kwargs)

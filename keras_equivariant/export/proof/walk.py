"""The walk through a network: what every tensor holds, where its moved copies are found, and where they are not."""

import numpy as np

from keras_equivariant.export.proof import copies, linear, pointwise, products, spatial, structure
from keras_equivariant.export.proof.copies import Copies
from keras_equivariant.export.proof.field import INDEX, SAMPLES, Field
from keras_equivariant.export.proof.frames import Frames
from keras_equivariant.export.proof.graph import BATCH, NotCovered
from keras_equivariant.export.proof.table import Table

RULES = {
    "along": pointwise.along,
    "concatenate": structure.concatenate,
    "convolution": linear.convolution,
    "dense": linear.dense,
    "einsum": products.einsum,
    "flip": structure.flip,
    "gather": structure.gather,
    "matrix": linear.matrix,
    "pad": spatial.pad,
    "pointwise": pointwise.pointwise,
    "pool": spatial.pool,
    "product": products.product,
    "reduce": spatial.reduce,
    "repeat": structure.repeat,
    "reshape": structure.reshape,
    "resize": spatial.resize,
    "slice": structure.slices,
    "split": structure.split,
    "stack": structure.stack,
    "unstack": structure.unstack,
    "transpose": structure.transpose,
}


# What rules, and the evaluators of a format, raise of an operation that is not whole.
_NOT_UNDERSTOOD = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)

# Functions with a jump: at two floats that differ by rounding their values may differ by a whole step.
_JUMPS = ("equal", "unequal", "greater", "greater or equal", "less", "less or equal", "hard_shrink", "threshold")
_JUMPS += ("cast", "ceil", "floor", "quantize", "round", "sign")


class Broken(Exception):
    """Some moves of the channels of a layer with weights are not among its channels, where those before it are.

    Attributes:
        node: the layer.
        moves: indices of the moves.
    """

    def __init__(self, node, moves):
        super().__init__(node.name)
        self.node, self.moves = node, moves


class Walk:
    """One walk.

    Args:
        graph: Graph.
        moves: the Moves to prove, the identity first.
        shapes: dict from the key of an input to its shape, sizes known but for the batch.
        others: further Moves, of those that the network makes itself.

    Attributes:
        asked: number of the moves to prove, which stand first.
        steps: per node, `(node, field or None, reason it is not covered or None)`.
        loose: keys of what is computed from sums of floats, whose order then matters to rounding.
        sums_floats: whether there are any.
        steps_of_sums: whether one of them is rounded to a step or compared, which the order of its sum may change.
        reached: per node and move, whether every moved number is that of some channel of the network.
    """

    def __init__(self, graph, moves, shapes, others=()):
        self.graph, self.moves, self.asked = graph, [*moves, *others], len(moves)
        self.moves_maps = graph.moves_maps
        self.frames = Frames(self.moves)
        self.dimension = len(moves[0].source)
        self.table = Table()
        self.values = dict(graph.constants)
        self.reasons = {}
        self.steps = []
        self.loose = set()
        self.steps_of_sums = False
        images = any(len(shape) == self.dimension + 2 for shape in shapes.values())
        for key, shape in shapes.items():
            self._enter(key, shape, images)
        for node in graph.nodes:
            self._step(node)

    def each(self, function, ids):
        """`function(move, id)` on all ids."""
        return np.stack(
            [
                self.table.each(lambda number, move=move: function(move, number), one)
                for move, one in zip(self.moves, ids, strict=True)
            ]
        )

    def _enter(self, key, shape, beside_images):
        """Images, or vectors beside them, which stay as they are where images move."""
        space = range(self.dimension) if len(shape) == self.dimension + 2 else ()
        if not space and not (beside_images and len(shape) == 2):
            self.reasons[key] = f"an input of shape {tuple(shape)} holds no images of {self.dimension} axes of space"
            return
        numbers = [self.table.number("input", key, c) for c in range(shape[-1])]
        ids = np.broadcast_to(np.array(numbers), (len(self.moves), *[1] * (len(space) + 1), shape[-1]))
        axes = [[(SAMPLES, BATCH)], *([(a, shape[1 + a])] for a in space), [(INDEX, shape[-1])]]
        self.values[key] = Field(axes, ids)

    def _step(self, node):
        tainted = [self.reasons[key] for key in node.inputs if key in self.reasons]
        field = reason = None
        if not tainted:
            try:
                results = self._results(node)
                if len(results) != len(node.outputs):
                    raise NotCovered(f"its {node.operation} has {len(node.outputs)} outputs, not {len(results)}")
                field = self._asked(results)
            except NotCovered as error:
                reason = str(error)
            except _NOT_UNDERSTOOD as error:
                reason = f"its {node.operation} is of a form that is not understood ({error})"
        if field is not None and node.kind in ("convolution", "dense") and not self.moves_maps:
            apart = [i for i in range(self.asked) if not is_closed(field, i)]
            before = self.values[node.inputs[0]]
            if apart and isinstance(before, Field) and all(is_closed(before, i) for i in apart):
                raise Broken(node, apart)
        if tainted or reason:
            self.reasons.update(dict.fromkeys(node.outputs, reason or tainted[0]))
        else:
            self.values.update(zip(node.outputs, results, strict=True))
        if field is not None:
            self._loosen(node)
        if field is not None or reason or tainted:
            self.steps.append((node, field, reason))

    @property
    def sums_floats(self):
        return bool(self.loose)

    def _loosen(self, node):
        loose = not self.loose.isdisjoint(node.inputs)
        self.steps_of_sums |= loose and _jumps(node)
        if loose or (node.scales is None and _sums(node)):
            self.loose.update(node.outputs)

    def _results(self, node):
        values = [None if key is None else self.values[key] for key in node.inputs]
        if node.kind == "shape":
            return [np.array(values[0].shape, np.int64)]
        if not any(isinstance(value, Field | Copies) for value in values):
            if node.evaluate is None:
                raise NotCovered(f"nothing is known about the operation {node.operation} of constants")
            return node.evaluate(*values)
        if node.kind not in RULES:
            return [self._opaque(node, values)]
        if copies.makes_copies(node, values):
            return [copies.made(values)]
        if any(isinstance(value, Copies) for value in values):
            return copies.applied(self, node, values)
        return self.applied(node, values)

    def applied(self, node, values):
        """The Fields that an operation makes of Fields and constants."""
        values, frame = self.frames.joined(values)
        result = RULES[node.kind](self, node, *values)
        results = result if isinstance(result, list) else [result]
        results = [pointwise.activated(self, node.activation, node.scales, field) for field in results]
        return results if node.kind == "flip" else [Field(field.axes, field.ids, frame) for field in results]

    def settled(self, key):
        """The field at a key as it stands; None for maps that the network has moved and not moved back."""
        value = self.values.get(key)
        if not isinstance(value, Field):
            return None
        axes = [role for role, size in value.atoms if role not in (INDEX, SAMPLES) and size > 1]
        if axes != sorted(axes) or (axes and value.frame):
            return None
        return self.frames.settled(value)

    def _asked(self, results):
        """The field of a step, with a row for each move to prove; one field where there are several."""
        fields = [part for one in results for part in (one.parts if isinstance(one, Copies) else [one])]
        if not all(isinstance(field, Field) for field in fields):
            return None
        if len(fields) == 1 and fields[0].frame == 0:
            return Field(fields[0].axes, fields[0].ids[: self.asked])
        ids = np.concatenate([self.frames.numbers(field)[: self.asked] for field in fields], axis=-1)
        return Field([[(INDEX, ids.shape[-1])]], ids)

    def _opaque(self, node, values):
        remedy = "; prove ke.fold(model), or a file that ke.export wrote" if node.options.get("unfolded") else ""
        raise NotCovered(f"nothing is known about the operation {node.operation}{remedy}")

    def reached(self):
        """Per step and move: whether each moved number is that of some channel, and the same for the step's inputs."""
        known = set()
        for value in self.values.values():
            parts = value.parts if isinstance(value, Copies) else [value]
            for field in parts:
                if isinstance(field, Field):
                    known |= set(np.unique(np.abs(self.frames.numbers(field)[0])).tolist())
        known = np.array(sorted(known))
        return [
            None if field is None else [bool(np.isin(np.abs(ids), known).all()) for ids in field.ids]
            for _, field, _ in self.steps
        ]


def _sums(node):
    """Whether a node adds up several numbers."""
    if node.kind in ("pool", "reduce"):
        return node.options["mode"] not in ("max", "min")
    summing = ("add", "subtract", "average", "rescaled")
    return node.kind in ("along", "convolution", "dense", "einsum", "matrix", "product", "resize") or (
        node.kind == "pointwise" and node.options["name"] in summing
    )


def _jumps(node):
    name = node.options.get("name")
    return node.activation in _JUMPS or (name[0] if isinstance(name, tuple) else name) in _JUMPS


def is_closed(field, i):
    """Whether the i-th move makes channels of a tensor out of its channels."""
    return bool(np.isin(np.abs(field.ids[i]), np.abs(field.ids[0])).all())

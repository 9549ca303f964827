"""prove(): that a file commutes with a group, from its kernels, biases, scales and zero points."""

import keras
import numpy as np

from keras_equivariant import groups
from keras_equivariant.export.proof import read_file
from keras_equivariant.export.proof.moves import moves_of
from keras_equivariant.export.proof.report import Layer, Proof
from keras_equivariant.export.proof.walk import Broken, Walk, is_closed

_LARGEST = {2: "D4", 3: "Oh"}
_NAMED = {2: ("D4", "C4", "D2", "C2", "D1", "C1"), 3: ("Oh", "O", "Th", "Td", "T", "D4h", "D4z", "C4z", "Z3")}


def prove(artifact, group=None, input_shape=None):
    """Whether a network commutes with a group, proved layer by layer from its numbers alone.

    The network is read from the file, without the model that it was made from. Every channel of every layer gets a
    number that stands for the function of the input it computes: the operation, the constants, the numbers of what it
    acts on. A group element moves such a function to another one: kernels rotate, windows change their ends, channels
    are exchanged. Where every moved output is an output again, the network commutes with the element for all inputs:

        f_j(g x) = g f_i(x), for the channel j that has the kernel, bias, scales and zero points of the moved channel i

    Compared are bits. For integers that is the whole proof: their sums are the same in any order, and a kernel of the
    runtime that rounds a sum rounds it alike wherever it stands. Floats are the same up to the order of sums,
    and by one step where such a sum is rounded or compared, as before a layer of integers. Networks
    that flip and swap maps themselves and compute of several copies, as averages over a group, are followed as well.

    Args:
        artifact: path of a .tflite, .onnx or .keras file of stock operations, or such a `keras.Model`, as `ke.fold`
            gives it.
        group: group name or FiniteGroup; what is proved are its elements that map the pixel grid onto itself. By
            default the largest group that is found; of a model that is not folded that of its layers.
        input_shape: shape of the input, batch included, or a list of those of all inputs, where the file leaves the
            sizes of images open. Inputs that are vectors stay as they are where images move.

    Returns:
        A `Proof`: `verdict` is `"proved"`, `"not proved"` with the first layer that breaks the law, or `"not covered"`
        with the first layer that no permutation of channels describes, such as features of an irrep that a rotation
        mixes, or points.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a file of another kind or one that is damaged, sizes that are not known, a group that moves no
            images.
        ImportError: if what reads the format is not installed: ai-edge-litert for .tflite, onnx for .onnx.

    Example:
        >>> import keras, keras_equivariant as ke
        >>> image = keras.Input((9, 9, 1))
        >>> x = ke.layers.LiftingConv2D(2, 3, group="C4")(image)
        >>> model = keras.Model(image, ke.layers.GroupPooling("max")(x), name="tiny")
        >>> proof = ke.prove(ke.fold(model))
        >>> proof.verdict, proof.group, proof.outputs
        ('proved', 'C4', {'output_0': 'invariant'})
    """
    graph = _read(artifact)
    shapes = _shapes(graph, input_shape)
    asked = groups.get(group) if group is not None else _likely(graph, shapes)
    moves = moves_of(asked)
    if len(moves) < 2:
        raise ValueError(
            "A proof is of the elements of a group that map the pixel grid onto itself, besides the identity. "
            f"Received: {asked.name}, which has none; use a group that has, such as C2, C4 or D1"
        )
    sizes = next((shape[1:-1] for shape in shapes.values() if len(shape) == len(moves[0].source) + 2), None)
    found, broken = _walked(graph, [move for move in moves if sizes is None or move.fits(sizes)], sizes, shapes)
    proved = [move for move, good in zip(found.walk.moves, found.good, strict=False) if good]
    elements = moves if group is not None or len(proved) < 2 else proved
    whole = len(proved) == len(elements) > 1
    layer, reason, covered = (None, None, True) if whole else found.failure()
    if layer is None and not whole:
        layer, reason = broken or ("input", f"images of {sizes} pixels are not mapped onto themselves")
    return Proof(
        file=graph.name,
        group=asked.name if group is not None else _named(elements, asked),
        elements=tuple(move.name for move in elements),
        proved=tuple(move.name for move in proved),
        integers=not found.walk.sums_floats,
        steps_of_sums=found.walk.steps_of_sums,
        outputs=found.outputs(whole or group is None),
        layers=found.layers(),
        layer=layer,
        reason=reason,
        covered=covered,
    )


def _likely(graph, shapes):
    """The group of the layers, where they have one that moves images as these; else the largest of them."""
    dimension = max((len(shape) - 2 for shape in shapes.values()), default=2)
    named = graph.group
    if named is not None and named.dimension == dimension and len(moves_of(named)) > 1:
        return named
    return groups.get(_LARGEST.get(dimension, "D4"))


def _walked(graph, moves, sizes, shapes):
    """The walk with the moves that no layer stopped, and the first layer that stopped one, with the reason."""
    first, others = None, ()
    if graph.moves_maps:
        matrices = [move.matrix.tolist() for move in moves]
        every = moves_of(groups.get(_LARGEST[len(moves[0].source)]))
        others = [m for m in every if m.matrix.tolist() not in matrices and (sizes is None or m.fits(sizes))]
    while True:
        try:
            return _Found(Walk(graph, moves, shapes, others)), first
        except Broken as error:
            reason = "a moved kernel, with its bias and scales, is not that of another of its channels"
            first = first or (error.node.name, reason)
            moves = [move for i, move in enumerate(moves) if i not in error.moves]


class _Found:
    """What a walk found, by move."""

    def __init__(self, walk):
        self.walk = walk
        self.reached = walk.reached()
        self.good = [all(self._output(key, i) is not None for key in walk.graph.outputs) for i in range(walk.asked)]

    def _output(self, key, i):
        """What a move does to an output; None where nothing is proved."""
        field = self.walk.settled(key)
        if field is None or key in self.walk.reasons:
            return None
        before, after = field.ids[0], field.ids[i]
        if (before == after).all():
            return "moved with the image" if max(field.space.values(), default=1) > 1 else "invariant"
        return "permuted" if np.isin(np.abs(after), np.abs(before)).all() else None

    def outputs(self, proved):
        """What the proved moves do to each output, None where there is none."""
        found = {}
        for key, name in self.walk.graph.outputs.items():
            actions = [self._output(key, i) for i, good in enumerate(self.good) if good]
            found[name] = max(actions, key=_ORDER.index) if proved and len(actions) > 1 else None
        return found

    def failure(self):
        """`(layer, reason, covered)` of the first layer that stands in the way of a move that no kernel stopped."""
        for node, _, reason in self.walk.steps:
            if reason:
                return node.name, reason, False
        for key in self.walk.graph.outputs:
            if key in self.walk.reasons:
                return "input", self.walk.reasons[key], False
        for partial in (lambda node, field: _partial(node, field) or _is_sum(node), _partial):
            name = self._first_apart(partial)
            if name is not None:
                return name, "what it computes of a moved input is in none of its channels", True
        if all(self.good):
            return None, None, True
        return "output", "its numbers are exchanged with none of their own", True

    def _first_apart(self, partial):
        """The first layer that takes what moves permute and gives what they do not, but for parts of something."""
        whole = {key: [True] * self.walk.asked for key in self.walk.graph.inputs}
        for (node, field, _), reached in zip(self.walk.steps, self.reached, strict=True):
            given = [whole[key] for key in node.inputs if key in whole]
            whole |= dict.fromkeys(node.outputs, reached)
            for i, good in enumerate(reached):
                if not good and not self.good[i] and all(one[i] for one in given) and not partial(node, field):
                    return node.name
        return None

    def layers(self):
        found = []
        for (node, field, reason), reached in zip(self.walk.steps, self.reached, strict=True):
            if field is None:
                found.append(Layer(node.name, node.operation, problem=reason or "follows one that is not covered"))
                continue
            before = field.ids[0].ravel()
            chosen = [i for i, good in enumerate(self.good) if good] if any(self.good[1:]) else range(len(reached))
            inside = all(is_closed(field, i) for i in chosen)
            orbits = _orbits(before, [field.ids[i].ravel() for i in chosen]) if inside else None
            apart = not all(reached[i] for i in chosen)
            problem = _APART[_is_sum(node) and any(self.good[1:])] if apart else None
            found.append(Layer(node.name, node.operation, len(before), orbits, problem))
        return tuple(found)


_APART = {False: "does not permute them", True: "permutes sums of them"}
_ORDER = ["invariant", "moved with the image", "permuted"]


def _partial(node, field):
    """Whether an operation acts on some axes of space only, so that another one completes it."""
    return node.kind in ("split", "unstack", "slice", "gather", "reshape", "repeat") or (
        node.kind == "pool" and len(field.axes) == 4 and any(len(axis) > 1 for axis in field.axes)
    )


def _is_sum(node):
    """Whether an operation adds up what another one may add to, as those of a Fourier transform of the group do."""
    return node.kind == "pointwise" and node.options["name"] in ("add", "subtract", "negative")


def _orbits(before, moved):
    """Number of orbits on the entries, where equal numbers are entries of their own."""
    position = {}
    for i, number in enumerate(np.abs(before).tolist()):
        position.setdefault(number, []).append(i)
    parent = list(range(len(before)))

    def root(i):
        while parent[i] != i:
            parent[i] = i = parent[parent[i]]
        return i

    for ids in moved:
        for i, number in enumerate(np.abs(ids).tolist()):
            if number not in map(abs, [int(before[i])]):
                parent[root(i)] = root(position[number][0])
    return len({root(i) for i in range(len(before))})


def _named(moves, asked):
    matrices = {tuple(move.matrix.ravel().astype(int)) for move in moves}
    for name in _NAMED[asked.dimension]:
        if {tuple(np.round(m).ravel().astype(int)) for m in groups.get(name).matrices} == matrices:
            return name
    return f"{len(moves)} elements of {asked.name}"


def _shapes(graph, input_shape):
    shapes = dict(graph.inputs)
    if input_shape is not None:
        single = all(size is None or isinstance(size, int) for size in input_shape)
        given = [input_shape] if single else list(input_shape)
        shapes = _assigned(shapes, [tuple(shape) for shape in given], graph.name)
    unknown = [shape for shape in shapes.values() if None in tuple(shape)[1:]]
    if unknown:
        known = [(None, *(28 if size is None else size for size in shape[1:])) for shape in shapes.values()]
        raise ValueError(
            "What windows do at the edges of an image depends on its size. Received: a network whose input has the "
            f"shape {unknown[0]}; pass {'one' if len(known) == 1 else 'those of all inputs'}, such as "
            f"input_shape={known[0] if len(known) == 1 else known}"
        )
    return shapes


def _assigned(inputs, given, name):
    """`{input: shape}` of a file that may have its inputs in another order: each takes the first that fits."""
    found, left = {}, list(given)
    for key, shape in inputs.items():
        fits = (
            x
            for x in left
            if len(x) == len(shape) and all(n in (None, m) for n, m in zip(shape[1:], x[1:], strict=True))
        )
        found[key] = next(fits, None)
        if found[key] is None or len(given) != len(inputs):
            raise ValueError(
                f"`input_shape` must be that of the file's inputs, {[*inputs.values()]}. Received: {given} for {name}"
            )
        left.remove(found[key])
    return found


def _read(artifact):
    """The Graph of a model or file."""
    if isinstance(artifact, keras.Model):
        from keras_equivariant.export.proof import read_keras

        return read_keras.read(artifact)
    return read_file.read(artifact)

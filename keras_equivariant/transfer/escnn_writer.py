"""Describes a module of escnn as numbers: this file and `escnn_trace.py` run wherever escnn does, with NumPy alone.

    python -c "import keras_equivariant.transfer.escnn_writer as w; print(w.__file__)"    # where they lie; copy both

    from escnn_writer import write                                                        # where escnn is installed
    write(module, "trained.npz")                   # of a module with its own forward: write(module, path, (28, 28))

`ke.from_escnn("trained.npz")` makes a Keras model of it. Groups and representations are written as matrices, element by
element, so that no convention of that library has to be known where the file is read.
"""

import json

import numpy as np

try:
    from keras_equivariant.transfer import escnn_trace
except ImportError:  # copied to where there is only escnn
    import escnn_trace  # type: ignore[no-redef]

FORMAT = 1
INPUT = escnn_trace.INPUT
FIXED = ("DisentangleModule", "ReshuffleModule")  # linear maps of channels without weights
SAMPLES = 4  # random elements that tell representations of a continuous group apart


def write(module, path, input_shape=None):
    """Writes an escnn module in evaluation mode to an .npz file.

    Args:
        module: a module of escnn, a SequentialModule mostly; or any module of torch with a `forward` of its own.
        path: of the file.
        input_shape: sizes of space, such as `(28, 28)`, which a module with a `forward` of its own needs.
    """
    record, arrays = describe(module, input_shape)
    np.savez_compressed(path, record=np.array(json.dumps(record)), **arrays)


def describe(module, input_shape=None):
    """A module as a dict of plain values and a dict of arrays.

    Args:
        module, input_shape: as of `write`.

    Returns:
        `(record, arrays)`. The record has the steps in order: the name of each module's class, its options, the
        numbers of its input and output type, the numbers of the steps that it takes, and the names of its arrays.
    """
    writer = _Writer()
    training = module.training
    module.eval()
    try:
        if escnn_trace.whole(module):
            output = writer.add("", module, INPUT)
        else:
            output = escnn_trace.trace(writer, module, input_shape)
    finally:
        module.train(training)
    if not isinstance(output, int):
        raise ValueError(f"A network must have one output. Received: the branches {', '.join(map(str, output))}")
    record = {"format": FORMAT, "groups": writer.groups, "types": writer.types, "steps": writer.steps}
    return {**record, "output": output}, writer.arrays


class _Writer:
    def __init__(self):
        self.groups, self.types, self.steps, self.arrays = {}, [], [], {}
        self._known, self._elements, self.types_of = {}, {}, {}

    def add(self, name, module, source):
        """Adds the steps of a module that takes the output of a step, and gives the number of the last.

        Between BranchingModule and MergeModule the source and the result are dicts from label to number; a module of
        several inputs takes a list of numbers.
        """
        kind = type(module).__name__
        if kind == "SequentialModule":
            for key, part in module._modules.items():
                source = self.add(f"{name}.{key}" if name else key, part, source)
            return source
        if kind == "BranchingModule":
            return self._branches(name, module, source)
        if kind == "MergeModule":
            return self._merged(name, module, source)
        if kind == "MultipleModule":
            return self._merged(name, module.merging, self._branches(name, module.branching, source))
        before = module.in_type[0] if isinstance(module.in_type, tuple) else module.in_type
        sources = source if isinstance(source, list) else [source]
        return self.step(name or kind, kind, before, module.out_type, sources, _options(module), _arrays(kind, module))

    def plain(self, name, part, source):
        """Adds a plain layer of torch."""
        kind, before = type(part).__name__, self.types_of[source]
        after = part.out_features if kind == "Linear" else before
        return self.step(name, f"torch.{kind}", before, after, [source], _options(part), _arrays("", part))

    def step(self, name, kind, before, after, sources, options=None, arrays=None):
        names = {step["name"] for step in self.steps}
        own = next(n for n in (name, *(f"{name}_{i}" for i in range(2, 2 + len(names)))) if n not in names)
        step = {"name": own, "kind": kind, "options": options or {}, "from": sources, "arrays": {}}
        step["in"], step["out"] = self._type(before), self._type(after)
        for key, value in (arrays or {}).items():
            place = f"{len(self.steps)}.{key}"
            self.arrays[place], step["arrays"][key] = value, place
        self.steps.append(step)
        self.types_of.setdefault(INPUT, before)
        self.types_of[len(self.steps) - 1] = after
        return len(self.steps) - 1

    def _branches(self, name, split, source):
        """A dict from each label to the step that gives its fields."""
        found, order = {}, np.arange(split.in_type.size)
        if split.reshuffle_layer is not None:
            order = order[_array(split.reshuffle_layer.indices)]
        for label, after in split.out_type.items():
            indices = _array(getattr(split, f"indices_{label}"))
            indices = np.arange(*indices) if split._contiguous[label] else indices
            channels = {"channels": order[indices]}
            found[label] = self.step(f"{name}_{label}", "select", split.in_type, after, [source], arrays=channels)
        return found

    def _merged(self, name, merging, sources):
        """The modules of all labels, and all fields one after the other."""
        found = []
        for i, labels in enumerate(merging._labels):
            taken = [sources[label] for label in labels]
            part = getattr(merging, f"submodule_{i}")
            found.append(self.add(f"{name}_{i}", part, taken if len(taken) > 1 else taken[0]))
        return self.step(f"{name}_cat", "cat", self.types_of[found[0]], merging.out_type, found)

    def _space(self, space):
        """The elements of a space's group; its matrices, which move points (x, y) or (x, y, z), are written once."""
        if space.name not in self._elements:
            group = space.fibergroup
            if group.continuous:
                mirrors = [getattr(group, name) for name in ("reflection", "inversion") if hasattr(group, name)]
                elements = [*(group.sample() for _ in range(SAMPLES)), *mirrors]
            else:
                elements = list(group.elements)
            self._elements[space.name], name = elements, f"group.{space.name}"
            self.arrays[name] = np.stack([_moves(space, element) for element in elements])
            words = {"finite": not group.continuous, "dimension": space.dimensionality, "matrices": name}
            self.groups[str(space.name)] = {"group": str(group.name), **words}
        return self._elements[space.name]

    def _type(self, field_type):
        if isinstance(field_type, int):
            self.types.append({"plain": field_type})
            return len(self.types) - 1
        if field_type is None or isinstance(field_type, tuple):
            raise ValueError(f"Modules must have one input and one output type. Received: {field_type}")
        key = field_type.gspace.name, tuple(r.name for r in field_type.representations)
        if key not in self._known:
            fields = [self._representation(field_type.gspace, r) for r in field_type.representations]
            self._known[key] = len(self.types)
            self.types.append({"space": str(field_type.gspace.name), "fields": fields})
        return self._known[key]

    def _representation(self, space, representation):
        name = f"rho.{space.name}.{representation.name}"
        if name not in self.arrays:
            self.arrays[name] = np.stack([np.asarray(representation(e), float) for e in self._space(space)])
        return name


def _moves(space, element):
    """The matrix by which an element moves points; above no space, that of the group's own rotations."""
    if space.dimensionality:
        return np.asarray(space.basespace_action(element), float)
    group = space.fibergroup
    if hasattr(group, "standard_representation"):
        return np.asarray(group.standard_representation()(element), float)
    mirrors = isinstance(element.value, tuple)  # (flip, turn); of a group of rotations the turn alone
    flip, turn = element.value if mirrors else (0, element.value)
    angle = 2 * np.pi * turn * (1 + mirrors) / group.order()
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return rotation @ np.diag([1.0, -1.0 if flip else 1.0])


def _options(module):
    """The plain attributes of a module: numbers, texts, and lists of these."""
    found = {}
    for key, value in vars(module).items():
        plain = _plain(value)
        if plain is not None and key != "training":
            found[key.lstrip("_")] = plain
    function = getattr(module, "_function", getattr(module, "gate_function", None))
    if function is not None:
        found["function"] = getattr(function, "__name__", str(function))
    if hasattr(module, "_rings"):
        found["cutoffs"] = _cutoffs(module)
    if hasattr(module, "gates_indices"):
        found["gates"] = [int(i) for i in module.gates_indices]
        if module._contiguous["gate"]:
            found["gates"] = list(range(*found["gates"]))
    return found


def _plain(value):
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (tuple, list)) and all(isinstance(v, (int, float, str)) for v in value):
        return list(value)
    return None


def _cutoffs(module):
    """For each ring the highest angular frequency in the module's basis."""
    highest = [0] * len(module._rings)
    for element in module.basisexpansion.get_basis_info():
        ring = int(np.argmin(np.abs(np.array(module._rings) - element["radius"])))
        highest[ring] = max(highest[ring], int(element["irrep:frequency"]))
    return highest


def _array(tensor):
    return tensor.detach().cpu().numpy()


def _arrays(kind, module):
    if hasattr(module, "expand_parameters"):
        found = module.expand_parameters()
        kernel, bias = found if isinstance(found, tuple) else (found, None)
        return {"kernel": _array(kernel), **({} if bias is None else {"bias": _array(bias)})}
    if "BatchNorm" in kind:
        return _affine(kind, module)
    if kind in FIXED:
        return {"matrix": _probed(module)}
    found = {name: _array(value) for name, value in module.named_parameters(recurse=False)}
    for name, value in module.named_buffers(recurse=False):
        if "indices" not in name:
            found[name] = _array(value)
    return found


def _probed(module, shift=0.0):
    """The matrix `(channels out, channels in)` of a module that is linear but for a shift."""
    size, dimension = module.in_type.size, module.in_type.gspace.dimensionality
    probes = _known(module).new_tensor(np.eye(size)).reshape(size, size, *[1] * dimension)
    return _array(module(module.in_type(probes)).tensor).reshape(size, -1).T - np.reshape(shift, (-1, 1))


def _known(module):
    """A tensor of floats where the module computes."""
    import torch

    return next((buffer for buffer in module.buffers() if buffer.is_floating_point()), torch.zeros(1))


def _affine(kind, module):
    """What a batch normalization does to every channel at inference, and the statistics of every channel."""
    size, dimension = module.in_type.size, module.in_type.gspace.dimensionality
    zeros = _known(module).new_zeros((1, size) + (1,) * dimension)
    shift = _array(module(module.in_type(zeros)).tensor).ravel()
    found = {"shift": shift, **_statistics(kind, module, size)}
    if kind == "GNormBatchNorm":  # it mixes the channels of a field
        return {**found, "matrix": _probed(module, shift)}
    return {**found, "scale": _array(module(module.in_type(zeros + 1)).tensor).ravel() - shift}


def _statistics(kind, module, size):
    mean, variance, start = np.zeros(size), np.ones(size), 0
    seen = {}
    for field in module.in_type.representations:
        label = field.size if kind in ("InnerBatchNorm", "NormBatchNorm") else field.name
        index = seen[label] = seen.get(label, -1) + 1
        stop = start + field.size
        if kind.startswith("IID"):
            stem = field.name.replace(".", "^")
            variance[start:stop] = float(getattr(module, f"{stem}_running_var")[index, 0])
            if hasattr(module, f"{stem}_running_mean"):
                mean[start:stop] = _array(getattr(module, f"{stem}_running_mean"))[index]
        elif kind == "InnerBatchNorm":
            part = getattr(module, f"batch_norm_[{field.size}]")
            mean[start:stop], variance[start:stop] = float(part.running_mean[index]), float(part.running_var[index])
        elif kind == "NormBatchNorm":
            variance[start:stop] = float(getattr(module, f"{field.size}_running_var")[0, index, 0])
        elif kind == "GNormBatchNorm":
            stem = field.name.replace(".", "^")
            each = getattr(module, f"vars_propagator_{stem}")  # (components, irreps)
            variance[start:stop] = _array(each @ getattr(module, f"{stem}_running_var")[index])
            unmoved = module._trivial_idxs[field.name].numpy()
            mean[start + unmoved] = _array(getattr(module, f"{stem}_running_mean")[index])
        start = stop
    return {"mean": mean, "variance": variance}

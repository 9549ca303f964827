"""Describes a module of escnn as numbers: this file runs wherever escnn does, with NumPy alone beside it.

    python -c "import keras_equivariant.transfer.escnn_writer as w; print(w.__file__)"    # where it lies; copy it

    from escnn_writer import write                                                        # where escnn is installed
    write(module, "trained.npz")

`ke.from_escnn("trained.npz")` makes a Keras model of it. Groups and representations are written as matrices, element by
element, so that no convention of that library has to be known where the file is read.
"""

import json

import numpy as np

FORMAT = 1
SAMPLES = 4  # random elements that tell representations of a continuous group apart


def write(module, path):
    """Writes an escnn module, a SequentialModule mostly, in evaluation mode, to an .npz file."""
    record, arrays = describe(module)
    np.savez_compressed(path, record=np.array(json.dumps(record)), **arrays)


def describe(module):
    """A module as a dict of plain values and a dict of arrays.

    Args:
        module: an EquivariantModule whose layers follow each other.

    Returns:
        `(record, arrays)`. The record has the steps in order: the name of each module's class, its options, the
        number of its input and output type, and the names of its arrays.
    """
    writer = _Writer()
    training = module.training
    module.eval()
    try:
        writer.add("", module)
    finally:
        module.train(training)
    return {"format": FORMAT, "groups": writer.groups, "types": writer.types, "steps": writer.steps}, writer.arrays


class _Writer:
    def __init__(self):
        self.groups, self.types, self.steps, self.arrays = {}, [], [], {}
        self._known, self._elements = {}, {}

    def add(self, name, module):
        kind = type(module).__name__
        if kind == "SequentialModule":
            for key, part in module._modules.items():
                self.add(f"{name}.{key}" if name else key, part)
            return
        step = {"name": name or kind, "kind": kind, "options": _options(module)}
        step["in"], step["out"] = self._type(module.in_type), self._type(module.out_type)
        step["arrays"] = {}
        for key, value in _arrays(kind, module).items():
            place = f"{len(self.steps)}.{key}"
            self.arrays[place], step["arrays"][key] = value, place
        self.steps.append(step)

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
        if field_type is None or isinstance(field_type, tuple):
            raise ValueError(f"Modules must have one input and one output type. Received: {field_type}")
        key = id(field_type.gspace.fibergroup), tuple(r.name for r in field_type.representations)
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
    function = getattr(module, "_function", None)
    if function is not None:
        found["function"] = getattr(function, "__name__", str(function))
    if hasattr(module, "_rings"):
        found["cutoffs"] = _cutoffs(module)
    if hasattr(module, "gates_indices"):
        found["gates_indices"] = [int(i) for i in module.gates_indices]
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
        kernel, bias = module.expand_parameters()
        return {"kernel": _array(kernel), **({} if bias is None else {"bias": _array(bias)})}
    if "BatchNorm" in kind:
        return _affine(kind, module)
    found = {name: _array(value) for name, value in module.named_parameters(recurse=False)}
    for name, value in module.named_buffers(recurse=False):
        if "indices" not in name:
            found[name] = _array(value)
    return found


def _affine(kind, module):
    """What a batch normalization does to every channel at inference, and the statistics of every channel."""
    size, dimension = module.in_type.size, module.in_type.gspace.dimensionality
    known = next(buffer for buffer in module.buffers() if buffer.is_floating_point())
    zeros = known.new_zeros((1, size) + (1,) * dimension)
    shift = module(module.in_type(zeros)).tensor
    scale = module(module.in_type(zeros + 1)).tensor - shift
    return {"scale": _array(scale).ravel(), "shift": _array(shift).ravel(), **_statistics(kind, module, size)}


def _statistics(kind, module, size):
    mean, variance, start = np.zeros(size), np.ones(size), 0
    seen = {}
    for field in module.in_type.representations:
        label = field.name if kind.startswith("IID") else field.size
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
        start = stop
    return {"mean": mean, "variance": variance}

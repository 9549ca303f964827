"""Describes a module of escnn as numbers: this file runs wherever escnn does, with NumPy alone beside it.

    python -c "import keras_equivariant.transfer.escnn_writer as w; print(w.__file__)"    # where it lies; copy it

    from escnn_writer import write                                                        # where escnn is installed
    write(module, "trained.npz")                   # of a module with its own forward: write(module, path, (28, 28))

`ke.from_escnn("trained.npz")` makes a Keras model of it. Groups and representations are written as matrices, element by
element, so that no convention of that library has to be known where the file is read.
"""

import json

import numpy as np

FORMAT = 1
INPUT = -1  # the number that stands for the input among those of steps
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
        output = writer.add("", module, INPUT) if _whole(module) else _trace(writer, module, input_shape)
    finally:
        module.train(training)
    record = {"format": FORMAT, "groups": writer.groups, "types": writer.types, "steps": writer.steps}
    return {**record, "output": output}, writer.arrays


class _Writer:
    def __init__(self):
        self.groups, self.types, self.steps, self.arrays = {}, [], [], {}
        self._known, self._elements, self.types_of = {}, {}, {}

    def add(self, name, module, source):
        """Adds the steps of a module that takes the output of a step, and gives the number of the last."""
        kind = type(module).__name__
        if kind == "SequentialModule":
            for key, part in module._modules.items():
                source = self.add(f"{name}.{key}" if name else key, part, source)
            return source
        if kind == "MultipleModule":
            return self._multiple(name, module, source)
        types = module.in_type, module.out_type
        return self.step(name or kind, kind, *types, [source], _options(module), _arrays(kind, module))

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

    def _multiple(self, name, module, source):
        """Fields by their labels, a module for each label, and all of them one after the other."""
        split, found = module.branching, []
        order = np.arange(module.in_type.size)
        if split.reshuffle_layer is not None:
            order = order[_array(split.reshuffle_layer.indices)]
        for i, labels in enumerate(module.merging._labels):
            if len(labels) != 1:
                raise ValueError(f"A branch must have one label. Received: the labels {labels} of {name}")
            indices = _array(getattr(split, f"indices_{labels[0]}"))
            indices = np.arange(*indices) if split._contiguous[labels[0]] else indices
            part = getattr(module.merging, f"submodule_{i}")
            channels = {"channels": order[indices]}
            taken = self.step(f"{name}_select_{i}", "select", module.in_type, part.in_type, [source], arrays=channels)
            found.append(self.add(f"{name}_{i}", part, taken))
        return self.step(f"{name}_cat", "cat", self.types_of[found[0]], module.out_type, found)

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


PLAIN = "Linear BatchNorm1d Dropout Identity ReLU ELU LeakyReLU Sigmoid Tanh Softplus GELU SiLU".split()


def _whole(module):
    """Whether a module is one of escnn, to be described by its attributes; others are run."""
    kind, origin = type(module).__name__, type(module).__module__
    if origin.split(".")[0] != "escnn" or not hasattr(module, "in_type"):
        return False
    return kind != "SequentialModule" or all(map(_whole, module._modules.values()))


def _plain_layer(module):
    kind, origin = type(module).__name__, type(module).__module__
    return origin.startswith("torch.nn.") and kind in PLAIN


def _trace(writer, module, input_shape):
    """Adds the steps of a module with a `forward` of its own, which runs once on zeros; gives the number of the last.

    Modules of escnn and plain layers of torch are steps; so are what is added and concatenated between them, a mean
    over space, and a reshape of a single pixel to its channels.
    """
    import torch

    parts = [part for part in module.modules() if _whole(part) and part is not module]
    own = getattr(module, "in_type", None) or getattr(module, "input_type", None)
    field_type = own or (parts[0].in_type if parts else None)
    if field_type is None:
        raise ValueError(f"A network must have modules of escnn. Received: {type(module).__name__} without any")
    dimension = field_type.gspace.dimensionality
    if dimension and (input_shape is None or len(input_shape) != dimension or None in input_shape):
        raise ValueError(
            f"A module with a `forward` of its own is run once: give the sizes of its input as `input_shape`, "
            f"{dimension} numbers. Received: {type(module).__name__} with input_shape={input_shape}"
        )
    zeros = torch.zeros(2, field_type.size, *(input_shape or ()))
    seen = _Seen(writer, module, zeros, field_type)
    before = torch.nn.modules.module.register_module_forward_pre_hook(seen.enter)
    after = torch.nn.modules.module.register_module_forward_hook(seen.leave)

    class Watch(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            result = function(*args, **(kwargs or {}))
            if not seen.inside and isinstance(result, torch.Tensor):
                seen.operation(function.__name__, args, kwargs or {}, result)
            return result

    try:
        with torch.no_grad(), Watch():
            result = module(field_type(zeros) if hasattr(module, "in_type") else zeros)
    finally:
        before.remove()
        after.remove()
    return seen.node(result, "the output")


class _Seen:
    """Which tensor came from which step while a module runs."""

    def __init__(self, writer, module, zeros, field_type):
        self.writer, self.module, self.inside = writer, module, 0
        self.names = {id(part): name for name, part in module.named_modules()}
        self.known, self.lost = {id(zeros): (zeros, INPUT)}, {}
        writer.types_of[INPUT] = field_type

    def node(self, x, what):
        x = getattr(x, "tensor", x)
        if id(x) not in self.known:
            cause = self.lost.get(id(x), (x, "an operation that is not followed"))[1]
            raise ValueError(
                "Between modules tensors may be added, concatenated, averaged over all of space and, of one pixel, "
                f"reshaped. Received: {what} comes from {cause}; bring over the parts before and behind it"
            )
        return self.known[id(x)][1]

    def enter(self, part, args):
        self.inside += _whole(part) or _plain_layer(part)

    def leave(self, part, args, output):
        if not (_whole(part) or _plain_layer(part)):
            return
        if self.inside == 1:  # what describes a module runs it, too
            self._keep(output, self._called(part, args))
        self.inside -= 1

    def _called(self, part, args):
        name, kind = self.names.get(id(part), type(part).__name__), type(part).__name__
        if len(args) != 1:
            raise ValueError(f"A module must take one tensor. Received: {name} ({kind}) with {len(args)}")
        source = self.node(args[0], f'the input of "{name}"')
        if _whole(part):
            return self.writer.add(name, part, source)
        before = self.writer.types_of[source]
        after = part.out_features if kind == "Linear" else before
        arrays = _arrays("", part)
        return self.writer.step(name, f"torch.{kind}", before, after, [source], _options(part), arrays)

    def _keep(self, x, node):
        x = getattr(x, "tensor", x)
        self.known[id(x)] = x, node

    def operation(self, name, args, kwargs, result):
        """Follows one operation on tensors outside the modules."""
        flat = [one for a in (*args, *kwargs.values()) for one in (a if isinstance(a, (list, tuple)) else (a,))]
        tensors = [a for a in flat if hasattr(a, "is_floating_point")]
        known = [a for a in tensors if id(a) in self.known]
        if not known:
            if any(id(a) in self.lost for a in tensors):
                self.lost[id(result)] = result, name
            return
        step = self._step(name, tensors, args, kwargs, result) if len(known) == len(tensors) else None
        if step is None:
            self.known.pop(id(result), None)
            self.lost[id(result)] = result, f'"{name}" of torch'
        else:
            self._keep(result, step)

    def _step(self, name, tensors, args, kwargs, result):
        nodes = [self.known[id(x)][1] for x in tensors]
        x, before = tensors[0], self.writer.types_of[nodes[0]]
        space, left = tuple(x.shape[2:]), tuple(result.shape[2:])
        if name in ("add", "__add__", "__iadd__", "add_", "__radd__") and len(nodes) == 2 and not kwargs:
            return self.writer.step("add", "add", before, before, nodes)
        if name in ("cat", "concat", "concatenate") and result.shape[1] == sum(x.shape[1] for x in tensors):
            types = [self.writer.types_of[node] for node in nodes]
            if any(isinstance(one, int) for one in types):
                return None
            joined = type(before)(before.gspace, [field for one in types for field in one.representations])
            return self.writer.step("cat", "cat", before, joined, nodes)
        if name in ("contiguous", "clone", "detach", "float", "to"):
            return nodes[0]
        if set(left) <= {1} and result.shape[:2] == x.shape[:2]:
            if name in ("view", "reshape", "flatten", "squeeze") and set(space) <= {1}:
                return self.writer.step("flatten", "flatten", before, before, nodes) if space and not left else nodes[0]
            windows = name.startswith("avg_pool") and len(args) <= 3 and _covers(space, *args[1:], **kwargs)
            if space and (windows or name == "mean" or name.startswith("adaptive_avg_pool")):
                return self.writer.step("mean", "mean", before, before, nodes, {"keepdims": bool(left)})
        return None


def _covers(space, kernel=None, stride=None, kernel_size=None, **options):
    """Whether the window of a pooling to a single pixel is all of space."""
    kernel = kernel if kernel_size is None else kernel_size
    return not options and tuple(np.broadcast_to(kernel, len(space))) == space

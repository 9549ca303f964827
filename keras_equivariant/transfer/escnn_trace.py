"""Follows a module of escnn with a `forward` of its own, beside `escnn_writer.py`, which describes its modules."""

import numpy as np

INPUT = -1  # the number that stands for the input among those of steps
PLAIN = """Linear BatchNorm1d BatchNorm2d BatchNorm3d Dropout Identity ReLU ELU LeakyReLU Sigmoid Tanh Softplus GELU
SiLU Softmax LogSoftmax""".split()
FUNCTIONS = {"relu": "ReLU", "elu": "ELU", "leaky_relu": "LeakyReLU", "sigmoid": "Sigmoid", "tanh": "Tanh",
             "gelu": "GELU", "silu": "SiLU", "softmax": "Softmax", "log_softmax": "LogSoftmax",
             "dropout": "Dropout"}  # fmt: skip
SUMS = {"add": "add", "iadd": "add", "radd": "add", "sub": "subtract", "isub": "subtract"}
SCALES = {"mul": 1, "imul": 1, "rmul": 1, "div": -1, "truediv": -1, "itruediv": -1}
REST = (Ellipsis, slice(None))


def whole(module):
    """Whether a module is one of escnn, to be described by its attributes; others are run."""
    kind, origin = type(module).__name__, type(module).__module__
    if origin.split(".")[0] != "escnn" or not hasattr(module, "in_type"):
        return False
    return kind != "SequentialModule" or all(map(whole, module._modules.values()))


def _plain_layer(module):
    kind, origin = type(module).__name__, type(module).__module__
    return origin.startswith("torch.nn.") and kind in PLAIN


def trace(writer, module, input_shape):
    """Adds the steps of a module with a `forward` of its own, which runs once on zeros; gives the number of the last.

    Modules of escnn and plain layers of torch are steps; so are what is added and concatenated between them, a mean
    over space, and a reshape of a single pixel to its channels.
    """
    import torch

    parts = [part for part in module.modules() if whole(part) and part is not module]
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
    typed = _takes_types(module, field_type, zeros)
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
            result = module(field_type(zeros) if typed else zeros)
    finally:
        before.remove()
        after.remove()
    return seen.node(result, "the output")


def _takes_types(module, field_type, zeros):
    """Whether a module takes tensors with a type, as modules of escnn do, rather than wrapping plain ones itself."""
    import torch
    from escnn.nn import EquivariantModule

    if isinstance(module, EquivariantModule):
        return True
    try:
        with torch.no_grad():
            module(zeros.clone())
    except (AssertionError, AttributeError, TypeError):
        return True
    return False


class _Seen:
    """Which tensor came from which step while a module runs."""

    def __init__(self, writer, module, zeros, field_type):
        self.writer, self.module, self.inside = writer, module, 0
        self.names = {id(part): name for name, part in module.named_modules()}
        self.known, self.lost = {id(zeros): (zeros, [INPUT])}, {}
        writer.types_of[INPUT] = field_type

    def node(self, x, what):
        if isinstance(x, dict):
            return {label: self.node(one, what) for label, one in x.items()}
        found = self.known.get(id(getattr(x, "tensor", x)))
        if found is None:
            cause = self.lost.get(id(getattr(x, "tensor", x)), (x, "an operation that is not followed"))[1]
            raise ValueError(
                "Between modules tensors may be added, subtracted, scaled, concatenated, split into fields, averaged "
                f"over all of space and, of one pixel, reshaped. Received: {what} comes from {cause}; bring over the "
                "parts before and behind it"
            )
        return self._typed(x.type, found[1], what) if hasattr(x, "tensor") else found[1][-1]

    def _typed(self, wanted, nodes, what):
        """The last of the steps that gave a tensor whose type is the wanted one; `x.restrict` changes nothing else."""
        types = [self.writer.types_of[node] for node in nodes]
        for node, known in zip(nodes[::-1], types[::-1], strict=True):
            if known == wanted:
                return node
        names = [field.name for field in wanted.representations]
        if types[-1].gspace == wanted.gspace or sum(f.size for f in types[-1].representations) != wanted.size:
            raise ValueError(
                f"A tensor must keep the type of the module that it comes from. Received: {what} of the fields {names} "
                f"where {types[-1]} came out; give the module before it this type"
            )
        nodes.append(self.writer.step("restrict", "RestrictionModule", types[-1], wanted, [nodes[-1]]))
        return nodes[-1]

    def enter(self, part, args):
        self.inside += whole(part) or _plain_layer(part)

    def leave(self, part, args, output):
        if not (whole(part) or _plain_layer(part)):
            return
        if self.inside == 1:  # what describes a module runs it, too
            self._keep(output, self._called(part, args))
        self.inside -= 1

    def _called(self, part, args):
        name = self.names.get(id(part), type(part).__name__)
        sources = [self.node(one, f'the input of "{name}"') for one in args]
        source = sources[0] if len(sources) == 1 else sources
        return self.writer.add(name, part, source) if whole(part) else self.writer.plain(name, part, source)

    def _keep(self, x, node):
        if isinstance(node, dict):
            for label, one in node.items():
                self._keep(x[label], one)
            return
        x = getattr(x, "tensor", x)
        _, nodes = self.known.setdefault(id(x), (x, []))
        nodes.append(node)

    def operation(self, name, args, kwargs, result):
        """Follows one operation on tensors outside the modules."""
        flat = [one for a in (*args, *kwargs.values()) for one in (a if isinstance(a, (list, tuple)) else (a,))]
        tensors = [a for a in flat if hasattr(a, "is_floating_point")]
        known = [a for a in tensors if id(a) in self.known]
        if not known:
            if any(id(a) in self.lost for a in tensors):
                self.lost[id(result)] = result, name
            return
        numbers = [float(a) for a in flat if isinstance(a, (int, float)) or (_number(a) and id(a) not in self.known)]
        whole = len(known) + sum(map(_number, tensors)) >= len(tensors)
        step = self._step(name.strip("_"), known, numbers, args, kwargs, result) if whole else None
        if step is None:
            self.known.pop(id(result), None)
            self.lost[id(result)] = result, f'"{name}" of torch'
        else:
            self._keep(result, step)

    def _step(self, name, tensors, numbers, args, kwargs, result):
        write, nodes = self.writer.step, [self.known[id(x)][1][-1] for x in tensors]
        x, before = tensors[0], self.writer.types_of[nodes[0]]
        space, left = tuple(x.shape[2:]), tuple(result.shape[2:])
        if name in SUMS and len(nodes) == 2 and not kwargs:
            return write(SUMS[name], SUMS[name], before, before, nodes)
        if name in SCALES and len(nodes) == len(numbers) == 1 and not kwargs:
            factor = numbers[0] if SCALES[name] > 0 else 1 / numbers[0]
            return write("scale", "scale", before, before, nodes, {"factor": factor})
        if name in ("cat", "concat", "concatenate") and result.shape[1] == sum(x.shape[1] for x in tensors):
            types = [self.writer.types_of[node] for node in nodes]
            if any(isinstance(one, int) for one in types):
                return None
            joined = type(before)(before.gspace, [field for one in types for field in one.representations])
            return write("cat", "cat", before, joined, nodes)
        if name in ("contiguous", "clone", "detach", "float", "to"):
            return nodes[0]
        if name in FUNCTIONS and result.shape == x.shape and len(nodes) == 1:
            return self._function(name, before, nodes, numbers, kwargs)
        if name == "getitem" and result.shape[:1] + left == x.shape[:1] + space:
            return self._fields(before, nodes, args[1])
        if set(left) <= {1} and result.shape[:2] == x.shape[:2]:
            if name in ("view", "reshape", "flatten", "squeeze", "getitem") and set(space) <= {1}:
                return write("flatten", "flatten", before, before, nodes) if space and not left else nodes[0]
            windows = name.startswith("avg_pool") and len(args) <= 3 and _covers(space, *args[1:], **kwargs)
            if space and (windows or name in ("mean", "amax") or name.startswith("adaptive_avg_pool")):
                return write("mean", "mean", before, before, nodes, {"keepdims": bool(left), "max": name == "amax"})
        return None

    def _function(self, name, before, nodes, numbers, kwargs):
        """A function of torch as the layer of torch that is the same."""
        options = {key: value for key, value in kwargs.items() if isinstance(value, (int, float)) and key != "inplace"}
        if numbers and name == "dropout":
            options["p"] = numbers[0]
        elif numbers and name != "softmax" and name != "log_softmax":
            return None
        defaults = {"elu": {"alpha": 1.0}, "leaky_relu": {"negative_slope": 0.01}, "dropout": {"p": 0.5}}
        kind = f"torch.{FUNCTIONS[name]}"
        return self.writer.step(name, kind, before, before, nodes, {**defaults.get(name, {}), **options})

    def _fields(self, before, nodes, index):
        """The fields that a slice of the channels holds, or None."""
        if isinstance(before, int) or not isinstance(index, tuple) or len(index) < 2 or index[0] != slice(None):
            return None
        if not isinstance(index[1], slice) or index[1].step not in (None, 1) or any(i not in REST for i in index[2:]):
            return None
        start, stop, _ = index[1].indices(before.size)
        ends = np.cumsum([0, *(field.size for field in before.representations)]).tolist()
        if start not in ends or stop not in ends or start >= stop:
            return None
        after = type(before)(before.gspace, before.representations[ends.index(start) : ends.index(stop)])
        return self.writer.step("fields", "select", before, after, nodes, arrays={"channels": np.arange(start, stop)})


def _number(x):
    """Whether it is a tensor of one number."""
    return hasattr(x, "is_floating_point") and x.numel() == 1 and not x.shape


def _covers(space, kernel=None, stride=None, kernel_size=None, **options):
    """Whether the window of a pooling to a single pixel is all of space."""
    kernel = kernel if kernel_size is None else kernel_size
    return not options and tuple(np.broadcast_to(kernel, len(space))) == space

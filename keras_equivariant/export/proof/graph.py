"""A network as a list of operations in one vocabulary, whichever file it was read from.

| kind          | inputs              | options                                                               |
|---------------|---------------------|-----------------------------------------------------------------------|
| `convolution` | x, kernel, bias     | `axes`, `channels`, `groups`, `transposed`, window (see `Window`),    |
|               |                     | `lanes`, whether its integers are rounded in two ways                 |
| `dense`       | x, kernel, bias     | `axis`                                                                |
| `matrix`      | x, matrix           | `axis`: of space, along which the matrix has its columns              |
| `product`     | x, y                | `transposed`, of which of both the last two axes are swapped          |
| `einsum`      | x, y                | `labels`, of the axes of x, of y and of the result                    |
| `pool`        | x                   | `mode`, `axes`, window                                                |
| `pointwise`   | any number          | `name`                                                                |
| `along`       | x                   | `name`, `axis`, or several: a function of all entries, such as softmax |
| `reduce`      | x, axes             | `mode`, `keepdims`                                                    |
| `reshape`     | x, shape            |                                                                       |
| `transpose`   | x, order            |                                                                       |
| `concatenate` | any number          | `axis`                                                                |
| `split`       | x                   | `axis`, `sizes`                                                       |
| `stack`       | any number          | `axis`, a new one                                                     |
| `unstack`     | x                   | `axis`, which its parts do not have                                   |
| `slice`       | x                   | `index`: function of the shape to a tuple of slices and integers      |
| `gather`      | x, indices          | `axis`                                                                |
| `flip`        | x, axes             | `axis`, where there are no axes                                       |
| `pad`         | x, pads             | `mode`, `value`                                                       |
| `resize`      | x                   | `axes`, `sizes` (function of the old ones), `mode`, `symmetric`,      |
|               |                     | `rounds`, whether places between pixels are rounded to other ones     |
| `repeat`      | x, counts           | copies of the whole tensor along each axis                            |
| `shape`       | x                   |                                                                       |

Kernels have the shape `(*space, inputs / groups, outputs)` whatever the file's own order is.
"""

import dataclasses

BATCH = 10007  # stands for the unknown number of examples; a prime, so that no other size is mistaken for it


class NotCovered(Exception):
    """An operation, or a use of it, about which nothing is proved; the message says which."""


@dataclasses.dataclass
class Node:
    """One operation.

    Attributes:
        kind: one of the table above; anything else is not covered.
        name: of the layer or operation, as the file has it.
        operation: its type, as the file has it.
        inputs, outputs: keys of tensors; None for an input that is left out.
        options: see the table above; `unfolded` of a layer that `fold` would make stock layers.
        scales: how the integers of each input and output are scaled, as hashable values; None for floats.
        evaluate: function of arrays, for an operation on constants.
        activation: name of the function that is applied to the output, or None.
    """

    kind: str
    name: str
    operation: str
    inputs: tuple
    outputs: tuple
    options: dict = dataclasses.field(default_factory=dict)
    scales: tuple | None = None
    evaluate: object = None
    activation: str | None = None

    def described(self, describe, *arguments):
        """Fills in the node by a function of the reader's; what that cannot make sense of has no kind."""
        try:
            describe(*arguments[:1], self, *arguments[1:])
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            self.kind = ""


@dataclasses.dataclass
class Graph:
    """A network.

    Attributes:
        name: of the file or model.
        inputs: dict from the key of a tensor to its shape, None where a size is unknown.
        outputs: dict from the key of a tensor to its name.
        nodes: Nodes in an order in which they can be computed.
        constants: dict from the key of a tensor to its array.
        group: the Group that layers which are not folded name; None where there are none.
    """

    name: str
    inputs: dict
    outputs: dict
    nodes: list
    constants: dict
    group: object = None

    @property
    def moves_maps(self):
        """Whether the network itself moves maps, as one that is averaged over a group does."""
        return any(node.kind == "flip" for node in self.nodes)


@dataclasses.dataclass(frozen=True)
class Window:
    """What a window does along one axis: position o of the output sees the input at o s + t d - before.

    Attributes:
        size, stride, dilation: of the window.
        before: padding at the low end.
        old, new: sizes of input and output.
        transposed: a convolution run backwards, where input i meets the output at i s + t d - before.
    """

    size: int
    stride: int
    dilation: int
    before: int
    old: int
    new: int
    transposed: bool = False

    def flipped(self):
        """The window that does the same to the mirror image of the input."""
        few, many = (self.old, self.new) if self.transposed else (self.new, self.old)
        after = (few - 1) * self.stride + (self.size - 1) * self.dilation + 1 - many - self.before
        return dataclasses.replace(self, before=after)

    @property
    def trivial(self):
        return self.size == self.stride == 1 and self.before == 0 and self.old == self.new


@dataclasses.dataclass(frozen=True)
class Weights:
    """What a matrix does along an axis, by the bytes of the matrix and of the one with both axes reversed."""

    matrix: bytes
    reversed: bytes

    def flipped(self):
        return Weights(self.reversed, self.matrix)


def whole_factors(ends):
    """Whether sizes `(old, new)` are enlarged by whole factors, so that repeating the nearest number is symmetric."""
    return all(new % old == 0 for old, new in ends)


def nearest_centers(ends):
    """Whether one of `old` numbers is nearest to each of `new` places, evenly over the same length, never two."""
    return all((2 * place + 1) * old % (2 * new) for old, new in ends for place in range(new))


def whole_steps(ends, corners, unit=1024):
    """Whether the places between `old` pixels that lie evenly, `new` of them, are whole parts of a pixel.

    Args:
        ends: pairs `(old, new)`.
        corners: whether the outermost places are the outermost pixels; else their edges coincide.
        unit: parts of a pixel, those of the integer kernels of TFLite.

    One pixel is the nearest at every place, rounded or not.
    """
    if corners:
        return all(new == 1 or unit * (old - 1) % (new - 1) == 0 for old, new in ends)
    return all(old == 1 or unit * old % (2 * new) == 0 for old, new in ends)


def window(old, size, stride, dilation, padding, transposed=False):
    """The Window along an axis of `old` entries.

    Args:
        padding: `"same"`, `"valid"`, or the numbers of zeros at both ends; of a transposed convolution the size of the
            output, and `(before, new)`.
    """
    extent = (size - 1) * dilation + 1
    if transposed:
        before, new = padding
        return Window(size, stride, dilation, before, old, new, True)
    if padding == "same":
        new = -(-old // stride)
        before = max((new - 1) * stride + extent - old, 0) // 2
    else:
        before, after = (0, 0) if padding == "valid" else padding
        new = (old + before + after - extent) // stride + 1
    return Window(size, stride, dilation, before, old, new)

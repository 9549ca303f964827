"""How many channels a tensor has in the new network: which tensors must have as many as each other."""

import math

from keras_equivariant.stock.traits import traits


class Channels:
    """The channels of tensors that must stay as many as each other, for they are added, multiplied or passed on.

    Args:
        size: channels in the original.
        fixed: whether the number must stay, that of an input or a prediction.
        parts: Channels side by side of which it is the sum.

    Attributes:
        regular: whether any of the tensors has a group axis.
        sums: the parts of each of the tensors that has some.
        divisor: the number is to be divisible by this, as far as there are as many.
    """

    def __init__(self, size, fixed=False, parts=()):
        self._parent = None
        self.size = size
        self.fixed = fixed
        self.sums = [tuple(parts)] if parts else []
        self.regular = False
        self.divisor = 1

    @property
    def root(self):
        """The one that stands for all that were joined."""
        found = self
        while found._parent is not None:
            found = found._parent
        return found

    def join(self, other):
        """Makes both numbers one."""
        a, b = self.root, other.root
        if a is not b:
            b._parent = a
            a.fixed = a.fixed or b.fixed
            a.regular = a.regular or b.regular
            a.sums = a.sums + b.sums
            a.divisor = math.lcm(a.divisor, b.divisor)

    def fix(self):
        """Lets the number stay, and those that it is the sum of."""
        self.root.fixed = True
        for part in {part.root for parts in self.root.sums for part in parts if not part.root.fixed}:
            part.fix()

    @property
    def scaled(self):
        """Whether the number changes: with a group axis, and of neither an input nor a prediction."""
        return self.root.regular and not self.root.fixed


class Widths:
    """Fields for channels.

    Args:
        found: all Channels of a network.
        width: fields for each channel.

    Attributes:
        unit: channels that always become as many fields, where numbers must add up in several ways; None elsewhere.
    """

    def __init__(self, found, width):
        self.width = width
        self.unit = None
        roots = list(dict.fromkeys(one.root for one in found if one.scaled))
        if any(len(self._sums(root)) > 1 for root in roots):
            self.unit = math.gcd(*(root.size for root in roots))

    def __call__(self, channels):
        """The number in the new network of these Channels."""
        return self._number(channels.root, ())

    def _sums(self, root, above=()):
        """The numbers that the parts of a root add up to; two where it is a part of itself."""
        if root in above:
            return {-1, -2}
        return {sum(self._number(part.root, (*above, root)) for part in parts) for parts in root.sums}

    def _number(self, root, above):
        if not root.scaled:
            return root.size
        if self.unit:
            return root.size // self.unit * max(1, round(self.unit * self.width))
        if root.sums:
            return min(self._sums(root, above))
        wanted = root.size * self.width
        if root.divisor <= wanted:
            return root.divisor * max(1, round(wanted / root.divisor))
        return max(1, round(wanted))


def is_depthwise(layer, channels):
    """Whether every output channel of a convolution follows from one input channel."""
    if hasattr(layer, "pointwise_initializer"):  # a separable one, whose second half mixes them
        return False
    groups = getattr(layer, "groups", 1)
    return hasattr(layer, "depth_multiplier") or (groups == channels and groups > 1)


def is_transposed(layer):
    """Whether a convolution spreads pixels."""
    return traits(layer).transposed

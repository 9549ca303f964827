"""How many channels a tensor has in the new network: which tensors must have as many as each other."""

import math


class Channels:
    """The channels of tensors that must stay as many as each other, for they are added, multiplied or passed on.

    Attributes:
        size: channels in the original.
        fixed: whether the number must stay, that of an input or a prediction.
        regular: whether any of the tensors has a group axis.
        derived: whether the number follows from other tensors: parts side by side, a depth multiplier.
        bound: whether a number that follows from other tensors must equal one that does not, or another such.
        divisor: the number is to be divisible by this, as far as there are as many.
    """

    def __init__(self, size, fixed=False, derived=False):
        self._parent = None
        self.size = size
        self.fixed = fixed
        self.derived = derived
        self.regular = False
        self.bound = False
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
            a.bound = a.bound or b.bound or a.derived or b.derived
            a.derived = a.derived or b.derived
            a.divisor = math.lcm(a.divisor, b.divisor)

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
        unit: channels that always become as many fields, where numbers must add up; None elsewhere.
    """

    def __init__(self, found, width):
        self.width = width
        sized = [one.root for one in found if one.scaled and one.root.size]
        # Numbers that follow from others and must equal a third keep one proportion.
        self.unit = math.gcd(*(one.size for one in sized)) if any(one.bound for one in sized) else None

    def __call__(self, channels):
        """The number in the new network of these Channels."""
        root = channels.root
        if not root.scaled:
            return root.size
        wanted = root.size * self.width
        if self.unit:
            return root.size // self.unit * max(1, round(self.unit * self.width))
        if root.divisor <= wanted:
            return root.divisor * max(1, round(wanted / root.divisor))
        return max(1, round(wanted))

"""What was proved of a file, as values: printed as a table, saved as JSON."""

import dataclasses
import json

from keras_equivariant.utils.files import write_text
from keras_equivariant.utils.text import table

_EXACT = "for every input, bit for bit: integers are added in any order alike, and the same integers are rounded alike"
_SUMS = "for every input, up to the order of sums: the same floats are multiplied, and added in another order"
_STEPS = "; where such a sum is rounded to a step or compared, the step may be the next one"


@dataclasses.dataclass(frozen=True)
class Layer:
    """One operation of the network.

    Attributes:
        name, operation: as the file has them.
        channels: numbers that the layer computes at one pixel.
        orbits: how many orbits the group has on them; None where it does not permute them.
        problem: why it does not commute with the group, or is not covered; None where it does.
    """

    name: str
    operation: str
    channels: int | None = None
    orbits: int | None = None
    problem: str | None = None


@dataclasses.dataclass(frozen=True)
class Proof:
    """What `prove` found; `print(proof)` shows it.

    Attributes:
        file: name of what was read.
        group: the group that was asked about, or the largest that was found.
        elements: names of the elements that were asked about: those that map the pixel grid onto itself.
        proved: names of the elements that the network commutes with.
        integers: whether all sums are of integers, so that the proof is bit for bit.
        steps_of_sums: whether sums of floats are rounded to steps or compared, as before a layer of integers.
        outputs: dict from output to `"invariant"`, `"permuted"` (its channels), or None where nothing is proved.
        layers: a Layer per operation on the features.
        layer: name of the first layer that does not commute with the elements that are not proved; None if all are.
        reason: what is wrong with it.
        covered: False where that layer is of a kind about which nothing can be proved by permutations.
    """

    file: str
    group: str | None
    elements: tuple
    proved: tuple
    integers: bool
    outputs: dict
    layers: tuple
    layer: str | None = None
    reason: str | None = None
    covered: bool = True
    steps_of_sums: bool = False

    @property
    def verdict(self):
        """`"proved"`, `"not proved"` or `"not covered"`."""
        if len(self.proved) == len(self.elements) > 1:
            return "proved"
        return "not proved" if self.covered else "not covered"

    @property
    def holds(self):
        """How the law holds where it is proved."""
        if self.integers:
            return _EXACT
        return _SUMS + _STEPS if self.steps_of_sums else _SUMS

    def to_dict(self):
        """The proof as numbers, strings, lists and dicts."""
        return {"verdict": self.verdict, "holds": self.holds, **dataclasses.asdict(self)}

    def save(self, path):
        """Writes `to_dict()` as JSON."""
        write_text(path, json.dumps(self.to_dict(), indent=2) + "\n")

    def summary(self):
        """The verdict in one line."""
        of = f"{len(self.proved)} of {len(self.elements)} elements"
        if self.verdict == "proved":
            return f"{self.group}: proved ({of}) {self.holds}"
        if self.verdict == "not covered":
            return f'{self.group}: not covered: layer "{self.layer}": {self.reason}'
        return f'{self.group}: not proved ({of} are): layer "{self.layer}": {self.reason}'

    def __str__(self):
        rows = [
            (layer.name, layer.operation, "" if layer.channels is None else layer.channels, _action(layer))
            for layer in self.layers
        ]
        header = ("layer", "operation", "channels", "the group")
        lines = [f"{self.file}", *table(header, rows)]
        lines += [f"{name}: {action or 'nothing proved'}" for name, action in self.outputs.items()]
        return "\n".join([*lines, self.summary()])


def _action(layer):
    if layer.problem is not None:
        return layer.problem
    if layer.orbits is None:
        return "permutes them among layers"
    return "leaves them" if layer.orbits == layer.channels else f"permutes them in {layer.orbits} orbits"

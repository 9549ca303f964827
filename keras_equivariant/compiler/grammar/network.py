"""A network as a tree of layers, all parameters filled in: what the expansion makes and the linter and builder walk."""

import dataclasses

from keras_equivariant.compiler.grammar.errors import Where


@dataclasses.dataclass(frozen=True)
class LayerEntry:
    """One layer.

    Attributes:
        layer: class name, a key of `registry.layer_classes()`.
        arguments: constructor arguments, plain values.
        where: its place in the spec.
    """

    layer: str
    arguments: dict
    where: Where

    def to_dict(self):
        """The entry as a spec writes it."""
        return {self.layer: dict(self.arguments)} if self.arguments else self.layer


@dataclasses.dataclass(frozen=True)
class Branches:
    """Several paths from one tensor, merged into one.

    Attributes:
        keyword: `"residual"` (its branches are main and shortcut) or `"parallel"`.
        branches: tuple of tuples of entries; an empty one passes its input on.
        merge: the LayerEntry that joins them.
        where: its place in the spec.
    """

    keyword: str
    branches: tuple
    merge: LayerEntry
    where: Where

    def to_dict(self):
        """The entry as a spec writes it."""
        lists = [[entry.to_dict() for entry in branch] for branch in self.branches]
        merge = {"merge": self.merge.to_dict()}
        if self.keyword == "residual":
            return {"residual": {"main": lists[0], "shortcut": lists[1], **merge}}
        return {"parallel": {"branches": lists, **merge}}

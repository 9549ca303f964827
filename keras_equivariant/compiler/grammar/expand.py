"""Blocks, repeats, branches and conditions unrolled: from the tree of a spec to the tree of its network.

An entry of a list of layers is one of

    Name | Name: value | Name: {argument: value}        a layer
    block | block: value | block: {parameter: value}    a block of this spec; shadows what it is named after,
                                                        except inside its own body
    repeat: {times: n, index: i, body: [...]}           n times the body; i, if given, counts from 0
    residual: {main: [...], shortcut: [...], merge: Add}
    parallel: {branches: [[...], ...], merge: Concatenate}
    when: {test: ${...}, then: [...], else: [...]}
"""

import dataclasses

from keras_equivariant.compiler.grammar import arguments, registry
from keras_equivariant.compiler.grammar.errors import SpecError
from keras_equivariant.compiler.grammar.expressions import resolve
from keras_equivariant.compiler.grammar.limits import MAX_DEPTH, MAX_GROUPS, MAX_LAYERS, MAX_STEPS
from keras_equivariant.compiler.grammar.network import Branches, LayerEntry
from keras_equivariant.compiler.grammar.nodes import Node, kind_of
from keras_equivariant.compiler.grammar.parameters import block_parameters, declared
from keras_equivariant.utils.text import nearest

STRUCTURES = ("parallel", "repeat", "residual", "when")


@dataclasses.dataclass(frozen=True)
class Block:
    """A macro of a spec: parameters (Nodes of their defaults) and a body."""

    parameters: dict
    body: Node


@dataclasses.dataclass(frozen=True)
class _Context:
    """Where the expansion stands: the parameters in sight, the blocks being expanded, the lines that called them."""

    scope: dict
    blocks: tuple = ()
    calls: tuple = ()
    depth: int = 0

    def deeper(self, node, **changes):
        if self.depth == MAX_DEPTH:
            raise node.error(f"blocks, repeats and branches must be nested at most {MAX_DEPTH} deep")
        return dataclasses.replace(self, depth=self.depth + 1, **changes)


def expand(layers, blocks, defaults, parameters):
    """The entries of a network.

    Args:
        layers: Node of the spec's `layers`.
        blocks: Node of the spec's `blocks`, or None.
        defaults: Node of the spec's `defaults`, or None.
        parameters: dict of the spec's parameters.

    Returns:
        A tuple of `LayerEntry` and `Branches`.

    Raises:
        SpecError: whatever is wrong with an entry, or too many of them.
    """
    expander = _Expander(_read_blocks(blocks), _read_defaults(defaults, parameters), parameters)
    return expander.entries(layers, _Context(parameters), "`layers`")


def _read_blocks(node):
    blocks = {}
    for name, block in ({} if node is None or node.value is None else node.mapping("`blocks`")).items():
        if not isinstance(name, str) or not name.isidentifier() or not name[0].islower():
            raise block.error("a block's name must be a plain word that begins in lower case")
        found = block.mapping("a block", ("params", "body"), ("body",))
        found["body"].sequence("`body`")
        blocks[name] = Block(declared(found.get("params"), "`params`"), found["body"])
    return blocks


def _read_defaults(node, parameters):
    found = {} if node is None or node.value is None else node.mapping("`defaults`")
    return {
        arguments.layer_name(name, given): arguments.check(name, given.mapping("the defaults of a layer"), parameters)
        for name, given in found.items()
    }


class _Expander:
    def __init__(self, blocks, defaults, parameters):
        self.blocks, self.defaults, self.parameters = blocks, defaults, parameters
        self.steps = self.layers = 0
        self.groups = set()

    def entries(self, node, context, what):
        found = []
        for item in node.sequence(what):
            self._step(item)
            found += self._entry(item, context)
        return tuple(found)

    def _step(self, node):
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise node.error(f"a spec must unroll in at most {MAX_STEPS} steps; fewer repeats, please")

    def _entry(self, node, context):
        if isinstance(node.value, dict):
            if len(node.value) != 1:
                names = ", ".join(f'"{key}"' for key in node.value) or "none"
                raise node.error(f"an entry must name one layer, its arguments indented below it. Received: {names}")
            name, value = next(iter(node.value.items()))
        else:
            name, value = node.value, None
        if not isinstance(name, str):
            raise node.error(f"an entry must be the name of a layer or block. Received: {kind_of(name)}")
        where = value.where if value else node.where.key(name)
        if name in self.blocks and (name not in context.blocks or not _known(name)):
            return self._block(name, value, where, context)
        if name in STRUCTURES:
            return getattr(self, f"_{name}")(value or Node(None, where), context)
        if name not in registry.layer_classes():
            raise where.error(f"unknown layer. {nearest(name, [*registry.layer_classes(), *self.blocks, *STRUCTURES])}")
        return [self._layer(name, value, where, context)]

    def _layer(self, name, value, where, context):
        self.layers += 1
        if self.layers > MAX_LAYERS:
            raise where.error(f"a network must have at most {MAX_LAYERS} layers")
        given = arguments.given(name, value)
        values = arguments.complete(name, given, self.defaults.get(name, {}), where, context.scope)
        self.groups.add(values.get("group"))
        if len(self.groups) > MAX_GROUPS:
            raise where.error(f"a network must have at most {MAX_GROUPS} different groups")
        return LayerEntry(name, values, dataclasses.replace(where, calls=context.calls))

    def _block(self, name, value, where, context):
        block = self.blocks[name]
        if name in context.blocks:
            circle = " -> ".join([*context.blocks[context.blocks.index(name) :], name])
            raise where.error(f"blocks must not call themselves: {circle}")
        given = {} if value is None or value.value is None else value.value
        if not isinstance(given, dict):
            if not block.parameters:
                raise where.error(f'the block "{name}" takes no parameters. Received: {value.kind}')
            given = {next(iter(block.parameters)): value}
        given = {key: Node(resolve(item, context.scope), item.where) for key, item in given.items()}
        inner = context.deeper(
            where,
            scope=block_parameters(name, block.parameters, given, where, self.parameters),
            blocks=(*context.blocks, name),
            calls=(where.line, *context.calls),
        )
        try:
            return self.entries(block.body, inner, "`body`")
        except SpecError as error:
            raise error.called_at(where.line) from None

    def _repeat(self, node, context):
        found = node.mapping("`repeat`", ("times", "index", "body"), ("times", "body"))
        times = resolve(found["times"], context.scope)
        if isinstance(times, float) and times.is_integer():
            times = int(times)
        if isinstance(times, bool) or not isinstance(times, int) or not 0 <= times <= MAX_LAYERS:
            raise found["times"].error(f"must be a whole number from 0 to {MAX_LAYERS}. Received: {kind_of(times)}")
        index = found["index"] if "index" in found else None
        if index is not None and not (isinstance(index.value, str) and index.value.isidentifier()):
            raise index.error(f"must be a plain word, the name of the counter. Received: {index.kind}")
        entries = []
        for i in range(times):
            self._step(node)
            scope = {**context.scope, index.value: i} if index else context.scope
            entries += self.entries(found["body"], context.deeper(node, scope=scope), "`body`")
        return entries

    def _when(self, node, context):
        found = node.mapping("`when`", ("test", "then", "else"), ("test", "then"))
        test = resolve(found["test"], context.scope)
        if not isinstance(test, bool):
            raise found["test"].error(f"must be true or false. Received: {kind_of(test)}")
        chosen = found.get("then" if test else "else")
        return self.entries(chosen, context.deeper(node), "`then` and `else`") if chosen else []

    def _residual(self, node, context):
        found = node.mapping("`residual`", ("main", "shortcut", "merge"), ("main",))
        inner = context.deeper(node)
        main = self.entries(found["main"], inner, "`main`")
        shortcut = found.get("shortcut")
        shortcut = self.entries(shortcut, inner, "`shortcut`") if shortcut and shortcut.value is not None else ()
        return [self._branches("residual", (main, shortcut), found.get("merge"), "Add", node, context)]

    def _parallel(self, node, context):
        found = node.mapping("`parallel`", ("branches", "merge"), ("branches", "merge"))
        inner = context.deeper(node)
        branches = tuple(self.entries(b, inner, "a branch") for b in found["branches"].sequence("`branches`"))
        if len(branches) < 2:
            raise found["branches"].error(f"must be two branches or more. Received: {len(branches)}")
        return [self._branches("parallel", branches, found["merge"], None, node, context)]

    def _branches(self, keyword, branches, merge, default, node, context):
        where = dataclasses.replace(node.where, calls=context.calls)
        if merge is None:
            return Branches(keyword, branches, self._layer(default, None, where, context), where)
        name, value = merge.value, None
        if isinstance(name, dict) and len(name) == 1:
            name, value = next(iter(name.items()))
        if name not in registry.MERGE:
            raise merge.error(f"must be a layer that merges. {nearest(name, registry.MERGE)}")
        return Branches(keyword, branches, self._layer(name, value, merge.where.key(name), context), where)


def _known(name):
    return name in STRUCTURES or name in registry.layer_classes()

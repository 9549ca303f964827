"""`extends`: a spec that is a packaged one with other defaults of its parameters, or another recipe."""

import dataclasses

from keras_equivariant.compiler.grammar import source as sources
from keras_equivariant.compiler.grammar.expressions import resolve
from keras_equivariant.compiler.grammar.nodes import Node, kind_of
from keras_equivariant.compiler.grammar.parameters import Scope, current_names, declared
from keras_equivariant.utils.text import nearest

OWN = ("spec", "extends", "name", "description", "params", "training")


def extended(root):
    """The tree of a spec with what it extends filled in; the tree itself where it extends nothing.

    spec: 1
    extends: e2_wrn_16_8          a packaged spec
    name: e2_wrn_28_10
    params: {blocks: 4}           other defaults, of parameters that it has
    training: {epochs: 100}       entries of the recipe that differ

    Raises:
        SpecError: no such packaged spec, a key that an extending spec may not have, an unknown parameter.
    """
    if not isinstance(root.value, dict) or "extends" not in root.value:
        return root
    own = root.mapping("a spec that extends another", OWN, ("spec", "name"))
    name = own["extends"].value
    if name not in sources.list_specs():
        raise own["extends"].error(f"must be the name of a packaged spec. {nearest(name, sources.list_specs())}")
    base = sources.read(name).value
    if "extends" in base:
        raise own["extends"].error(f'must be a spec that extends no other. Received: "{name}"')
    known = declared(base.get("params"), "`params`")
    changed = current_names(declared(own.get("params"), "`params`"), known)
    scope = Scope({**known, **changed}, {})
    for parameter, node in changed.items():
        if parameter not in known:
            raise node.error(f'"{name}" has no such parameter. {nearest(parameter, known)}')
        value, default = resolve(node, scope), Scope(known, {}).default(parameter)
        if not _alike(value, default):
            raise node.error(f'must be a value like that of "{name}", {kind_of(default)}. Received: {kind_of(value)}')
    blamed = next(iter(changed.values())) if len(changed) == 1 else own.get("params", own["extends"])
    merged = {key: _blaming(node, blamed.where) for key, node in base.items()}
    for key, node in own.items():
        if key == "extends" or node.value is None:
            continue
        if key in ("params", "training") and key in base:
            entries = changed if key == "params" else node.mapping("`training`")
            node = dataclasses.replace(node, value={**merged[key].value, **entries})
        merged[key] = node
    return dataclasses.replace(root, value=merged)


def _blaming(node, where):
    """The tree of a node whose mistakes are said of another place."""
    value = node.value
    if isinstance(value, dict):
        value = {key: _blaming(child, where) for key, child in value.items()}
    elif isinstance(value, list):
        value = [_blaming(child, where) for child in value]
    return Node(value, dataclasses.replace(node.where, extended_by=where))


def _alike(value, default):
    """Whether a value may stand in for a default; None stands for any."""
    free = (value, default)
    if value is None or default is None:
        return True
    numbers = [isinstance(v, int | float) and not isinstance(v, bool) for v in free]
    return all(numbers) or (not any(numbers) and type(value) is type(default))

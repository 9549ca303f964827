"""`extends`: a spec that is a packaged one with other defaults of its parameters, or another recipe."""

import dataclasses

from keras_equivariant.compiler.grammar import source as sources
from keras_equivariant.compiler.grammar.parameters import current_names, declared
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
    params = current_names(declared(own.get("params"), "`params`"), known)
    for parameter, node in params.items():
        if parameter not in known:
            raise node.error(f'"{name}" has no such parameter. {nearest(parameter, known)}')
        if not _alike(node.value, known[parameter].value):
            kinds = known[parameter].kind, node.kind
            raise node.error(f'must be a value like that of "{name}", {kinds[0]}. Received: {kinds[1]}')
    merged = dict(base)
    for key, node in own.items():
        if key == "extends" or node.value is None:
            continue
        if key in ("params", "training") and key in base:
            changed = params if key == "params" else node.mapping("`training`")
            node = dataclasses.replace(node, value={**base[key].value, **changed})
        merged[key] = node
    return dataclasses.replace(root, value=merged)


def _alike(value, default):
    """Whether a value may stand in for a default; what is not known before the expressions are is."""
    free = (value, default)
    if None in free or any(isinstance(v, str) and "${" in v for v in free):
        return True
    numbers = [isinstance(v, int | float) and not isinstance(v, bool) for v in free]
    return all(numbers) or (not any(numbers) and type(value) is type(default))

"""Groups by name: `get("D4")`, and how to add one's own.

Every family of groups (of the plane, of space, continuous, Lie) adds here a function that reads its names.
"""

from __future__ import annotations

import re
from typing import Any

from keras_equivariant.groups.group import Group
from keras_equivariant.utils.text import closest

ORTHOGONAL = (
    '"C<n>", "D<n>", "SO2", "O2", "SO3", "O3", "Z2", "p4", "p4m", a point group of space such as "O", "Oh", "T", '
    '"C4h", "D4h", "C4z" or "Z3", all rotations about one of its axes as in "Cinfz", "Cinfv" or "Dinfh"'
)
REGISTER = "A group of your own is made known by `ke.groups.register(group)`, before a model on it is loaded"

_families: list[Any] = []
_examples: list[str] = []
_registered: dict[str, Group] = {}
_aliases: dict[str, str] = {}


def family(*examples, aliases=None):
    """Adds a function from a name to the group of this name, or None.

    Args:
        *examples: names that it knows, for hints.
        aliases: dict of further names, in lower case, to names.
    """

    def add(find):
        _families.append(find)
        _examples.extend(examples)
        _aliases.update(aliases or {})
        return find

    return add


def get(group: str | Group) -> Any:
    """The group of this name.

    Args:
        group: `"C<n>"` (n rotations of the plane), `"D<n>"` (n rotations and n reflections), an alias of the papers
            (`"Z2"` is C1, translations only; `"p4"` is C4; `"p4m"` is D4), `"SO2"` (all rotations of the plane),
            `"O2"` (reflections too), `"SO3"` and `"O3"` (the same of space), a point group of space by its Schoenflies
            name (`"O"`, `"Oh"`, `"T"`, `"C4h"`, `"D4h"`, ...; `"C4z"` and `"D4z"` for the rotations of space whose
            planar namesakes are C4 and D4), a continuous group about the axis z (`"Cinfz"`, `"Cinfv"`, `"Cinfh"`,
            `"Dinfz"`, `"Dinfh"`, see `AxialGroup`), a direct product of finite groups (`"D4xC2"`, see
            `direct_product`), a Lie group that moves points (`"SE2"`, see `lie_group`), the name of a registered group,
            or a group.

    Returns:
        A FiniteGroup, ContinuousGroup or LieGroup. The same name always gives the same object.

    Raises:
        ValueError: no group has this name. TypeError: neither a name nor a group.

    Example:
        >>> from keras_equivariant import groups
        >>> groups.get("p4m") is groups.get("D4"), groups.get("SE(2)").name
        (True, 'SE2')
    """
    return _get(group, lambda found: True, f'{ORTHOGONAL}, on points "T2", "SE2", "SE3" and other Lie groups')


def plain_name(name: object) -> str:
    """One spelling for all names of a group, by which names are compared without building a group: `"p4m"` is `"d4"`.

    Names that are no group's have one, too.
    """
    if str(name) in _registered:
        return str(name)
    low = str(name).lower().replace("(", "").replace(")", "")
    return re.sub(r"(?<![0-9])0+(?=[0-9])", "", _aliases.get(low, low)).lower()


def orthogonal_group(group):
    """The group of this name whose elements are orthogonal matrices: one that moves a grid, and fields above it.

    Args:
        group: a name that `get` knows, but for those of Lie groups with translations or scalings; or a group.
    """
    return _get(group, lambda found: found.orthogonal, ORTHOGONAL)


def lie_group(group: str | Group) -> Any:
    """The Lie group of this name.

    Args:
        group: `"T1"`, `"T2"`, `"T3"` (translations), `"Tx"`, `"Ty"` (of the plane, along one axis), `"SO2"`, `"SO3"`
            (rotations), `"Rx"` (scalings of the plane), `"RxSO2"` (both), `"SQ"` (squeezes of
            the plane, (e^s x, e^-s y)), `"RxSQ"` (these and scalings), `"SE2"`, `"SE3"` (rigid motions),
            `"Trivial1"`, `"Trivial2"`, `"Trivial3"`; parentheses as in `"SE(2)"` are allowed; the name of a registered
            group; or a LieGroup.
    """
    return _get(group, lambda found: found.is_lie, "a Lie group that moves points", listed=True)


def is_lie_name(name: object) -> bool:
    """Whether `lie_group` knows the name."""
    try:
        return isinstance(name, str) and lie_group(name) is not None
    except ValueError:
        return False


def register(group: Group) -> Group:
    """Makes a FiniteGroup or LieGroup known by its name, for `group="name"`, YAML specs and saved models.

    Raises:
        TypeError: no such group. ValueError: another group has the name.
    """
    # Continuous groups come with irreps of their own labels, and a sample is no group: neither can be added.
    if not isinstance(group, Group) or group.is_finite != group.orthogonal:
        raise TypeError(f"`group` must be a FiniteGroup or a LieGroup. Received: {group!r}")
    if _registered.get(group.name, group) != group or _built_in(group.name) is not None:
        raise ValueError(f"The name of a group must be unique. Received: {group.name!r}, which is another group's")
    _registered[group.name] = group
    return group


def namesake(group):
    """The known group with the same elements, or None."""
    known = (_find(name) for name in _examples)
    return next((g for g in known if g.order == group.order and g.contains(group)), None)


def _get(group, fits, rule, listed=False):
    if not isinstance(group, (str, Group)):
        hint = "; for grouped convolution use `groups=4`" if isinstance(group, int) else ""
        given = f"an array of shape {tuple(group.shape)}" if hasattr(group, "shape") else repr(group)
        raise TypeError(f'`group` must be the name of a symmetry such as "C4", or a group. Received: {given}{hint}')
    found = _find(group) if isinstance(group, str) else group
    if found is not None and fits(found):
        return found
    known = [name for name in (*_examples, *_registered) if fits(_find(name))]
    if found is None:
        near = closest(group, known, cutoff=0.5)
        hint = f'Did you mean "{near}"? ' if near else f"Use one of {', '.join(known)}. " if listed else ""
        raise ValueError(f"`group` must be {rule}, or a registered group. Received: {group!r}. {hint}{REGISTER}")
    use, hint = ("points", _on_grid(found)) if found.is_lie else ("images and volumes", _on_points(found))
    raise ValueError(f"`group` must be {rule}. Received: {found.name!r}; layers on {use} take it. {hint}".rstrip())


def _on_grid(group):
    """What to use on a grid, where translations are no part of the group, in place of a group that moves points."""
    rotations = {2: ("SO2", "C8"), 3: ("SO3", "O")}.get(group.dimension)
    if rotations is None or group.custom or group.scales or group.generators:
        return ""
    if not group.rotates:
        return f'On a grid all layers commute with translations; use "Z{group.dimension}"'
    return 'On a grid all layers commute with translations; use its rotations, "{}", or so many of them, "{}"'.format(
        *rotations
    )


def _on_points(group):
    """The Lie group that holds the rotations of a group of a grid, in words."""
    if group.dimension not in (2, 3):
        return ""
    loss = ", without its mirrors" if group.mirrors else ""
    return f'Use "SE{group.dimension}", which holds its rotations about any point{loss}'


def _find(name):
    return _registered[name] if name in _registered else _built_in(name)


def _built_in(name):
    return next((found for find in _families if (found := find(name)) is not None), None)

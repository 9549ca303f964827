"""Groups and representations that come as matrices, element by element: our names for them, and the change of basis.

Points of escnn are (column, -row) in the plane, as ours, and (last axis, -middle, -first) in space. Where the matrices
are those of a group that has a name here, it is that group; else it is registered under a name of its own.
"""

import hashlib

import numpy as np

from keras_equivariant.groups import FieldType, FiniteGroup, get, irreps, register
from keras_equivariant.groups.axial import AXIAL
from keras_equivariant.groups.field_type import named

POINTS = {2: np.eye(2), 3: np.array([[0.0, 0.0, 1.0], [0.0, -1.0, 0.0], [-1.0, 0.0, 0.0]])}  # p_escnn = POINTS p_ours
CONTINUOUS = {(2, False): "SO2", (2, True): "O2", (3, False): "SO3", (3, True): "O3"}
HIGHEST = 11  # frequency up to which irreps of continuous groups are looked for


def group_of(matrices, finite, name):
    """The group whose elements move escnn's points by these matrices, and the elements as ours, `(n, d, d)`."""
    dimension = matrices.shape[-1]
    if dimension not in POINTS:
        raise ValueError(
            f"Groups must move points of the plane or of space. Received: {name}, in {dimension} dimensions"
        )
    change = POINTS[dimension]
    ours = np.round(change.T @ matrices @ change, 12) + 0.0
    if not finite:
        if dimension == 3 and _fixes_an_axis(ours):
            return _about_the_last_axis(ours, name), ours
        return get(CONTINUOUS[dimension, bool((np.linalg.det(ours) < 0).any())]), ours
    found = next((g for g in map(get, _candidates(ours)) if _same(g, ours)), None)
    if found is None:
        order = np.argsort([not np.allclose(m, np.eye(dimension)) for m in ours], kind="stable")
        digest = hashlib.sha256(np.round(ours[order], 6).tobytes()).hexdigest()[:8]
        found = register(FiniteGroup(f"escnn_{digest}", ours[order]))
    return found, ours


def _fixes_an_axis(matrices):
    """Whether the squares of all elements, rotations, keep one line: rotations about it, and what reverses it."""
    moved = [m @ m - np.eye(3) for m in matrices]
    return np.linalg.eigvalsh(sum(one.T @ one for one in moved))[0] < 1e-9


def _about_the_last_axis(matrices, name):
    """The smallest of the groups about z that holds these elements."""
    for group in reversed(AXIAL):
        if all(map(group.contains, matrices)):
            return group
    raise ValueError(
        "Continuous groups of space must be SO3, O3, or turn about the last axis of a volume. Received: "
        f"{name}, rotations about one axis, another one; take a finite subgroup of it"
    )


def _candidates(matrices):
    order, mirrors = len(matrices), bool((np.linalg.det(matrices) < 0).any())
    if matrices.shape[-1] == 2:
        return [f"D{order // 2}"] if mirrors else [f"C{order}"]
    cubic = {12: ["T"], 24: ["O", "Th", "Td"], 48: ["Oh"], 60: ["I"], 120: ["Ih"]}.get(order, [])
    axial = [f"C{order}z", *([f"D{order // 2}z"] if order % 2 == 0 and order > 2 else [])]
    if mirrors:
        axial = [f"C{order // 2}h", f"C{order // 2}v", f"S{order}", f"D{order // 4}h", f"D{order // 4}d"]
        axial = [name for name in axial if "0" != name[1:-1]]
    return cubic + [name for name in axial if _known(name)]


def _known(name):
    try:
        return get(name) is not None
    except ValueError:
        return False


def _same(group, matrices):
    return group.order == len(matrices) and all(group.contains(m) for m in matrices)


class Types:
    """The field types of a record of `escnn_writer`.

    Args:
        record, arrays: what `escnn_writer.describe` gives.
    """

    def __init__(self, record, arrays):
        self.record, self.arrays, self._found, self._groups, self._fields = record, arrays, {}, {}, {}

    def __getitem__(self, number):
        """`(FieldType, matrix, whole)`: the orthogonal matrix from escnn's channels to ours, and whether each of its
        fields is one of ours, not several."""
        if number not in self._found:
            described = self.record["types"][number]
            self._found[number] = _plain(described["plain"]) if "plain" in described else self._type(described)
        return self._found[number]

    def dims(self, number):
        """The dimensions of escnn's fields, one after the other."""
        return [self.arrays[name].shape[-1] for name in self.record["types"][number].get("fields", [])]

    def _group(self, space):
        if space not in self._groups:
            known = self.record["groups"][space]
            self._groups[space] = group_of(self.arrays[known["matrices"]], known["finite"], known["group"])
        return self._groups[space]

    def _type(self, described):
        group, elements = self._group(described["space"])
        terms, rows, start, whole, names = [], [], 0, True, described["fields"]
        size = sum(self.arrays[name].shape[-1] for name in names)
        i = 0
        while i < len(names):
            copies = next((n for n in range(i, len(names)) if names[n] != names[i]), len(names)) - i
            parts = self._parts(names[i], group, elements)
            dim = self.arrays[names[i]].shape[-1]
            whole = whole and len(parts) == 1 and len(parts[0][1]) == 1
            for name, maps in parts:
                terms.append((copies * len(maps), name))
                for component in range(maps.shape[1]):
                    for field in range(copies):
                        for one in maps:
                            row = np.zeros(size)
                            row[start + field * dim : start + (field + 1) * dim] = one[component]
                            rows.append(row)
            start, i = start + copies * dim, i + copies
        return _merged(group, terms), np.stack(rows), whole

    def _parts(self, name, group, elements):
        """`[(our name, maps (copies, dim, dim of the field))]`, the maps from a field of escnn to ours."""
        key = name, group.name
        if key not in self._fields:
            self._fields[key] = parts_of(group, elements, self.arrays[name])
        return self._fields[key]


def _plain(size):
    """Numbers behind the last module of escnn, which nothing moves."""
    return FieldType.scalars(size, "C1"), np.eye(size), True


def _merged(group, terms):
    """The type of these terms, equal neighbors as one block where that keeps the order of channels."""
    merged = []
    for multiplicity, name in terms:
        if merged and merged[-1][1] == name and named(group, name).dim == 1:
            merged[-1] = (merged[-1][0] + multiplicity, name)
        else:
            merged.append((multiplicity, name))
    return FieldType(group, tuple(merged))


def parts_of(group, elements, matrices):
    """Representations of ours that a field given by matrices consists of, and the maps to them.

    Args:
        group: the group.
        elements: `(n, d, d)`, some of its elements, all of a finite group.
        matrices: `(n, dim, dim)`, the representation of these.

    Returns:
        `[(name, maps)]`, the maps `(copies, our dim, dim)`, all rows together orthonormal.
    """
    dim = matrices.shape[-1]
    if group.is_finite and dim > 1 and np.isin(np.round(matrices, 6), (0, 1)).all():
        found = [_permuted(group, elements, matrices, orbit) for orbit in _orbits(matrices)]
        return found
    parts, left = [], dim
    for candidate in irreps(group) if group.is_finite else irreps(group, HIGHEST):
        if candidate.dim > left or not left:
            continue
        maps = _copies(candidate.rho(elements), matrices)
        if len(maps):
            parts.append((candidate.name, maps))
            left -= len(maps) * candidate.dim
    if left:
        raise ValueError(
            f"The representation has irreps of higher frequency than {HIGHEST}. Received: one of dimension {dim} on "
            f"{group.name}, of which {dim - left} are found"
        )
    return parts


def _orbits(matrices):
    reached, found = np.any(np.round(matrices) > 0, axis=0), []
    for i in range(len(reached)):
        if not any(i in orbit for orbit in found):
            found.append(np.flatnonzero(reached[:, i]))
    return found


def _permuted(group, elements, matrices, orbit):
    """The cosets of the elements that keep a point of the orbit, and the map to functions on them."""
    indices = [group.index(element) for element in elements]
    stabilizer = {i for i, m in zip(indices, matrices, strict=True) if m[orbit[0], orbit[0]] > 0.5}
    if len(orbit) == 1:
        name = irreps(group)[0].name
    elif len(stabilizer) == 1:
        name = "regular"
    else:
        chosen, words = [], []
        for i in sorted(stabilizer):
            if i not in group.generated_by(chosen):
                chosen, words = [*chosen, i], [*words, group.element_names[i].replace(" ", "")]
        name = f"quotient({','.join(words)})"
    ours = named(group, name)
    base = next(
        j for j in range(ours.dim) if {i for i in range(group.order) if ours.matrices[i, j, j] > 0.5} == stabilizer
    )
    change = np.zeros((ours.dim, matrices.shape[-1]))
    for i, matrix in zip(indices, matrices, strict=True):
        change[np.argmax(ours.matrices[i][:, base]), np.argmax(matrix[:, orbit[0]])] = 1.0
    return name, change[None]


def _copies(ours, theirs):
    """Maps X, ours(g) X = X theirs(g), with orthonormal rows, one for each copy: `(copies, our dim, their dim)`."""
    rows = [
        np.kron(a, np.eye(theirs.shape[-1])) - np.kron(np.eye(len(a)), b.T) for a, b in zip(ours, theirs, strict=True)
    ]
    _, values, vectors = np.linalg.svd(sum(row.T @ row for row in rows))
    kept = vectors[values < 1e-10]
    # Columns of the projection onto all maps, which no choice of elements changes: the same components stay the same.
    found, size = [], len(kept) and kept.shape[1]
    for column in range(size):
        candidate = (kept.T @ kept[:, column]).reshape(ours.shape[-1], theirs.shape[-1])
        for copy in found:
            candidate = candidate - (candidate @ copy.T) @ copy
        length = np.sqrt(np.sum(candidate**2) / len(candidate))
        if length > 1e-3:
            found.append(candidate / length)
    return np.array(found).reshape(-1, ours.shape[-1], theirs.shape[-1])

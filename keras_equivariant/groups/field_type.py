"""Field types: how the channels of a feature transform, as a string such as `"8x0 + 4x1"`."""

import dataclasses
import functools
import re

import numpy as np

from keras_equivariant.groups.decomposition import decompose
from keras_equivariant.groups.irreps import irrep, irreps, is_irrep_label
from keras_equivariant.groups.products import induced, induced_irreps
from keras_equivariant.groups.registry import orthogonal_group
from keras_equivariant.groups.representations import quotient, regular
from keras_equivariant.utils.deprecation import renamed

MAX_CHANNELS = 1_000_000
MAX_TEXT = 10_000  # characters
GRAMMAR = 'terms such as "8x0", "4xregular", "2xquotient(C2)", "induced(C4,1)" joined by +'
# A sign belongs to the label only where a + or the end follows: "8x0+8x1" is "8x0 + 8x1", "8x0+ + 8x1" is not.
_NAME = r"(?:[0-9]+[eo]?(?:[+-](?=\s*(?:\+|$)))?|[A-Za-z]\w*(?:\((?:[^()]|\([^()]*\))*\))?)"
_TERM = re.compile(rf"\s*(?:([0-9]{{1,12}})\s*x\s*)?({_NAME})\s*(\+|$)")


@dataclasses.dataclass(frozen=True, eq=False)
class Block:
    """Fields of one kind within a type: an array (dim, multiplicity) of channels, the multiplicity fastest.

    Attributes:
        representation: how each field transforms.
        multiplicity: number of fields.
        start, stop: the channels, `x[..., start:stop]`.
    """

    representation: object
    multiplicity: int
    start: int
    stop: int

    @property
    def dim(self):
        return self.representation.dim

    @functools.cached_property
    def invariants(self):
        """The vectors that no element moves, `(n, dim)`: 1 at most for an irrep, all ones for a permutation."""
        trivial = irrep(self.representation.group, "trivial")
        for part, copies in decompose(self.representation).parts:
            if part is trivial:
                vectors = copies[:, :, 0]
                return vectors / np.abs(vectors).max(axis=1, keepdims=True) * np.sign(vectors.sum(axis=1))[:, None]
        return np.zeros((0, self.dim))


@dataclasses.dataclass(frozen=True)
class FieldType:
    """How the channels of a feature (B, *space, D) transform: blocks of fields, component-major.

    [L_g f](x) = rho(g) f(g^-1 x), where rho is the sum of the blocks' representations. A block of `m` fields of
    dimension `d` is an array (d, m) flattened, so that `"16xregular"` is the (|G|, 16) of a group convolution.

    Args:
        group: FiniteGroup or ContinuousGroup.
        terms: tuple of `(multiplicity, name)`.

    Attributes:
        blocks: tuple of Block.
        size: number D of channels.
        fields: number of fields.

    Example:
        >>> import keras_equivariant as ke
        >>> field_type = ke.FieldType.parse("8x0 + 4x1", "SO2")
        >>> field_type.size, str(field_type)
        (16, '8x0 + 4x1')
    """

    group: object
    terms: tuple

    @classmethod
    def parse(cls, text, group):
        """The type that the text describes; a FieldType passes through.

        Args:
            text: terms joined by `+`, each a multiplicity, `x` and a name; without a multiplicity 1. Names: the
                irreps' labels, `trivial`, `regular`, `quotient(C2)`, `quotient(r90,m)` (the cosets of the subgroup
                that these elements generate), `induced(C4,1)`, and `irreps(3)` for all irreps up to frequency 3
                (`irreps`, of a finite group, for all). On continuous groups the irreps up to a frequency that such a
                type has: `regular(2)`, `quotient(Cinfz,2)` (on SO3 functions on the sphere up to degree 2, hence
                `0 + 1 + 2`), `induced(Cinfz,1,2)` (tangent vector fields on it).
            group: group name or object.

        Raises:
            ValueError: unknown names, names of another group, a malformed text.
        """
        group = orthogonal_group(group)
        if isinstance(text, FieldType):
            if text.group != group:
                raise ValueError(
                    f"A field type must be one of the layer's group, {group.name}. Received: {text!r}; "
                    "use the layer Restrict between groups"
                )
            return text
        if not isinstance(text, str) or not text.strip():
            raise ValueError(f"A field type must be a string: {GRAMMAR}. Received: {text!r}")
        if len(text) > MAX_TEXT:
            raise ValueError(
                f"A field type must be at most {MAX_TEXT} characters long. Received: {len(text)} characters that start "
                f"with {text[:40]!r}"
            )
        terms, position = [], 0
        while position < len(text):
            match = _TERM.match(text, position)
            if not match or (match[3] and match.end() == len(text)):
                raise ValueError(
                    f"A field type must be {GRAMMAR}. Received: {text[:200]!r}, which stops making sense at "
                    f"{text[position:].strip()[:40]!r}"
                )
            terms += _expanded(int(match[1] or 1), match[2], group, text)
            position = match.end()
        return cls._of(group, terms)

    @classmethod
    def scalars(cls, number, group):
        """So many fields that nothing moves."""
        group = orthogonal_group(group)
        return cls._of(group, [(number, irrep(group, "trivial").name)])

    @classmethod
    def _of(cls, group, terms):
        found = cls(group, tuple((int(multiplicity), name) for multiplicity, name in terms if multiplicity))
        if not 0 < found.size <= MAX_CHANNELS or min(multiplicity for multiplicity, _ in found.terms) < 1:
            received = " + ".join(f"{multiplicity}x{name}" for multiplicity, name in terms)
            raise ValueError(
                f"A field type must have 1 to {MAX_CHANNELS} channels, and every multiplicity must be at least 1. "
                f"Received: {received!r}"
            )
        return found

    @functools.cached_property
    def blocks(self):
        blocks, start = [], 0
        for multiplicity, name in self.terms:
            representation = named(self.group, name)
            stop = start + multiplicity * representation.dim
            blocks.append(Block(representation, multiplicity, start, stop))
            start = stop
        return tuple(blocks)

    @property
    def size(self):
        return self.blocks[-1].stop if self.blocks else 0

    @property
    def fields(self):
        return sum(block.multiplicity for block in self.blocks)

    @property
    def places(self):
        """For each field, block after block, `(name, channels)`."""
        return [
            (name, block.start + field + block.multiplicity * np.arange(block.dim))
            for block, (_, name) in zip(self.blocks, self.terms, strict=True)
            for field in range(block.multiplicity)
        ]

    @property
    def scalar(self):
        """Whether every field is a scalar, so that nothing but pixels moves."""
        trivial = irrep(self.group, "trivial").name
        return all(name == trivial for _, name in self.terms)

    @property
    def permutation(self):
        """Whether every field permutes its components, so that pointwise functions commute with the group."""
        return all(block.representation.permutation for block in self.blocks)

    @functools.cached_property
    def frequency(self):
        """The highest frequency (degree) of its irreps, on groups of the plane and continuous ones."""
        labels = [part.name for block in self.blocks for part, _ in decompose(block.representation).parts]
        return max(int(label.strip("+-eo")) for label in labels)

    def transform(self, x, matrix):
        """The channels of a NumPy array `(..., D)` moved by the element with this orthogonal matrix."""
        parts = []
        for block in self.blocks:
            rho = block.representation.rho(np.asarray(matrix)[None])[0].astype(x.dtype)
            fields = x[..., block.start : block.stop].reshape(*x.shape[:-1], block.dim, block.multiplicity)
            parts.append((rho @ fields).reshape(*x.shape[:-1], -1))
        return np.concatenate(parts, axis=-1)

    moved = renamed("transform")

    def __add__(self, other):
        """The channels of both, side by side."""
        return FieldType._of(self.group, [*self.terms, *FieldType.parse(other, self.group).terms])

    def __mul__(self, times):
        """Every block so many times as large."""
        if isinstance(times, bool) or not isinstance(times, (int, np.integer)):
            return NotImplemented
        return FieldType._of(self.group, [(times * multiplicity, name) for multiplicity, name in self.terms])

    __rmul__ = __mul__

    def __str__(self):
        return " + ".join(f"{multiplicity}x{name}" for multiplicity, name in self.terms)

    def __repr__(self):
        return f'FieldType("{self}", "{self.group.name}")'

    def __deepcopy__(self, memo):
        return self

    def __reduce__(self):
        return FieldType, (self.group, self.terms)  # what is cached follows from these


@functools.lru_cache(maxsize=1024)
def named(group, name):
    """The representation with this name, as it stands in a field type."""
    if is_irrep_label(group, name):
        return irrep(group, name)
    inner = re.fullmatch(r"(quotient|induced)\((.+)\)", name)
    if not group.is_finite:
        if inner and inner[1] == "quotient" and "," not in inner[2]:
            return quotient(group, inner[2])
        if inner or name == "regular":
            raise ValueError(
                f"Functions on {group.name} need a highest frequency. Received: {name[:80]!r}; use regular(2), "
                "quotient(H,2) or induced(H,irrep,2) up to frequency 2"
            )
        irrep(group, name)  # raises, and names the irreps there are
    if name == "regular":
        return regular(group)
    if inner and inner[1] == "quotient":
        return quotient(group, _subgroup(group, inner[2]), name=name)
    if inner and inner[1] == "induced" and "," in inner[2]:
        subgroup, label = inner[2].split(",", 1)
        found = induced(group, subgroup, irrep(orthogonal_group(subgroup), label))
        found.name = name
        return found
    known = ", ".join(found.name for found in irreps(group))
    raise ValueError(
        f"{group.name} has the irreps {known}, and the representations trivial, regular, quotient(H) and "
        f"induced(H,irrep). Received: {name[:80]!r}"
    )


def _expanded(multiplicity, name, group, text):
    """The terms that one term of the text stands for, names in their canonical spelling."""
    name = re.sub(r"\s", "", name)
    several = re.fullmatch(r"irreps(?:\(([0-9]{1,9})\))?", name)
    if several:
        if several[1] is None and not group.is_finite:
            raise ValueError(
                f"{group.name} has irreps without end. Received: {text!r}; use irreps(3) up to frequency 3"
            )
        return [(multiplicity, found) for found in _up_to(group, several[1])]
    if multiplicity < 1:
        raise ValueError(f"A multiplicity must be at least 1. Received: {text!r}")
    limited = None if group.is_finite else _band_limited(group, name)
    if limited is not None:
        return [(multiplicity * copies, found) for found, copies in limited.items()]
    return [(multiplicity, named(group, name).name)]


def _band_limited(group, name):
    """The irreps of `regular(2)`, `quotient(H,2)` and `induced(H,irrep,2)`, up to a frequency; None for other names."""
    match = re.fullmatch(r"(regular|quotient|induced)\((?:(.+),)?([0-9]{1,9})\)", name)
    given = match[2].split(",") if match and match[2] else []
    if not match or len(given) != ("regular", "quotient", "induced").index(match[1]):
        return None
    subgroup, label = [*given, *("C1" if group.dimension == 2 else "C1z", "trivial")[len(given) :]]
    found = induced_irreps(group, subgroup, label, int(match[3]))
    if not found:
        raise ValueError(
            f"A band-limited type must hold an irrep. Received: {name!r}, which has none up to {match[3]}; use a "
            "higher frequency"
        )
    return found


def _up_to(group, frequency):
    if not group.is_finite:
        return [found.name for found in irreps(group, int(frequency))]
    names = [found.name for found in irreps(group)]
    if frequency is None:
        return names
    if group.dimension != 2:
        raise ValueError(f"{group.name} has no frequencies. Received: irreps({frequency}); use irreps for all of them")
    return [name for name in names if int(re.sub(r"\D", "", name)) <= int(frequency)]


def _subgroup(group, text):
    """Elements of a subgroup written as a group's name or as generating elements, `r180,mr90`."""
    spelled = {element.replace(" ", ""): i for i, element in enumerate(group.element_names)}
    words = text.split(",")
    if all(word in spelled for word in words):
        return group.generated_by([spelled[word] for word in words])
    if len(words) > 1:
        unknown = next(word for word in words if word not in spelled)
        raise ValueError(f"{group.name} has the elements {', '.join(spelled)}. Received: {unknown!r}")
    return group.subgroup(text)

"""What certification found, as a value: printed as a table, saved as JSON, drawn as a picture."""

from __future__ import annotations

import dataclasses
import json
import math
import pathlib
from typing import Any, get_type_hints

from keras_equivariant.utils.files import write_text
from keras_equivariant.utils.text import number, table

SMALLEST_INTERPOLATION = 1e-6
EXACT, APPROXIMATE, BROKEN, VACUOUS, UNKNOWN = "exact", "approximate", "broken", "vacuous", "unknown layout"


@dataclasses.dataclass(frozen=True)
class Precision:
    """One arithmetic that the law was measured in; `unavailable` says why it was not."""

    dtype: str
    tolerance: float
    error: float | None = None  # the worst over the elements that the grid carries exactly; None if there are none
    interpolated_error: float | None = None  # the worst over the others
    unavailable: str = ""


@dataclasses.dataclass(frozen=True)
class Element:
    """One group element: relative L2 errors by dtype, and the controls that show that they mean something."""

    name: str
    interpolated: bool  # whether its action on the grid needs interpolation
    errors: dict
    control: float  # |f(gx) - f(x)| / |f(x)|: the error if g were not applied to the output
    move: float  # |gx - x| / |x|
    verdict: str


@dataclasses.dataclass(frozen=True)
class Angle:
    """A rotation by any angle of images on a disc; both numbers hold the error of the interpolation."""

    degrees: float
    error: float
    interpolation: float  # |rotate back(rotate(x)) - x| / |x|: what interpolating twice costs by itself


@dataclasses.dataclass(frozen=True)
class LayerError:
    """The law at one layer's output: the worst errors of the exact and of the interpolated generators of the group.

    Attributes:
        lie_derivative: by how much this layer alone fails to commute with small rotations, relative to its output, per
            radian; None where its features do not rotate by any angle.
        lie_part: how much of that reaches the model's output, relative to it (local equivariance error).
    """

    name: str
    kind: str
    shape: tuple
    layout: str
    error: float | None
    interpolated_error: float | None
    verdict: str
    lie_derivative: float | None = None
    lie_part: float | None = None


@dataclasses.dataclass(frozen=True)
class Report:
    """The certificate of one model: `print(report)`, `report.exact`, `report.save("certificate.json")`.

    Attributes:
        verdict: `"exact"`: every element maps the pixel grid onto itself and keeps the law within the tolerance of
            each precision. `"approximate"`: those that do keep it, but others need interpolation (errors up to 25 %)
            or a lower precision rounds by more than its tolerance. `"broken"`: the law does not hold. `"vacuous"`:
            nothing was tested, and `reasons` say why.
        elements: an Element per group element; the identity's error says whether the model repeats itself.
        precisions: a Precision per dtype.
        angles: an Angle per angle of the sweep.
        layers: a LayerError per layer, in order; empty if the layers are not known.
        reasons: what is wrong, in words.
        notes: what else to know.
        grid_group: name of the subgroup that maps the pixel grid, or the lifts of points, onto itself; empty if that
            is the whole group.
        continuous: whether the group holds all rotations, so that every angle of the sweep is one of its elements.
        lie_derivative: the relative error of rotations by small angles, per radian: |L f| / |f| with the Lie derivative
            L f = d/dt [exp(-t X) f(exp(t X) x)] at t = 0; None where features do not rotate by any angle.
    """

    model: str
    group: str
    law: str
    inputs: tuple
    outputs: tuple
    response: float
    verdict: str
    elements: tuple
    precisions: tuple
    angles: tuple = ()
    layers: tuple = ()
    reasons: tuple = ()
    notes: tuple = ()
    grid_group: str = ""
    continuous: bool = False
    lie_derivative: float | None = None

    @property
    def exact(self):
        """Whether the law holds for every element within every tolerance."""
        return self.verdict == EXACT

    @property
    def max_error(self):
        """The worst error of the elements that the grid carries exactly (of all if it carries none exactly), in the
        highest precision measured; where these are exact in a broken model, the error that breaks it."""
        best = self._best
        error = best.interpolated_error if best and best.error is None else best and best.error
        if error is None:
            return math.nan
        if self.verdict == BROKEN and error <= best.tolerance:
            return max(e for p in self.precisions for e in (p.error, p.interpolated_error) if e is not None)
        return error

    @property
    def grid_error(self):
        """The worst error of the elements that the grid carries exactly, in the highest precision; None without any."""
        return self._best and self._best.error

    @property
    def between(self):
        """Where the law holds worst among what needs interpolation: an Angle of the sweep for a continuous group, else
        one without degrees (nan) for the elements that the grid does not carry; None where the grid carries all."""
        found = [angle for angle in self.angles if self.continuous and angle.interpolation > SMALLEST_INTERPOLATION]
        errors = [p.interpolated_error for p in self.precisions if p.interpolated_error is not None]
        if errors:
            found.append(Angle(math.nan, max(errors), math.nan))
        return max(found, key=lambda angle: angle.error if math.isfinite(angle.error) else math.inf, default=None)

    @property
    def headline(self):
        """Group, verdict and the numbers that it stands on, in one line."""
        return f"{self.model} under {self.group}: {self.verdict.upper()}{self._numbers()}"

    @property
    def _best(self):
        return next((p for p in self.precisions if not p.unavailable), None)

    def _numbers(self):
        best, between = self._best, self.between
        if self.verdict == VACUOUS or best is None:
            return ""
        if best.error is None:
            return f"; {_angle_text(between)}" if between else ""
        if not best.error <= best.tolerance:
            return f", error {number(best.error)}"
        exact = f", exact under {self.grid_group or self.group} (error {number(best.error)})"
        worst = max((p for p in self.precisions if p.error is not None), key=lambda p: (p.error > p.tolerance, p.error))
        if worst.error > worst.tolerance:
            exact += f", in {worst.dtype} error {number(worst.error)}"
        elif between is None:
            return f", largest error {number(best.error)}"
        return f"{exact}; between the rotations of the grid {_angle_text(between)}" if between else exact

    @property
    def broken_layer(self):
        """The first layer at whose output the law fails although it holds at its inputs; None if there is none."""
        return next((layer for layer in self.layers if layer.verdict == BROKEN), None)

    def raise_if_broken(self):
        """Raises an AssertionError with the table if the verdict is broken or vacuous; else returns the report."""
        if self.verdict in (BROKEN, VACUOUS):
            raise AssertionError(str(self))
        return self

    def to_dict(self) -> dict[str, Any]:
        """The report as numbers, strings, lists and dicts; numbers that are not finite become "nan" or "inf"."""
        summary = {"headline": self.headline, "exact": self.exact, "max_error": self.max_error}
        between = self.between and self.between.error
        values = {**summary, "grid_error": self.grid_error, "between_error": between, **dataclasses.asdict(self)}
        return _finite(values)

    @classmethod
    def from_dict(cls, values):
        """The report that `to_dict` wrote."""
        parts = {"elements": Element, "precisions": Precision, "angles": Angle, "layers": LayerError}
        names = {field.name for field in dataclasses.fields(cls)}
        values = {key: value for key, value in values.items() if key in names}
        rows = {key: [_read(part, row) for row in values.get(key, ())] for key, part in parts.items()}
        return _read(cls, {**values, **rows})

    def save(self, path):
        """Writes `to_dict()` as JSON."""
        write_text(path, json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n")

    @classmethod
    def load(cls, path):
        """The report in a file that `save` wrote."""
        return cls.from_dict(json.loads(pathlib.Path(path).read_text(encoding="utf-8")))

    def plot(self, path):
        """Draws the errors per element, by angle (polar) and per layer into a picture; needs matplotlib."""
        from keras_equivariant.equivariance.plot import draw

        draw(self, path)

    def __str__(self):
        law = "f(gx) = f(x)" if self.law == "invariance" else "f(gx) = g f(x)"
        lines = [
            self.headline,
            f"law {law}; in {', '.join(self.inputs)}; out {', '.join(self.outputs)}",
            *(f"! {reason}" for reason in self.reasons),
            "",
            *self._element_lines(),
            "",
            *map(_precision_line, self.precisions),
            f"control: distorting the input changes the output by {number(self.response)}",
        ]
        if self.angles:
            worst = max(self.angles, key=lambda angle: angle.error)
            floor = max(angle.interpolation for angle in self.angles)
            lines.append(
                f"{len(self.angles)} angles of rotation{', approximate' if floor > 0 else ''}: worst error "
                f"{number(worst.error)} at {worst.degrees:g} degrees; interpolation alone {number(floor)}"
            )
        if self.lie_derivative is not None:
            lines.append(f"Lie derivative, the error of small rotations: {number(self.lie_derivative)} per radian")
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join(lines + (["", *self._layer_lines()] if self.layers else []))

    def _element_lines(self):
        dtypes = [p.dtype for p in self.precisions if not p.unavailable]
        with_control = self.law != "invariance"  # else it is the error itself
        rows = []
        for e in self.elements:
            action = "interpolated" if e.interpolated else "exact"
            control = [number(e.control)] if with_control else []
            rows.append((e.name, action, *(number(e.errors.get(dtype)) for dtype in dtypes), *control, e.verdict))
        control = ["g not applied"] if with_control else []
        return table(("element", "action", *dtypes, *control, "verdict"), rows)

    def _layer_lines(self):
        with_lie = any(r.lie_derivative is not None for r in self.layers)
        rows = [
            (
                *(r.name, r.kind, r.shape, r.layout, number(r.error), number(r.interpolated_error)),
                *([number(r.lie_derivative), number(r.lie_part)] if with_lie else []),
                r.verdict,
            )
            for r in self.layers
            if r.verdict != UNKNOWN
        ]
        lie = ["Lie derivative", "at the output"] if with_lie else []
        head = ("layer", "class", "output", "layout", "error", "interpolated", *lie, "verdict")
        lines = table(head, rows) if rows else []
        unknown = [r.name for r in self.layers if r.verdict == UNKNOWN]
        if unknown:
            layers = f"{unknown[0]} to {unknown[-1]}" if len(unknown) > 1 else unknown[0]
            lines.append(
                f"not listed: {len(unknown)} layer{'s' * (len(unknown) > 1)}, {layers}, on whose features {self.group} "
                "has no known action"
            )
        return lines


def _angle_text(angle):
    if math.isnan(angle.degrees):
        return f"error {number(angle.error)}"
    alone = f", where interpolation alone makes {number(angle.interpolation)}"
    return f"error {number(angle.error)} at {angle.degrees:g} degrees{alone}"


def _precision_line(p):
    if p.unavailable:
        return f"{p.dtype}: not available; {p.unavailable}"
    interpolated = "" if p.interpolated_error is None else f"; interpolated elements {number(p.interpolated_error)}"
    return f"{p.dtype}: worst error {number(p.error)}, tolerance {number(p.tolerance)}{interpolated}"


def _finite(value):
    """JSON knows no nan and no infinity."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _read(cls, values):
    """A dataclass from its dict: the inverse of `_finite`."""
    hints = get_type_hints(cls)
    numbers = {name for name, hint in hints.items() if hint in (float, float | None)}
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    values = {
        key: float(value) if key in numbers and isinstance(value, str) else value for key, value in values.items()
    }
    if "errors" in values:
        values["errors"] = {dtype: float(error) for dtype, error in values["errors"].items()}
    return cls(**values)

"""What was exported and what verification measured, as values: printed as a table, saved as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
import pathlib
from typing import Any

from keras_equivariant.utils.deprecation import renamed
from keras_equivariant.utils.files import write_text
from keras_equivariant.utils.text import number, table


class ExportError(RuntimeError):
    """An exported artifact does not compute what the model computes.

    Attributes:
        report: the ExportReport with what was measured.
    """

    def __init__(self, message, report):
        super().__init__(message)
        self.report = report


@dataclasses.dataclass(frozen=True)
class Artifact:
    """One exported file or folder.

    Attributes:
        format: one of the `formats` of `export`.
        path: relative to the report.
        size: bytes, of all files together.
        max_error: largest absolute difference from the Keras model, over all outputs and batches; None if unverified.
        relative_error: the same, divided by the model's largest output.
        tolerance: largest `relative_error` that passes.
        equivariance: relative L2 error |f(g x) - g f(x)| / |f(x)| of the artifact by exact grid element.
        proof: what `prove` finds in the file alone: a Proof, or None for a format that it does not read.
        batches: batch sizes it was run with.
        operations: names of the operations of a .tflite or .onnx file.
        signature: names, shapes and dtypes (for int8 also scale and zero point) of inputs and outputs.
        problems: why it does not pass.
        pointwise: a `Pointwise` for each group convolution: whether it is in blocks, and its multiply-adds.
    """

    format: str
    path: str
    size: int
    max_error: float | None = None
    relative_error: float | None = None
    tolerance: float | None = None
    equivariance: dict | None = None
    proof: object = None
    batches: tuple = ()
    operations: tuple = ()
    signature: dict = dataclasses.field(default_factory=dict)
    problems: tuple = ()
    pointwise: tuple = ()


@dataclasses.dataclass(frozen=True)
class ExportReport:
    """What `export` wrote; `print(report)` shows a table.

    Attributes:
        model, version, group: what was exported; `group` is None where no layer names one.
        folder: where the paths of the artifacts start.
        artifacts: an Artifact per format.
        equivariance: the Keras model's own error by exact grid element, to compare with.
        notes: what was not verified, and why.
        libraries: versions of the libraries that wrote it.
    """

    model: str
    version: int
    group: str | None
    folder: str
    artifacts: tuple
    equivariance: dict | None = None
    notes: tuple = ()
    libraries: dict = dataclasses.field(default_factory=dict)

    artefacts = renamed("artifacts")

    @property
    def passed(self):
        return not any(artifact.problems for artifact in self.artifacts)

    def path(self, format: str) -> pathlib.Path:
        """Path of the artifact of this format."""
        for artifact in self.artifacts:
            if artifact.format == format:
                return pathlib.Path(self.folder) / artifact.path
        written = [artifact.format for artifact in self.artifacts]
        raise ValueError(f"`format` must be one that was exported, {written}. Received: {format!r}")

    def to_dict(self) -> dict[str, Any]:
        """The report as numbers, strings, lists and dicts, without the folder."""
        values = dataclasses.asdict(self)
        for artifact, given in zip(values["artifacts"], self.artifacts, strict=True):
            artifact["proof"] = None if given.proof is None else given.proof.to_dict()
        del values["folder"]
        return _finite({"passed": self.passed, **values})

    def save(self, path):
        """Writes `to_dict()` as JSON."""
        write_text(path, json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n")

    def __str__(self):
        rows = [
            (
                a.format,
                a.path,
                a.size,
                number(a.max_error),
                number(a.relative_error),
                _worst(a.equivariance),
                _verdict(a),
            )
            for a in self.artifacts
        ]
        header = ("format", "path", "bytes", "max error", "relative", f"{self.group or 'group'} error", "verdict")
        lines = [f"{self.model} exported to {self.folder}", *table(header, rows)]
        lines += [f"{a.path}: {a.proof.summary()}" for a in self.artifacts if a.proof is not None]
        lines += [f"{a.path}: {_blocks(a.pointwise)}" for a in self.artifacts if a.pointwise]
        lines += [f"! {a.path}: {problem}" for a in self.artifacts for problem in a.problems]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def _blocks(layers):
    """What was made of the group convolutions, in one line."""
    taken = sum(layer.blocks for layer in layers)
    ours, dense = (sum(getattr(layer, name) * (layer.pixels or 1) for layer in layers) for name in _MULTIPLY_ADDS)
    where = "for one example" if all(layer.pixels for layer in layers) else "at one pixel"
    counted = f"{ours:,} multiply-adds {where}" + (f", dense {dense:,}" if taken else "")
    untransformed = sum(layer.untransformed for layer in layers)
    kept = f" ({untransformed} in the Fourier basis from the layer before)" if untransformed else ""
    return f"{taken} of {len(layers)} group convolutions in blocks{kept}, {counted}"


_MULTIPLY_ADDS = ("multiply_adds", "dense_multiply_adds")


def _worst(errors):
    return number(max(errors.values()) if errors else None)


def _verdict(artifact):
    if artifact.relative_error is None:
        return "not verified"
    return "failed" if artifact.problems else "verified"


def _finite(value):
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

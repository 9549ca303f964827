"""export(): a folded model as files for serving, each one verified before it appears."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import keras
import numpy as np

from keras_equivariant.export import arguments, files, representative, verify
from keras_equivariant.export.arguments import PRECISIONS
from keras_equivariant.export.folding.fold import fold
from keras_equivariant.export.formats import backend, onnx, openvino, saved_model, tflite
from keras_equivariant.export.proof.prove import SUFFIXES, prove
from keras_equivariant.export.report import Artefact, ExportError, ExportReport
from keras_equivariant.export.serving import mlserver
from keras_equivariant.graphs.reading import functional
from keras_equivariant.groups.group import Group
from keras_equivariant.version import __version__

_FILES = {
    "keras": ".keras",
    "tflite": ".tflite",
    "tflite_float16": "_float16.tflite",
    "tflite_int8": "_int8.tflite",
    "onnx": ".onnx",
    "openvino": "_openvino",
}


def export(
    model: keras.Model,
    path: str | os.PathLike[str],
    formats: str | Sequence[str] = ("saved_model", "tflite"),
    *,
    name: str | None = None,
    version: int = 1,
    representative_data: Any = None,
    inference_type: Literal["float32", "int8"] = "float32",
    group: str | Group | None = None,
    verify: bool = True,
    tolerance: float | Mapping[str, float] | None = None,
    overwrite: bool = False,
    server: Literal["mlserver"] | None = None,
) -> ExportReport:
    """Folds a model and writes it as files made of stock operations, each verified in its own runtime.

    | format           | file                                     | for                                         |
    |------------------|------------------------------------------|---------------------------------------------|
    | `saved_model`    | `<path>/<name>/<version>/saved_model.pb` | TensorFlow Serving, TensorFlow's C library  |
    | `tflite`         | `<path>/<name>.tflite`                   | LiteRT, float32                             |
    | `tflite_float16` | `<path>/<name>_float16.tflite`           | LiteRT, weights of half the size            |
    | `tflite_int8`    | `<path>/<name>_int8.tflite`              | LiteRT, weights and activations in integers |
    | `onnx`           | `<path>/<name>.onnx`                     | ONNX Runtime, opset 17                      |
    | `openvino`       | `<path>/<name>_openvino/<name>.xml`      | OpenVINO, weights in float32                |
    | `keras`          | `<path>/<name>.keras`                    | Keras without keras_equivariant             |

    The SavedModel has the signatures `serving_default` and `serve`, takes any batch size and carries a warm-up
    request. Every artefact is loaded back, run at batch 1 and 3, compared with `model` and measured for symmetry
    under the elements that map the pixel grid onto itself; `<path>/<name>.report.json` holds the result. All files
    appear at once when everything passed; otherwise only the report does.

    Args:
        model: a built Keras model; a subclassed one is followed once on symbolic tensors.
        path: folder; made where it is missing.
        formats: one or more of the formats above.
        name: name of the files and of the served model; by default that of `model`.
        version: version number for TensorFlow Serving.
        representative_data: arrays in the structure of the model's inputs with the samples on axis 0, about a
            hundred; or a `tf.data.Dataset` or generator of batches, or a function that returns one. Required for
            `tflite_int8`, whose ranges they set. The first three are the test inputs; without them these are smooth
            random images in the range that a leading Normalization or Rescaling expects, and on such images every
            artefact is tested, too.
        inference_type: `"float32"` or `"int8"`: what the int8 model takes and returns.
        group: group to measure the symmetry under; by default that of the model's layers.
        verify: False skips verification.
        tolerance: largest difference from the model, relative to its largest output, that passes: a number, or a
            dict by format. By default 1e-5 for float32, 1e-2 for float16 and 0.2 for int8.
        overwrite: replace files that are there already.
        server: `"mlserver"` adds the files with which `python <path>/<name>/mlserver_start.py` serves the SavedModel
            over REST and gRPC; they are for all versions, and kept where they are there already.

    Returns:
        An ExportReport; `print(report)` shows a table.

    Raises:
        ExportError: if an artefact does not compute what the model computes; the report tells which.
        ValueError, TypeError: if the model cannot be folded, or an argument is not what it must be.
        FileExistsError: if a file is there already and `overwrite` is False.
        OSError: if `path` cannot be written to.
        ImportError: if what writes or verifies a format is not installed: ai-edge-litert; tf2onnx and onnxruntime;
            openvino.

    Example:
        >>> import keras, tempfile
        >>> import keras_equivariant as ke
        >>> image = keras.Input((9, 9, 1))
        >>> x = ke.layers.LiftingConv2D(2, 3, group="C4")(image)
        >>> model = keras.Model(image, ke.layers.GroupPooling("max")(x), name="tiny")
        >>> report = ke.export(model, tempfile.mkdtemp(), formats=["saved_model"])
        >>> report.passed, report.artefacts[0].path
        (True, 'tiny/1')

    Equivariance: that of `model`, measured on every artefact. Turned kernels share their values, hence their int8
    scales, so an exactly invariant model stays exactly invariant in int8; `prove` shows that from the file alone, and
    its result stands in the report.
    """
    formats = arguments.checked_formats(formats)
    graph = functional(model, "folded")
    name = arguments.checked_name(model.name if name is None else name)
    arguments.check_version(version)
    mlserver.check(server, formats)
    data = arguments.checked_data(graph, representative_data, formats, inference_type)
    if set(formats) - {"keras"}:
        backend.tensorflow(formats)
    if verify and set(formats) & set(PRECISIONS):
        backend.litert()
    for module in (onnx, openvino):
        if module.__name__.rpartition(".")[2] in formats:
            module.check_installed()
    folder = pathlib.Path(path)
    targets = {format: folder / _target(format, name, version) for format in formats}
    files.check_free(targets.values(), overwrite)

    with files.staging(folder, name) as stage:
        job = _Job(model, graph, name, data, inference_type, stage)
        job.write(formats)
        report = job.report(targets, folder, version, group, verify, arguments.checked_tolerance(tolerance))
        if report.passed:
            written = [(job.staged[format], target) for format, target in targets.items()]
            for path in mlserver.write(stage / "server", name) if server else ():
                target = folder / name / path.name
                if overwrite or not target.exists():
                    written.append((path, target))
            files.publish(stage, written)
        report.save(folder / f"{name}.report.json")
    if not report.passed:
        raise ExportError(f"Every artefact must compute what the model computes. Received:\n{report}", report)
    return report


class _Job:
    """Writing the artefacts of one model into a folder, and verifying them there."""

    def __init__(self, model, graph, name, data, inference_type, stage):
        self.model, self.graph, self.name, self.stage = model, graph, name, stage
        self.data, self.inference_type = data, inference_type
        self.served = _flat(fold(model, name=name, verify=False))
        self.inputs = verify.test_inputs(graph, data)
        self.staged = {}
        self._contents = {}

    def write(self, formats):
        arguments.check_integers(self.served, formats)
        if "tflite_int8" in formats:
            representative.check_ranges(self.graph, self.data)
        names = verify.input_names(self.served)
        inputs = [x.astype(tensor.dtype) for x, tensor in zip(self.inputs, self.served.inputs, strict=True)]
        if set(formats) - {"keras"}:
            folder = self.stage / "saved_model"
            example = {name: x[:1] for name, x in zip(names, inputs, strict=True)}
            saved_model.write(self.served, folder, self.name, example)
            self.staged["saved_model"] = folder
        for format in formats:
            if format == "keras":
                self.staged[format] = self.stage / "model.keras"
                self._save(self.staged[format])
            if format in PRECISIONS:
                self.staged[format] = self.stage / f"{format}.tflite"
                self._contents[format] = self._convert(PRECISIONS[format])
                self.staged[format].write_bytes(self._contents[format])
            if format == "onnx":
                self.staged[format] = self.stage / "model.onnx"
                onnx.write(self.staged["saved_model"], self.staged[format], self.name)
            if format == "openvino":
                self.staged[format] = self.stage / "openvino"
                openvino.write(self.staged["saved_model"], self.staged[format], self.name)

    def _save(self, path):
        try:
            self.served.save(path)
        except NotImplementedError as error:  # what Keras raises for an operation that it cannot describe
            raise ValueError(
                "A .keras file holds layers and operations without functions of their own. Received: a model with a "
                'loop, such as the subsampling of points; export it as "saved_model" or "tflite"'
            ) from error

    def _convert(self, precision):
        data = None
        if precision == "int8":
            arrays = keras.tree.flatten(self.data)
            data = {
                tensor.name: np.asarray(x, tensor.dtype) for tensor, x in zip(self.served.inputs, arrays, strict=True)
            }
        return tflite.convert(self.staged["saved_model"], precision, data, self.inference_type)

    def report(self, targets, folder, version, group, verified, tolerance):
        artefacts = [
            Artefact(format, target.relative_to(folder).as_posix(), files.size(self.staged[format]))
            for format, target in targets.items()
        ]
        reference, notes = None, []
        if verified:
            reference = verify.Reference(self.model, self.graph, self.inputs, group)
            artefacts = [self._verify(artefact, reference, tolerance) for artefact in artefacts]
            notes = [reference.note] if reference.note else []
        return ExportReport(
            model=self.name,
            version=version,
            group=reference.group.name if reference and reference.group else None,
            folder=str(folder),
            artefacts=tuple(artefacts),
            equivariance=reference.equivariance if reference else None,
            notes=tuple(notes),
            libraries=_libraries(),
        )

    def _verify(self, artefact, reference, tolerance):
        format = artefact.format
        if format == "keras":
            run = self._load_keras()
        elif format == "saved_model":
            run = saved_model.load(self.staged[format])
        elif format == "onnx":
            run = onnx.load(self.staged[format])
            operations = tuple(onnx.operations(self.staged[format]))
            artefact = dataclasses.replace(artefact, operations=operations)
        elif format == "openvino":
            run = openvino.load(self.staged[format], self.name)
        else:
            content = self._contents[format]
            run = tflite.load(content)
            extra = {"operations": tuple(tflite.operations(content)), "signature": tflite.details(content)}
            artefact = Artefact(format, artefact.path, artefact.size, **extra)
        artefact = verify.verify(artefact, run, self.served, reference, tolerance.get(format))
        return dataclasses.replace(artefact, proof=self._prove(format, reference))

    def _prove(self, format, reference):
        """What the file alone says about the symmetry; None where its format or its sizes do not let it be read."""
        path = self.staged[format]
        if path.suffix not in SUFFIXES or reference.group is None:
            return None
        try:
            proof = prove(path, reference.group, [tensor.shape for tensor in self.served.inputs])
        except ValueError:  # sizes that are not known
            return None
        return dataclasses.replace(proof, file=pathlib.PurePath(_target(format, self.name, 1)).name)

    def _load_keras(self):
        loaded = keras.models.load_model(self.staged["keras"])
        names = verify.output_names(self.served)

        def run(inputs):
            outputs = loaded(keras.tree.pack_sequence_as(loaded.input, list(inputs.values())), training=False)
            outputs = [keras.ops.convert_to_numpy(y) for y in keras.tree.flatten(outputs)]
            return dict(zip(names, outputs, strict=True))

        return run


def _flat(model):
    """The model with inputs and outputs that a signature can have: a tensor, a flat list or a flat dict."""
    structures = (model.input, model.output)
    values = [
        list(s.values()) if isinstance(s, dict) else s if isinstance(s, (list, tuple)) else [s] for s in structures
    ]
    if all(isinstance(x, keras.KerasTensor) for xs in values for x in xs):
        return model
    return keras.Model(model.inputs, model.outputs, name=model.name)


def _target(format, name, version):
    return pathlib.Path(name) / str(version) if format == "saved_model" else pathlib.Path(name + _FILES[format])


def _libraries():
    versions = {"keras_equivariant": __version__, "keras": keras.__version__}
    if keras.backend.backend() == "tensorflow":
        versions["tensorflow"] = backend.tensorflow([]).__version__
    return versions

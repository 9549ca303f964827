"""export(): a folded model as files for serving, each one verified before it appears."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import keras

from keras_equivariant.export import arguments, files, representative
from keras_equivariant.export import verify as verification
from keras_equivariant.export.folding.blocks import finite_groups, in_blocks
from keras_equivariant.export.folding.fold import check_pointwise, fold, pays
from keras_equivariant.export.formats import backend, registry
from keras_equivariant.export.formats.format import Format
from keras_equivariant.export.proof.prove import prove
from keras_equivariant.export.proof.read_file import SUFFIXES
from keras_equivariant.export.report import Artifact, ExportError, ExportReport
from keras_equivariant.export.serving import mlserver
from keras_equivariant.export.source import Source
from keras_equivariant.graphs.reading import functional
from keras_equivariant.groups.group import Group
from keras_equivariant.version import __version__


def export(
    model: keras.Model,
    path: str | os.PathLike[str],
    formats: str | Sequence[str] = registry.DEFAULT,
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
    pointwise: Literal["auto", "dense", "blocks"] = "auto",
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
    request. Every artifact is loaded back, run at batch 1 and 3, compared with `model` and measured for symmetry
    under the elements that map the pixel grid onto itself; `<path>/<name>.report.json` holds the result. All files
    appear at once when everything passed; otherwise only the report does.

    `ke.export.register_format(ke.export.Format(...))` adds a format of your own, written and verified as these are;
    `ke.export.format_names()` lists them all.

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
            artifact is tested, too.
        inference_type: `"float32"` or `"int8"`: what the int8 model takes and returns.
        group: group to measure the symmetry under; by default that of the model's layers.
        verify: False skips verification.
        tolerance: largest difference from the model, relative to its largest output, that passes: a number, or a
            dict by format. By default 1e-5 for float32, 1e-2 for float16 and 0.2 for int8; of a model that amplifies
            rounding four times what its own outputs round by, ten times as much at most.
        overwrite: replace files that are there already.
        server: `"mlserver"` adds the files with which `python <path>/<name>/mlserver_start.py` serves the SavedModel
            over REST and gRPC; they are for all versions, and kept where they are there already.
        pointwise: how group convolutions are written, see `fold`: `"auto"` in blocks where a measured rule of the
            format says that these are quicker, `"blocks"` always, `"dense"` never. Those of `tflite_int8` stay dense:
            integers of every sum would have a scale of their own. The report says what was taken.

    Returns:
        An ExportReport; `print(report)` shows a table.

    Raises:
        ExportError: if an artifact does not compute what the model computes; the report tells which.
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
        >>> report.passed, report.artifacts[0].path
        (True, 'tiny/1')

    Equivariance: that of `model`, measured on every artifact. Rotated kernels share their values, hence their int8
    scales, so an exactly invariant model stays exactly invariant in int8; `prove` shows that from the file alone, and
    its result stands in the report.
    """
    formats = arguments.checked_formats(formats)
    graph = functional(model, "folded", functions=True)
    name = arguments.checked_name(model.name if name is None else name)
    arguments.check_version(version)
    check_pointwise(pointwise)
    arguments.check_input_names(graph)
    mlserver.check(server, [format.name for format in formats])
    data = arguments.checked_data(graph, representative_data, formats, inference_type)
    arguments.check_writable(formats, verify)
    tolerance = arguments.checked_tolerance(tolerance)
    folder = arguments.checked_folder(path)
    targets = {format: folder / format.path(name, version) for format in formats}
    files.check_free(list(targets.values()), overwrite)

    with files.staging(folder, name) as stage:
        served, inputs = folded(model, name), verification.test_inputs(graph, data)
        for format in formats:
            format.check_model(served)
        forms = _in_forms(served, finite_groups(graph), formats, pointwise)
        if any(format.needs_data for format in formats):
            representative.check_ranges(graph, data)
            representative.check_answers(served, data)
        arrays = None if data is None else keras.tree.flatten(representative.on_orbits(graph, data))
        sources = {}
        for form, _ in forms.values():
            if id(form) not in sources:
                own = stage / f"form_{len(sources)}"
                own.mkdir()
                sources[id(form)] = Source(form, name, inputs, arrays, inference_type, own, version)
        written_from = {format: sources[id(form)] for format, (form, _) in forms.items()}
        staged = {format: source.file(format.name) for format, source in written_from.items()}
        reference = verification.Reference(model, graph, inputs, group) if verify else None
        artifacts = []
        for format, target in targets.items():
            given = staged[format], target.relative_to(folder), written_from[format], reference, tolerance
            artifacts.append(dataclasses.replace(_artifact(format, *given), pointwise=forms[format][1]))
        report = _report(name, version, tuple(artifacts), reference, folder)
        if report.passed:
            written = [(staged[format], target) for format, target in targets.items()]
            for path in mlserver.write(stage / "server", name) if server else ():
                target = folder / name / path.name
                if overwrite or not target.exists():
                    written.append((path, target))
            files.publish(folder, stage, written, overwrite)
        report.save(folder / f"{name}.report.json")
    if not report.passed:
        raise ExportError(f"Every artifact must compute what the model computes. Received:\n{report}", report)
    return report


export.Format, export.register_format, export.format_names = Format, registry.register_format, registry.format_names


def folded(model, name=None):
    """The folded model with inputs and outputs that a signature can have: a tensor, a flat list or a flat dict."""
    model = fold(model, name=name, verify=False, pointwise="dense")
    structures = (model.input, model.output)
    values = [
        list(s.values()) if isinstance(s, dict) else s if isinstance(s, (list, tuple)) else [s] for s in structures
    ]
    if all(isinstance(x, keras.KerasTensor) for xs in values for x in xs):
        return model
    return keras.Model(model.inputs, model.outputs, name=model.name)


def _in_forms(served, groups, formats, pointwise):
    """By format, the folded model with its group convolutions as the rule has them, and a Pointwise of each.

    Formats of the same choices get the same model.
    """
    found, models = {}, {}
    for format in formats:
        found[format] = in_blocks(served, groups, pays(pointwise, format.pointwise), models)
    return found


def _artifact(format, staged, path, source, reference, tolerance):
    """What was written, measured in its runtime where there is a reference to compare it with."""
    artifact = Artifact(format.name, path.as_posix(), files.size(staged))
    if reference is None:
        return artifact
    listed = {"operations": tuple(format.operations(staged)), "signature": format.signature(staged)}
    artifact, run = dataclasses.replace(artifact, **listed), format.load(staged, source)
    artifact = verification.verify(artifact, format, run, source, reference, tolerance.get(format.name))
    return dataclasses.replace(artifact, proof=_proof(staged, source, reference))


def _proof(staged, source, reference):
    """What the file alone says about the symmetry; None where its format or its sizes do not let it be read."""
    if staged.suffix not in SUFFIXES or reference.group is None:
        return None
    try:
        proof = prove(staged, reference.group, [tensor.shape for tensor in source.model.inputs])
    except ValueError:  # sizes that are not known
        return None
    return dataclasses.replace(proof, file=staged.name)


def _report(name, version, artifacts, reference, folder):
    return ExportReport(
        model=name,
        version=version,
        group=reference.group.name if reference and reference.group else None,
        folder=str(folder),
        artifacts=artifacts,
        equivariance=reference.equivariance if reference else None,
        notes=(reference.note,) if reference and reference.note else (),
        libraries=_libraries(),
    )


def _libraries():
    versions = {"keras_equivariant": __version__, "keras": keras.__version__}
    if keras.backend.backend() == "tensorflow":
        versions["tensorflow"] = backend.tensorflow([]).__version__
    return versions

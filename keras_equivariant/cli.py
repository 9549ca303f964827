"""The command line: `keras-equivariant train | evaluate | check | summary | export | learn-basis | demo | specs`."""

import argparse
import json
import logging
import sys

FORMATS = ("saved_model", "tflite", "tflite_float16", "tflite_int8", "onnx", "openvino", "keras")
DEFAULT_FORMATS = FORMATS[:2]
DISTRIBUTE = ("none", "mirrored", "multi_worker", "data_parallel")
REPRESENTATIVE_IMAGES = 128


def main(argv=None):
    """Run one command and return its exit status: 0 done, 1 the symmetry is broken, 2 an error in what was asked."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without the degree sign gets a question mark
    arguments = _parser().parse_args(argv)
    _show_progress(arguments)
    try:
        return arguments.command(arguments) or 0
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted. A training run continues after its last epoch with --resume.\n")
        return 130
    except BrokenPipeError:
        return 0
    except Exception as error:
        if arguments.debug or not _expected(error):
            raise
        for line in str(error).splitlines() or [type(error).__name__]:
            sys.stderr.write(f"keras-equivariant: error: {line}\n")
        return 2


def _expected(error):
    """Whether an error is about what the user asked for; any other is a fault of ours and keeps its traceback."""
    from keras_equivariant.export import ExportError

    return isinstance(error, ValueError | TypeError | OSError | ImportError | FloatingPointError | ExportError)


def _echo(text):
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _show_progress(arguments):
    """The library's progress messages go to standard output, unless the command is to be quiet."""
    logger = logging.getLogger("keras_equivariant")
    logger.handlers = [logging.StreamHandler(sys.stdout)]
    logger.propagate = False
    logger.setLevel(logging.WARNING if getattr(arguments, "quiet", False) else logging.INFO)


def _train(arguments):
    from keras_equivariant.training import train

    formats = () if arguments.no_export else tuple(arguments.formats)
    train(
        arguments.spec,
        arguments.data,
        arguments.run_dir,
        params=_pairs(arguments.set, "--set"),
        recipe=_pairs(arguments.recipe, "--recipe"),
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        seed=arguments.seed,
        mixed_precision=arguments.mixed_precision,
        compare=arguments.compare,
        validation=arguments.validation,
        limit=arguments.limit,
        resume=arguments.resume,
        distribute=arguments.distribute,
        tensorboard=arguments.tensorboard,
        angle_step=arguments.angle_step,
        angle_samples=arguments.angle_samples or None,
        export_formats=formats,
        verbose=0 if arguments.quiet else 1 if sys.stdout.isatty() else 2,
    )


def _evaluate(arguments):
    from keras_equivariant import data
    from keras_equivariant.training.evaluation import angles_of
    from keras_equivariant.training.saved import load_trained
    from keras_equivariant.training.tasks import task_of

    trained = load_trained(arguments.run)
    name = arguments.data or trained.settings.get("data", "digits")
    seed = trained.settings.get("seed", 0) if arguments.seed is None else arguments.seed
    dataset = data.load(name, seed).limited(arguments.limit)
    task, part = task_of(dataset), slice(arguments.angle_samples or None)
    scores = task.scores(trained.model, dataset.x_test, dataset.y_test, trained.preprocess)
    turned = dataset.x_test[part], dataset.y_test[part]
    scores |= task.scores_turned(trained.model, *turned, trained.preprocess)
    angles = angles_of(arguments.angle_step)
    by_angle = task.score_by_angle(trained.model, *turned, angles, trained.preprocess, scores)
    results = task.summary(scores, by_angle)
    network = trained.settings.get("network", trained.model.name)
    _echo(f"{network} on {dataset.description}, {len(dataset.x_test):,} test images")
    _echo(task.text(results))
    _echo(task.angle_table(results))
    if arguments.json:
        from keras_equivariant.training.run_folder import write_json

        write_json(arguments.json, {"network": network, "data": dataset.name, **results})


def _check(arguments):
    from keras_equivariant.compiler import build_from_spec, lint
    from keras_equivariant.equivariance import certify
    from keras_equivariant.training.run import symmetry_of

    params = _pairs(arguments.set, "--set")
    problems = lint(arguments.spec, **params)
    for problem in problems:
        _echo(f"{problem.severity}: {problem}")
    if any(problem.severity == "error" for problem in problems):
        return 1
    model = build_from_spec(arguments.spec, **params)
    report = certify(model, group=arguments.group or symmetry_of(model))
    _echo(report)
    if arguments.json:
        report.save(arguments.json)
    if arguments.plot:
        report.plot(arguments.plot)
    return 0 if report.verdict in ("exact", "approximate") else 1


def _summary(arguments):
    from keras_equivariant.training import estimate, match

    params = _pairs(arguments.set, "--set")
    if (arguments.match is None) != (arguments.baseline is None) or (arguments.match is None) != (
        arguments.vary is None
    ):
        raise ValueError("--match, --baseline and --vary go together. Received: not all of them.")
    if arguments.match:
        found = match(arguments.spec, arguments.baseline, arguments.vary, arguments.match.replace("-", "_"), params)
        _echo(found)
        return
    found = estimate(arguments.spec, **params)
    _echo(found)
    if arguments.json:
        from keras_equivariant.training.run_folder import write_json

        write_json(arguments.json, found.to_dict())


def _export(arguments):
    from keras_equivariant import data
    from keras_equivariant.export import export
    from keras_equivariant.training.saved import load_trained

    trained = load_trained(arguments.run)
    name = arguments.data or trained.settings.get("data")
    images = None
    if name is not None and "tflite_int8" in arguments.formats:
        dataset = data.load(name, trained.settings.get("seed", 0))
        images = trained.preprocess(dataset.x_train[:REPRESENTATIVE_IMAGES]).astype("float32")
    report = export(
        trained.model,
        arguments.output,
        tuple(arguments.formats),
        name=trained.settings.get("network"),
        version=arguments.model_version,
        representative_data=images,
        overwrite=arguments.overwrite,
        server=arguments.server,
    )
    _echo(report)


def _learn_basis(arguments):
    from pathlib import Path

    from keras_equivariant.training import learn_basis
    from keras_equivariant.training.learned_plot import plot_basis

    size = arguments.kernel_size
    path = Path(arguments.output or f"{arguments.group}_{size}x{size}_{arguments.variant}.npz")
    if path.exists() and not arguments.overwrite:
        raise FileExistsError(f"A basis is written to a new file. Received: {path}; name another, or add --overwrite.")
    names = ("variant", "size", "sigma", "equivariance_weight", "orthogonality_weight", "scales", "learning_rate")
    names += ("epochs", "batch_size", "seed")
    options = {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}
    verbose = 0 if arguments.quiet else 1 if sys.stdout.isatty() else 2
    learn_basis(arguments.group, size, arguments.data, path=path, verbose=verbose, **options)
    plot_basis(path, path.with_suffix(".png"))
    _echo(f'Use it as basis="{path}"; its picture is {path.with_suffix(".png")}.')


def _specs(arguments):
    from keras_equivariant.compiler import list_specs, load_spec

    names = list_specs()
    width = max(map(len, names), default=0)
    for name in names:
        _echo(f"{name:<{width}}  {load_spec(name).description}")


def _schema(arguments):
    from keras_equivariant.compiler import json_schema

    _echo(json.dumps(json_schema(), indent=2))


def _pairs(texts, option):
    """The dict of `key=value` texts; values are read as in a spec, so 23, 1e-3, true and [1, 2] have their types."""
    from keras_equivariant.compiler import parse_value

    pairs = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise ValueError(f"{option} takes KEY=VALUE. Received: {text!r}. Write, say, {option} filters=20.")
        pairs[key.strip()] = parse_value(value)
    return pairs


def _parser():
    parser = argparse.ArgumentParser(
        prog="keras-equivariant",
        description="Build, train, certify and export equivariant Keras networks from YAML specs.",
        epilog="Example: keras-equivariant train p4_cnn --data digits --compare z2_cnn",
    )
    from keras_equivariant.demo.command import add_demo
    from keras_equivariant.version import __version__

    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("--debug", action="store_true", help="show the whole traceback of an error")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in (_add_train, _add_evaluate, _add_check, _add_summary, _add_export, _add_learn_basis, add_demo):
        add(commands)
    commands.add_parser("specs", help="list the packaged specs").set_defaults(command=_specs)
    commands.add_parser("schema", help="print the JSON Schema of specs, for editors").set_defaults(command=_schema)
    return parser


def _add_train(commands):
    train = commands.add_parser(
        "train",
        help="train a spec, test it at all angles, certify and export it",
        description="Train a spec by its recipe. Everything about the run ends in one folder: log, checkpoint, model, "
        "accuracy (or F1 of masks) at all angles, certificate, plots, exported model, summary.json.",
    )
    train.set_defaults(command=_train)
    _add_spec(train)
    _add_data(train, "digits")
    train.add_argument("--epochs", type=int, metavar="N", help="default: the recipe's, fewer if it is for larger data")
    train.add_argument("--batch-size", type=int, metavar="N", help="default: the recipe's")
    train.add_argument(
        "--recipe",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="replace an entry of the recipe, e.g. 'optimizer={Adam: {learning_rate: 0.003}}'; may be repeated",
    )
    train.add_argument("--validation", type=int, default=0, metavar="N", help="hold out the last N training images")
    train.add_argument(
        "--mixed-precision",
        nargs="?",
        const="bfloat16",
        choices=("bfloat16", "float16"),
        help="compute in half precision (bfloat16 if no value is given)",
    )
    train.add_argument("--compare", metavar="SPEC", help="train this spec too and plot both, e.g. z2_cnn")
    train.add_argument("--run-dir", metavar="DIR", help="default: runs/SPEC-DATA-seedN")
    train.add_argument("--resume", action="store_true", help="continue the run in the folder after its last epoch")
    train.add_argument(
        "--distribute", choices=DISTRIBUTE, help="train on many devices (default: the recipe's, else none)"
    )
    train.add_argument("--tensorboard", action="store_true", help="also write TensorBoard logs")
    train.add_argument("--no-export", action="store_true", help="do not export the trained model")
    _add_formats(train)
    _add_angles(train)
    train.add_argument("--quiet", action="store_true", help="show errors only")


def _add_evaluate(commands):
    evaluate = commands.add_parser("evaluate", help="test a trained network, upright and at all angles")
    evaluate.set_defaults(command=_evaluate)
    evaluate.add_argument("run", metavar="RUN", help="a run folder or a .keras file")
    _add_data(evaluate, None)
    _add_angles(evaluate)
    evaluate.add_argument("--json", metavar="FILE", help="also write the results as JSON")


def _add_check(commands):
    check = commands.add_parser(
        "check",
        help="lint a spec and certify its untrained network",
        description="Check a spec without training: its grammar, the sizes on which layers lose their symmetry, and "
        "the equivariance error of the untrained network. Exit status 1 if the symmetry is broken.",
    )
    check.set_defaults(command=_check)
    _add_spec(check)
    check.add_argument("--group", help="the symmetry to test (default: that of the spec's layers, else C4)")
    check.add_argument("--json", metavar="FILE", help="also write the certificate as JSON")
    check.add_argument("--plot", metavar="FILE", help="also draw the certificate, e.g. check.png")


def _add_summary(commands):
    summary = commands.add_parser(
        "summary",
        help="what a spec's network costs: parameters, multiply-adds, memory, size",
        description="Count what the network of a spec costs before it is trained, layer by layer and for one example; "
        "or find the width at which it costs as much as another network: --match parameters --baseline z2_cnn "
        "--vary filters.",
    )
    summary.set_defaults(command=_summary)
    _add_spec(summary)
    summary.add_argument("--json", metavar="FILE", help="also write the numbers as JSON")
    summary.add_argument("--match", choices=("parameters", "multiply-adds"), help="the cost to make equal")
    summary.add_argument("--baseline", metavar="SPEC", help="the network to match, e.g. z2_cnn")
    summary.add_argument("--vary", metavar="KEY", help="the parameter to choose, a whole number, e.g. filters")


def _add_export(commands):
    export = commands.add_parser("export", help="export a trained network as SavedModel and .tflite")
    export.set_defaults(command=_export)
    export.add_argument("run", metavar="RUN", help="a run folder or a .keras file")
    export.add_argument("--output", required=True, metavar="DIR", help="the folder to write")
    export.add_argument("--data", metavar="NAME", help="images that set the ranges of tflite_int8 (default: the run's)")
    export.add_argument("--model-version", type=int, default=1, metavar="N", help="of the SavedModel (default: 1)")
    export.add_argument("--overwrite", action="store_true", help="replace files that are there already")
    export.add_argument("--server", choices=("mlserver",), help="add what a model server needs to serve the SavedModel")
    _add_formats(export)


def _add_learn_basis(commands):
    learn = commands.add_parser(
        "learn-basis",
        help="learn kernels whose turned copies are more than interpolated",
        description="Learn a basis of kernels and its copy for every element of a group, for basis=FILE of lifting "
        "and group convolutions. Writes an .npz file, and a picture of the basis and its losses beside it.",
    )
    learn.set_defaults(command=_learn_basis)
    learn.add_argument("--group", required=True, help="C<n> or D<n>, e.g. C8")
    learn.add_argument("--kernel-size", type=int, required=True, metavar="K", help="odd number of rows and columns")
    learn.add_argument("--data", metavar="NAME", help="a data set or .npz file (default: generated images)")
    learn.add_argument("--output", metavar="FILE", help="the .npz file (default: GROUP_KxK_VARIANT.npz)")
    learn.add_argument("--overwrite", action="store_true", help="replace a file that is there already")
    learn.add_argument("--variant", help="partial: quarter turns exact (default); full: every element learned")
    learn.set_defaults(variant="partial")
    learn.add_argument("--scales", type=float, nargs="+", metavar="S", help="factors by which it grows, e.g. 1 1.5")
    whole, number = {"type": int, "metavar": "N"}, {"type": float, "metavar": "X"}
    learn.add_argument("--size", **whole, help="number of functions (default: K^2)")
    for name, default in (("sigma", 0.5), ("equivariance-weight", 30), ("orthogonality-weight", 1)):
        learn.add_argument(f"--{name}", **number, help=f"default: {default}")
    learn.add_argument("--learning-rate", **number, help="default: 0.003")
    for name, default in (("epochs", 10), ("batch-size", 16), ("seed", 0)):
        learn.add_argument(f"--{name}", **whole, help=f"default: {default}")
    learn.add_argument("--quiet", action="store_true", help="show errors only")


def _add_spec(parser):
    parser.add_argument("spec", metavar="SPEC", help="name of a packaged spec (see `specs`) or path of a YAML file")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="set a parameter of the spec; may be repeated"
    )


def _add_data(parser, default):
    from keras_equivariant.data.registry import names

    what = f"{', '.join(names())}, or the path of an .npz file"
    default_text = default or "that of the run"
    parser.add_argument("--data", default=default, metavar="NAME", help=f"{what} (default: {default_text})")
    seed = 0 if default else None
    parser.add_argument("--seed", type=int, default=seed, metavar="N", help="seed of everything random (default: 0)")
    parser.add_argument("--limit", type=int, metavar="N", help="use at most N training and N test images")


def _add_angles(parser):
    parser.add_argument(
        "--angle-step", type=float, default=15, metavar="DEGREES", help="test at 0, 15, 30, … degrees (default: 15)"
    )
    parser.add_argument(
        "--angle-samples", type=int, default=2000, metavar="N", help="test images turned (default: 2000; 0: all)"
    )


def _add_formats(parser):
    parser.add_argument(
        "--formats",
        nargs="+",
        choices=FORMATS,
        default=DEFAULT_FORMATS,
        metavar="FORMAT",
        help=f"what to export: {', '.join(FORMATS)} (default: {' '.join(DEFAULT_FORMATS)})",
    )


if __name__ == "__main__":
    sys.exit(main())

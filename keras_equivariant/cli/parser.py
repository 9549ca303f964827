"""The arguments of the commands. Parsing them imports no framework: help comes at once."""

import argparse

from keras_equivariant.cli import commands, completion


def make_parser(arguments=None):
    """The parser of the command line.

    Args:
        arguments: list of str, what it will parse: only the commands among these get their options, for some lists in
            their help take time to make. Default: None, all commands get them.
    """
    from keras_equivariant.version import __version__

    parser = argparse.ArgumentParser(
        prog="keras-equivariant",
        description="Build, train, certify and export equivariant Keras networks from YAML specs.",
        epilog="Example: keras-equivariant train p4_cnn --data digits --compare z2_cnn",
    )
    parser.add_argument("--version", action="version", version=__version__)
    _add_common(parser, "plugins", False)
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, (fill, run, text, description) in COMMANDS.items():
        command = subparsers.add_parser(name, help=text, description=description)
        command.set_defaults(command=run)
        _add_common(command, "more_plugins", argparse.SUPPRESS)
        if arguments is None or name in arguments:
            fill(command)
    return parser


def _add_common(parser, plugins, default):
    """The options that may stand before the command and behind it."""
    parser.add_argument("--debug", action="store_true", default=default, help="show the whole traceback of an error")
    parser.add_argument("--verbose", action="store_true", default=default, help="also show the log lines of TensorFlow")
    parser.add_argument(
        "--plugin",
        action="append",
        default=[],
        dest=plugins,
        metavar="MODULE",
        help="import a module that registers layers, groups, data sets or formats; may be repeated",
    )


def _add_train(train):
    _add_spec(train)
    _add_data(train, "what comes with the package for the spec's kind, digits for images, else its recipe's", seed=0)
    train.add_argument("--epochs", type=int, metavar="N", help="default: the recipe's, fewer if it is for larger data")
    train.add_argument("--batch-size", type=int, metavar="N", help="default: the recipe's")
    from keras_equivariant.compiler.grammar.recipe import DISTRIBUTE, KEYS

    train.add_argument(
        "--recipe",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="replace an entry of the recipe, e.g. 'optimizer={Adam: {learning_rate: 0.003}}'; may be repeated. "
        f"The keys: {', '.join(KEYS)}",
    )
    train.add_argument(
        "--validation",
        type=_amount,
        default=0,
        metavar="N",
        help="hold out N training images, or a fraction such as 0.2",
    )
    train.add_argument(
        "--fraction",
        type=float,
        metavar="X",
        help="train on this part of the training images, 0.1 for a tenth, drawn with the seed; the test set stays",
    )
    train.add_argument(
        "--mixed-precision",
        nargs="?",
        const="bfloat16",
        choices=("bfloat16", "float16"),
        help="compute in half precision (bfloat16 if no value is given)",
    )
    train.add_argument("--compare", metavar="SPEC", help="train this spec too and plot both, e.g. z2_cnn")
    train.add_argument(
        "--seeds", type=int, metavar="N", help="train N networks, from --seed on; results are mean and deviation"
    )
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


def _amount(text):
    """A whole number, or a fraction."""
    return float(text) if "." in text else int(text)


def _add_evaluate(evaluate):
    evaluate.add_argument("run", metavar="RUN", help="a run folder or a .keras file")
    drawn = "what --limit and --angle-samples draw, and other data that are generated or divided"
    _add_data(
        evaluate,
        "that of the run",
        seed_text=f"seed of {drawn} (default: the run's; its own data stay as it divided them)",
    )
    evaluate.add_argument("--all", action="store_true", help="test on all images of --data, not on its test part alone")
    _add_angles(evaluate)
    evaluate.add_argument("--json", metavar="FILE", help="also write the results as JSON")


def _add_predict(predict):
    predict.add_argument("run", metavar="RUN", help="a run folder or a .keras file")
    predict.add_argument("files", nargs="+", metavar="FILE", help="pictures, volumes, molecules, or folders of them")
    predict.add_argument("--output", metavar="PATH", help="a .csv or .extxyz file, or of masks and fields a folder")


def _add_compare(compare):
    compare.add_argument("runs", nargs="+", metavar="RUN", help="run folders, also of several seeds")
    compare.add_argument("--plot", metavar="FILE", help="also draw the scores by angle, e.g. compare.png")


def _add_check(check):
    _add_spec(check)
    check.add_argument("--group", help="the symmetry to test (default: that of the spec's layers, else C4)")
    check.add_argument("--json", metavar="FILE", help="also write the certificate as JSON")
    check.add_argument("--plot", metavar="FILE", help="also draw the certificate, e.g. check.png")


def _add_summary(summary):
    _add_spec(summary)
    summary.add_argument("--json", metavar="FILE", help="also write the numbers as JSON")
    summary.add_argument("--match", choices=("parameters", "multiply-adds"), help="the cost to make equal")
    summary.add_argument("--baseline", metavar="SPEC", help="the network to match, e.g. z2_cnn")
    summary.add_argument("--vary", metavar="KEY", help="the parameter to choose, a whole number, e.g. filters")


def _add_export(export):
    export.add_argument("run", metavar="RUN", help="a run folder or a .keras file")
    export.add_argument("--output", required=True, metavar="DIR", help="the folder to write")
    export.add_argument("--data", metavar="NAME", help="images that set the ranges of tflite_int8 (default: the run's)")
    export.add_argument("--model-version", type=int, default=1, metavar="N", help="of the SavedModel (default: 1)")
    export.add_argument("--overwrite", action="store_true", help="replace files that are there already")
    export.add_argument(
        "--pointwise",
        choices=("auto", "dense", "blocks"),
        default="auto",
        help="group convolutions in blocks where these are quicker, never, or always (default: auto)",
    )
    export.add_argument("--server", choices=("mlserver",), help="add what a model server needs to serve the SavedModel")
    _add_formats(export)


def _add_equivariant(command):
    command.add_argument("model", metavar="MODEL", help="a .keras or .h5 file of a model of stock layers")
    command.add_argument("--group", default="D4", help="the symmetry (default: D4; for volumes e.g. O)")
    command.add_argument("--output", metavar="DIR", help="the folder to write (default: runs/NAME)")
    command.add_argument("--name", help="of the network (default: that of the file and of the group)")
    command.add_argument(
        "--match",
        default="parameters",
        metavar="WHAT",
        help="have as many as the original: parameters (default), channels or multiply-adds; or a number of fields for "
        "each channel",
    )
    command.add_argument("--weights", choices=("project",), help="start from the weights of the model, not at random")
    command.add_argument("--keep-windows", action="store_true", help="keep windows that break the exact symmetry")
    command.add_argument(
        "--symmetrize",
        choices=("average", "canonical"),
        help="leave the trained model as it is, and average it over the group or put its input into a canonical "
        "orientation",
    )
    command.add_argument("--data", metavar="FILE", help=".npy or .npz of sample images, for tflite_int8")
    command.add_argument("--overwrite", action="store_true", help="replace files that are there already")
    _add_formats(command)


def _add_prove(prove):
    prove.add_argument("file", metavar="FILE", help="a .tflite, .onnx or .keras file of stock operations")
    prove.add_argument("--group", help="the symmetry to prove (default: the largest that is found)")
    shapes = {"type": _shape, "action": "append", "metavar": "H,W,C"}
    prove.add_argument("--input-shape", **shapes, help="of an image, where the file leaves it open; for each input")
    prove.add_argument("--json", metavar="FILE", help="also write the proof as JSON")


def _shape(text):
    return (None, *(int(size) for size in text.split(",")))


def _add_learn_basis(learn):
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
    spec = parser.add_argument(
        "spec", metavar="SPEC", help="name of a packaged spec (see `specs`) or path of a YAML file"
    )
    spec.completer = completion.specs
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="set a parameter of the spec; may be repeated"
    )


def _add_data(parser, default_text, seed=None, seed_text="seed of everything random (default: 0)"):
    from keras_equivariant.data.registry import names

    what = f"{', '.join(names())}, a plugin's, or the path of a folder of images or of an .npz, .h5, .csv or .xyz file"
    option = parser.add_argument("--data", metavar="NAME", help=f"{what} (default: {default_text})")
    option.completer = completion.data_sets
    parser.add_argument("--seed", type=int, default=seed, metavar="N", help=seed_text)
    parser.add_argument("--limit", type=int, metavar="N", help="use at most N training and N test images")
    parser.add_argument(
        "--size", type=int, nargs="+", metavar="N", help="height and width (and depth) to bring all images to"
    )
    parser.add_argument(
        "--fit", choices=("pad", "resize"), help="how: cut and pad about the middle, or scale, proportions kept"
    )
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="set an option of the data set; may be repeated",
    )
    parser.add_argument(
        "--target",
        metavar="KIND",
        help="what numbers are: class, labels, number, angle, axis, vector; or an array's name",
    )


def _add_angles(parser):
    parser.add_argument(
        "--angle-step", type=float, default=15, metavar="DEGREES", help="test at 0, 15, 30, … degrees (default: 15)"
    )
    parser.add_argument(
        "--angle-samples", type=int, default=2000, metavar="N", help="test images rotated (default: 2000; 0: all)"
    )


def _add_formats(parser):
    from keras_equivariant.export.formats.registry import DEFAULT, format_names

    parser.add_argument(
        "--formats",
        nargs="+",
        default=DEFAULT,
        metavar="FORMAT",
        help=f"what to export: {', '.join(format_names())}, or a plugin's (default: {' '.join(DEFAULT)})",
    )
    parser.add_argument(
        "--inference-type",
        choices=("float32", "int8"),
        default="float32",
        help="what tflite_int8 takes and returns (default: float32); int8 for cameras and microcontrollers",
    )


def _add_demo(demo):
    demo.add_argument("--port", type=int, default=8000, metavar="N", help="0 for any free one (default: 8000)")
    demo.add_argument("--assets", default=".", metavar="DIR", help="where npm installed LiteRT.js (default: here)")


def _add_record(record):
    record.add_argument("run", metavar="RUN", help="the folder of a finished run")
    record.add_argument("--to", required=True, metavar="FILE", help="the experiment's YAML file, new or to be added to")
    record.add_argument("--name", metavar="ROW", help="of the row (default: the folder's name)")
    record.add_argument("--published", metavar="TEXT", help="the published number, e.g. '2.28 %%'")
    record.add_argument("--source", metavar="TEXT", help="where it was published")


def _add_render(render):
    render.add_argument("pages", nargs="*", metavar="PAGE", help="Markdown files or folders with markers to fill")
    render.add_argument("--results", required=True, metavar="DIR", help="the folder with the experiments' YAML files")
    render.add_argument("--check", action="store_true", help="write nothing; exit status 1 if a page would change")


def _add_nothing(command):
    pass


# name: (what adds its options, what runs it, one line, description)
COMMANDS = {
    "train": (
        _add_train,
        commands.run_train,
        "train a spec, test it at all angles, certify and export it",
        "Train a spec by its recipe. Everything about the run ends in one folder: log, checkpoint, model, "
        "accuracy (or F1 of masks) at all angles, certificate, plots, exported model, summary.json, report.html.",
    ),
    "evaluate": (
        _add_evaluate,
        commands.run_evaluate,
        "test a trained network, upright and at all angles",
        None,
    ),
    "predict": (
        _add_predict,
        commands.run_predict,
        "what a trained network says of pictures, volumes and molecules in files",
        "Classes by their names, numbers and angles as a table, masks as pictures; files become as the run's data are.",
    ),
    "compare": (
        _add_compare,
        commands.run_compare,
        "finished runs side by side",
        "A table of finished runs on the same data, and a plot of their scores at every angle.",
    ),
    "check": (
        _add_check,
        commands.run_check,
        "lint a spec and certify its untrained network",
        "Check a spec without training: its grammar, the sizes on which layers lose their symmetry, and "
        "the equivariance error of the untrained network. Exit status 1 if the symmetry is broken.",
    ),
    "summary": (
        _add_summary,
        commands.run_summary,
        "what a spec's network costs: parameters, multiply-adds, memory, size",
        "Count what the network of a spec costs before it is trained, layer by layer and for one example; "
        "or find the width at which it costs as much as another network: --match parameters --baseline z2_cnn "
        "--vary filters.",
    ),
    "export": (
        _add_export,
        commands.run_export,
        "export a trained network as SavedModel and .tflite",
        None,
    ),
    "equivariant": (
        _add_equivariant,
        commands.run_equivariant,
        "make a Keras model of your own equivariant, certify and export it",
        "Convert a model of stock Keras layers to its equivariant twin, or symmetrize a trained one as it is. Prints "
        "what became of each layer and the certificate; writes a .keras file to train and the exported files. Exit "
        "status 1 if the symmetry is broken.",
    ),
    "prove": (
        _add_prove,
        commands.run_prove,
        "prove from a file alone that its network keeps a symmetry",
        "Read a .tflite, .onnx or folded .keras file and prove layer by layer, from its kernels, biases, "
        "scales and zero points, that the network commutes with a group: for all inputs, in int8 bit for bit. Exit "
        "status 1 if it is not proved; the first layer that stands in the way is named.",
    ),
    "learn-basis": (
        _add_learn_basis,
        commands.run_learn_basis,
        "learn kernels whose rotated copies are more than interpolated",
        "Learn a basis of kernels and its copy for every element of a group, for basis=FILE of lifting "
        "and group convolutions. Writes an .npz file, and a picture of the basis and its losses beside it.",
    ),
    "demo": (
        _add_demo,
        commands.run_demo,
        "a page with networks that read a rotating digit in the browser",
        "Serve a page on 127.0.0.1: draw a digit or pick one and rotate it; an equivariant and a plain "
        "network run in the browser. LiteRT.js comes from npm: npm install @litertjs/core@2.5.3",
    ),
    "record": (
        _add_record,
        commands.run_record,
        "write a run's results into the YAML file of an experiment",
        "Write the numbers of a finished run into a YAML file, with command, spec and data hashes, seed, versions, "
        "machine, commit and date. `render` makes tables and plots from it.",
    ),
    "render": (
        _add_render,
        commands.run_render,
        "make tables, numbers and plots of pages from results files",
        "Render the page of every experiment in a folder, and fill the markers of other Markdown pages. Every network "
        "is built again: rows whose spec or code changed are marked.",
    ),
    "skill": (_add_nothing, commands.run_skill, "print the page for coding agents: what, when, shapes, traps", None),
    "specs": (_add_nothing, commands.run_specs, "list the packaged specs", None),
    "schema": (_add_nothing, commands.run_schema, "print the JSON Schema of specs, for editors", None),
}
WITHOUT_FRAMEWORK = (commands.run_skill,)  # which start at once

"""What each command does with its arguments; heavy modules are imported by the command that needs them."""

import json
import logging
import sys

log = logging.getLogger("keras_equivariant")


def _echo(text):
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def run_train(arguments):
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
        seeds=arguments.seeds,
        mixed_precision=arguments.mixed_precision,
        compare=arguments.compare,
        validation=arguments.validation,
        limit=arguments.limit,
        fraction=arguments.fraction,
        data_options=_data_options(arguments),
        resume=arguments.resume,
        distribute=arguments.distribute,
        tensorboard=arguments.tensorboard,
        angle_step=arguments.angle_step,
        angle_samples=arguments.angle_samples or None,
        export_formats=formats,
        inference_type=arguments.inference_type,
        verbose=0 if arguments.quiet else 1 if sys.stdout.isatty() else 2,
    )


def _tested(dataset, arguments):
    """The data set with what is to be tested in its test part: all of it, if asked for."""
    if arguments.all and not arguments.data:
        raise ValueError(
            "All images are tested of other data than the network was trained on. Received: --all without --data. Name "
            "the data, or leave --all out."
        )
    if arguments.data and not arguments.all:
        total = sum(len(x) for x in (dataset.x_train, dataset.x_val, dataset.x_test) if x is not None)
        text = "Tested are the %d for testing of the %d of %s; --all tests all, where the network has not seen them."
        log.info(text, len(dataset.x_test), total, dataset.name)
    return dataset.all_tested() if arguments.all else dataset


def run_evaluate(arguments):
    from keras_equivariant.data.cuts import check_count
    from keras_equivariant.training.evaluation import angles_of
    from keras_equivariant.training.reporting import THINGS
    from keras_equivariant.training.saved import load_trained
    from keras_equivariant.training.tasks import task_of

    samples, angles = arguments.angle_samples or None, angles_of(arguments.angle_step)
    check_count("angle_samples", samples)
    trained = load_trained(arguments.run)
    name = arguments.data or (None if "data" in trained.settings else "digits")
    seed = trained.settings.get("seed", 0) if arguments.seed is None else arguments.seed
    dataset = trained.load_data(name, _data_options(arguments), seed)
    trained.check_task(dataset)
    trained.check_images(dataset.x_test, dataset.name)
    dataset = _tested(dataset, arguments)
    dataset = trained.in_own_terms(dataset).limited(arguments.limit, seed)
    task = task_of(dataset)
    scores = task.scores(trained.model, dataset.x_test, dataset.y_test, trained.preprocess)
    rotated = dataset.sample("test", samples, seed)
    scores |= task.scores_rotated(trained.model, *rotated, trained.preprocess)
    by_angle = task.score_by_angle(trained.model, *rotated, angles, trained.preprocess, scores)
    results = task.summary(scores, by_angle)
    results |= task.against_references(trained.model, dataset, trained.preprocess, scores)
    network = trained.settings.get("network", trained.model.name)
    _echo(f"{network} on {dataset.description}, {len(dataset.x_test):,} test {THINGS[dataset.layout]}")
    if by_angle:
        _echo(task.angle_table(results))
    _echo(task.text(results))
    if arguments.json:
        from keras_equivariant.training.run_folder import write_json

        write_json(arguments.json, {"network": network, "data": dataset.name, **results})


def run_predict(arguments):
    from keras_equivariant.training.predict_files import predict_files

    _echo(predict_files(arguments.run, arguments.files, arguments.output))


def run_compare(arguments):
    from keras_equivariant.training import compare_runs

    _echo(compare_runs(arguments.runs, arguments.plot))


def run_check(arguments):
    from keras_equivariant.compiler import build_from_spec, lint
    from keras_equivariant.equivariance import certify
    from keras_equivariant.graphs.symmetry import group_of

    params = _pairs(arguments.set, "--set")
    problems = lint(arguments.spec, **params)
    for problem in problems:
        _echo(f"{problem.severity}: {problem}")
    if any(problem.severity == "error" for problem in problems):
        return 1
    model = build_from_spec(arguments.spec, **params)
    report = certify(model, group=arguments.group or group_of(model, of_grid=True))
    _echo(report)
    if arguments.json:
        report.save(arguments.json)
    if arguments.plot:
        report.plot(arguments.plot)
    return 0 if report.verdict in ("exact", "approximate") else 1


def run_summary(arguments):
    from keras_equivariant.costs import estimate, match

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


def run_export(arguments):
    import numpy as np

    from keras_equivariant.export import arguments as checks
    from keras_equivariant.export import export
    from keras_equivariant.training.results import REPRESENTATIVE_IMAGES
    from keras_equivariant.training.saved import load_trained
    from keras_equivariant.training.tasks import task_of

    formats = checks.checked_formats(arguments.formats)

    trained = load_trained(arguments.run)
    has_data = arguments.data is not None or "data" in trained.settings
    images = None
    if has_data and any(format.needs_data for format in formats):
        dataset = trained.load_data(arguments.data)
        trained.check_images(dataset.x_train, dataset.name)
        inputs, _ = dataset.sample("train", REPRESENTATIVE_IMAGES, trained.settings.get("seed", 0))
        images = task_of(dataset).certified(trained.model, trained.preprocess(inputs))
        images = images if isinstance(images, list) else np.asarray(images, "float32")
    report = export(
        trained.served,
        arguments.output,
        tuple(arguments.formats),
        name=trained.settings.get("network"),
        version=arguments.model_version,
        representative_data=images,
        inference_type=arguments.inference_type,
        overwrite=arguments.overwrite,
        server=arguments.server,
        pointwise=arguments.pointwise,
    )
    _echo(report)


def run_equivariant(arguments):
    from pathlib import Path

    import keras

    from keras_equivariant.cli.samples import samples
    from keras_equivariant.conversion import equivariant, symmetrize
    from keras_equivariant.equivariance import certify
    from keras_equivariant.export import arguments as checks
    from keras_equivariant.export import export

    formats = checks.checked_formats(arguments.formats)
    checks.check_inference_type(formats, arguments.inference_type)
    if "keras" in arguments.formats:
        raise ValueError(
            "The network to train is written as a .keras file. Received: --formats keras, whose file has the same "
            "name. Train it first, then fold it with ke.fold or keras-equivariant export."
        )
    _check_symmetrized(arguments)
    model = _load_model(arguments.model)
    needs_data = any(format.needs_data for format in formats)
    images = samples(arguments.data, model) if needs_data else None
    name = arguments.name or f"{Path(arguments.model).stem}_{arguments.group.lower()}"
    output = Path(arguments.output or Path("runs") / name)
    saved = output / f"{name}.keras"
    if saved.exists() and not arguments.overwrite:
        raise FileExistsError(f"The network is written to a new file. Received: {saved}; add --overwrite.")
    if arguments.symmetrize:
        new = symmetrize(model, arguments.group, arguments.symmetrize, name=name)
    else:
        match = _number_or_text(arguments.match)
        new = equivariant(model, arguments.group, match, arguments.weights, not arguments.keep_windows, name=name)
        _echo(new.conversion)
    _echo(f"Multiply-adds for one example: {_multiply_adds(new)}, of the original {_multiply_adds(model)}.\n")
    report = certify(new, group=arguments.group)
    _echo(report)
    output.mkdir(parents=True, exist_ok=True)
    new.save(saved)
    _echo(f"\nThe network, to train: {saved}")
    options = {"representative_data": images, "inference_type": arguments.inference_type}
    options |= {"overwrite": arguments.overwrite, "group": arguments.group}
    _echo(export(new, output, tuple(arguments.formats), name=name, **options))
    keras.backend.clear_session()
    return 0 if report.verdict in ("exact", "approximate") else 1


def _check_symmetrized(arguments):
    """ValueError for options of a twin where the model itself is averaged."""
    changes = {"--weights": arguments.weights, "--keep-windows": arguments.keep_windows}
    changes["--match"] = arguments.match != "parameters"
    given = [option for option, value in changes.items() if value]
    if arguments.symmetrize and given:
        raise ValueError(
            "A symmetrized model keeps its weights, windows and layers. Received: --symmetrize "
            f"{arguments.symmetrize} with {' and '.join(given)}; leave out the one or the other"
        )


def _multiply_adds(model):
    """Multiplications with additions for one example, as a text."""
    from keras_equivariant.costs.layers import layer_costs

    try:
        return f"{sum(layer.multiply_adds for layer in layer_costs(model)):,}"
    except (ValueError, NotImplementedError):  # of unknown sizes, or of layers that fold only together
        return "unknown"


def _load_model(path):
    """The Keras model of a file, with the layers of plugins."""
    from keras_equivariant.utils.keras_files import load_model

    if not str(path).endswith((".keras", ".h5", ".hdf5")):
        raise ValueError(f"A model is a .keras or .h5 file. Received: {path}; write one with model.save(...).")
    return load_model(path, compile=False)


def _number_or_text(text):
    try:
        return float(text)
    except ValueError:
        return text


def run_prove(arguments):
    from keras_equivariant.export import prove

    proof = prove(arguments.file, arguments.group, arguments.input_shape)
    _echo(proof)
    if arguments.json:
        proof.save(arguments.json)
    return 0 if proof.verdict == "proved" else 1


def run_learn_basis(arguments):
    from pathlib import Path

    from keras_equivariant.training.bases import learn_basis
    from keras_equivariant.training.bases.plot import plot_basis

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


def run_demo(arguments):
    from keras_equivariant.demo.server import DemoServer, find_assets

    if not 0 <= arguments.port <= 65535:
        raise ValueError(f"A port is a number from 0 to 65535. Received: --port {arguments.port}")
    assets = find_assets(arguments.assets)
    from keras_equivariant.demo.networks import networks

    log.info("Exporting the networks ...")
    with DemoServer(networks(), assets, arguments.port) as server:
        log.info("Open %s in a browser; Ctrl-C ends it.", server.url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return


def run_record(arguments):
    from keras_equivariant.results import record_run

    if (arguments.published is None) != (arguments.source is None):
        raise ValueError("--published and --source go together. Received: one of them; name the place of the number.")
    published = arguments.published and {"text": arguments.published, "source": arguments.source}
    row = record_run(arguments.run, arguments.to, arguments.name, published)
    _echo(f"{row.name} is recorded in {arguments.to}.")


def run_render(arguments):
    from keras_equivariant.results import render_pages

    changed = render_pages(arguments.pages, arguments.results, arguments.check)
    for path in changed:
        _echo(f"{'would change' if arguments.check else 'rendered'}: {path}")
    return 1 if arguments.check and changed else 0


def run_skill(arguments):
    from importlib.resources import files

    _echo(files("keras_equivariant.cli").joinpath("SKILL.md").read_text(encoding="utf-8").rstrip())


def run_specs(arguments):
    from keras_equivariant.compiler import list_specs, load_spec
    from keras_equivariant.training.agreement import group_name, layout_of
    from keras_equivariant.utils.text import aligned

    rows = [("spec", "task", "data", "group", "")]
    for name in list_specs():
        spec = load_spec(name)
        task = spec.training.get("task", "classification")
        layout = "states" if task == "trajectories" else layout_of(spec)
        rows.append((name, task, layout, group_name(spec), spec.description))
    _echo("\n".join(aligned(rows)))


def run_schema(arguments):
    from keras_equivariant.compiler import json_schema

    _echo(json.dumps(json_schema(), indent=2))


def _data_options(arguments):
    """The options of the data set that were given."""
    size = arguments.size and (tuple(arguments.size) if len(arguments.size) > 1 else arguments.size[0])
    found = {"size": size, "fit": arguments.fit, "target": arguments.target}
    return {key: value for key, value in found.items() if value is not None} | _pairs(arguments.option, "--option")


def _pairs(texts, option):
    """The dict of `key=value` texts; values are read as in a spec, so 23, 1e-3, true and [1, 2] have their types."""
    from keras_equivariant.compiler import SpecError, parse_value

    pairs = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip() or not value.strip():
            raise ValueError(f"{option} takes KEY=VALUE. Received: {text!r}. Write, say, {option} filters=20.")
        try:
            pairs[key.strip()] = parse_value(value)
        except SpecError as error:
            said = "; ".join(problem.message for problem in error.problems)
            raise ValueError(f"{option} takes a value as YAML has it. Received: {text!r}, {said}") from None
    return pairs

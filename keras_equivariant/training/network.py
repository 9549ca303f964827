"""The network to train: built from a spec for the images at hand, or a Keras model given by hand."""

import contextlib
import logging
from dataclasses import dataclass, replace

import keras

from keras_equivariant.data import Preprocess, Rows
from keras_equivariant.training import agreement
from keras_equivariant.training.recipe import Recipe
from keras_equivariant.training.seeding import set_seed
from keras_equivariant.training.tasks import task_of

log = logging.getLogger("keras_equivariant.training")


@dataclass(frozen=True)
class Network:
    """A model, the recipe to train it by, the text of its spec (empty for a model made by hand) and its parameters."""

    name: str
    model: keras.Model
    recipe: Recipe
    spec_text: str = ""
    params: dict | None = None


def make_network(spec, dataset, params=None, recipe=None, seed=0, mixed_precision=None):
    """Build the network for a data set.

    Parameters `classes`, `size` (pixels along each side) and `channels` that the spec has and `params` leaves open are
    set to those of the data.

    Args:
        spec: Name, path or dict of a spec, or a built `keras.Model`.
        dataset: The `Dataset` it will see.
        params: Parameters of the spec.
        recipe: Dict that replaces entries of the spec's `training` block.
        seed: Seed of the initial weights.
        mixed_precision: None, `"float16"` or `"bfloat16"`.

    Raises:
        ValueError: The network's input or output does not fit the data; SpecError: the spec is wrong.
    """
    if isinstance(spec, keras.Model):
        if params or mixed_precision:
            raise ValueError(
                "`params` and `mixed_precision` decide how a spec is built. "
                f"Received: params={params}, mixed_precision={mixed_precision} with a built model. Leave them out."
            )
        network = Network(spec.name, spec, Recipe.from_dict(recipe))
    else:
        network = _from_spec(spec, dataset, dict(params or {}), recipe, seed, mixed_precision)
    _check_fit(network, dataset)
    agreement.check_voxels(network, dataset)
    return replace(network, model=task_of(dataset).scaled(network.model, dataset))


def recipe_of(spec, params=None, recipe=None):
    """The `Recipe` of a spec, or of a built model, before it is fitted to any data."""
    if isinstance(spec, keras.Model):
        return Recipe.from_dict(recipe)
    from keras_equivariant.compiler import load_spec

    return Recipe.from_dict({**load_spec(spec, **(params or {})).training, **(recipe or {})})


def data_of(spec, params=None, recipe=None):
    """The name of the data set that a spec, or a built model, is trained on where nobody names one."""
    if isinstance(spec, keras.Model):
        return agreement.DEFAULT_DATA
    from keras_equivariant.compiler import load_spec

    return agreement.data_of(load_spec(spec, **(params or {})), recipe_of(spec, params, recipe))


def _from_spec(spec, dataset, params, recipe, seed, mixed_precision):
    from keras_equivariant.compiler import build_from_spec, load_spec

    declared = load_spec(spec, **params)
    training = {**declared.training, **(recipe or {})}
    recipe = Recipe.from_dict(training)
    agreement.check_kind(declared, recipe, dataset)
    fitted = _fitted_to(dataset, recipe, declared.params, params)
    if fitted:
        log.info("Set to fit %s: %s.", dataset.name, ", ".join(f"{k}={v}" for k, v in fitted.items()))
    resolved = load_spec(spec, **params, **fitted)
    set_seed(seed)
    with _dtype_policy(mixed_precision):
        # By its recipe the linter tells what decides the size of the images.
        model = build_from_spec(replace(resolved, training=training))
    return Network(resolved.name, model, recipe, resolved.to_yaml(), dict(resolved.params))


def _fitted_to(dataset, recipe, declared, given):
    """Values for the parameters `classes`, `size` and `channels` of a spec where the user gave none and the default
    does not fit the data."""
    wanted = {**agreement.input_parameters(dataset, recipe), **task_of(dataset).parameters(dataset)}
    return {
        name: value
        for name, value in wanted.items()
        if name in declared and name not in given and value not in (None, declared[name])
    }


@contextlib.contextmanager
def _dtype_policy(mixed_precision):
    if mixed_precision not in (None, "float16", "bfloat16"):
        raise ValueError(
            f'`mixed_precision` must be None, "float16" or "bfloat16". Received: {mixed_precision!r}. Choose one.'
        )
    before = keras.config.dtype_policy()
    if mixed_precision:
        keras.config.set_dtype_policy(f"mixed_{mixed_precision}")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _check_fit(network, dataset):
    if isinstance(dataset.x_train, Rows):
        agreement.check_rows(network, dataset)
        task_of(dataset).check(network, dataset)
        return
    inputs, results = (len(getattr(network.model, part, None) or ()) for part in ("inputs", "outputs"))
    if (inputs, results) != (1, 1):
        raise ValueError(
            "A network to train must be a built functional or Sequential model of one input and one output. "
            f'Received: "{network.name}" with {inputs} inputs and {results} outputs. '
            "Give a Sequential model an Input, and wrap others in keras.Model."
        )
    wanted = tuple(network.model.input_shape[1:])
    given = Preprocess(network.recipe.preprocess).output_shape(dataset.image_shape)
    if len(wanted) != len(given) or any(w not in (None, g) for w, g in zip(wanted, given, strict=True)):
        raise ValueError(
            f'A network must take the images as they are. Received: network "{network.name}" for {_by(wanted)}, '
            f'data "{dataset.name}" of {_by(given)}. {_brought_to(wanted, given, dataset)}.'
        )
    task_of(dataset).check(network, dataset)


def _brought_to(wanted, given, dataset):
    """What brings images to the shape that a network takes: `resize` makes squares of images alone, without masks."""
    sized = f"Use data of that {'shape' if wanted[-1:] != given[-1:] else 'size'}"
    square = len(wanted) == len(given) == 3 and wanted[0] == wanted[1] and wanted[-1] == given[-1]
    if square and dataset.task != "segmentation":
        return (
            f"{sized}, set the spec's input parameters with --set, or add `preprocess: [{{resize: {wanted[0]}}}]` to "
            "the recipe"
        )
    return f"{sized}, or set the spec's input parameters with --set"


def _by(shape):
    return "x".join("any" if size is None else str(size) for size in shape)

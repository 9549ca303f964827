"""The `training` of a spec: how the published network was trained. Each key is declared here, and nowhere else.

`training/` carries it out. A key is a field of `Recipe` with its rule, its default and what it means; from these come
the check of a spec, the JSON Schema and the help of the command line.
"""

import dataclasses

from keras_equivariant.compiler.grammar import rules
from keras_equivariant.compiler.grammar.nodes import whole

FLIPS = ("horizontal", "vertical", "both")
FILLS = ("reflect", "constant")
INTERPOLATIONS = ("cubic", "linear", "nearest")
LOSSES = ("crossentropy", "balanced_crossentropy", "squared_error", "absolute_error")
TASKS = ("classification", "multilabel", "segmentation", "regression", "vectors", "molecules", "trajectories")
DISTRIBUTE = ("none", "mirrored", "multi_worker", "data_parallel")


def _read_optimizer(node, scope):
    value = rules.resolve(node, scope)
    if isinstance(value, str):
        value = {value: None}
    if not isinstance(value, dict) or len(value) != 1:
        raise node.error(f"must be one optimizer, such as {{Adam: {{learning_rate: 1e-3}}}}. Received: {node.kind}")
    # Knows Keras, which the other keys do not need.
    from keras_equivariant.compiler.grammar.kinds import check_optimizer

    return check_optimizer(value, node.where)


_FRACTION = rules.number("a number from 0 to 1", 0, 1)
SCHEDULES = {
    "piecewise": {"epochs": rules.rising(), "factor": _FRACTION},
    "exponential": {"start": rules.whole(1), "factor": _FRACTION},
    "cosine": {"warmup_epochs": rules.number("a number from 0", 0, 1e6), "final": _FRACTION},
}
_REQUIRED = {"piecewise": ("epochs",), "exponential": ("factor",), "cosine": ()}
AUGMENT = {
    "rotate": rules.number("degrees from 0 to 180", 0, 180),
    "flip": rules.one_of(FLIPS),
    "translate": rules.whole(0),
    "fill": rules.one_of(FILLS),
    "quarter_turns": rules.flag(),
    "axis": rules.value("0, 1 or 2", lambda v: v in (0, 1, 2) and not isinstance(v, bool), {"enum": [0, 1, 2]}, whole),
    "interpolation": rules.one_of(INTERPOLATIONS),
}


def _key(default, rule, text):
    """A key of the recipe: what it is where a spec leaves it out, what it may be, and what it means."""
    fixed = {"default_factory": lambda: default} if isinstance(default, dict) else {"default": default}
    return dataclasses.field(**fixed, metadata={"rule": rule, "text": text})


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How to train one network. Every time is in epochs; learning rates are the optimizer's."""

    task: str | None = _key(
        None, rules.one_of(TASKS), "what the network answers with (default: classification, of images or volumes)"
    )
    dataset: str = _key("digits", rules.text("the name of a data set"), "a data set's name or an .npz file")
    epochs: int = _key(20, rules.whole(1), "how often the training set is seen")
    batch_size: int = _key(128, rules.whole(1), "examples in a step")
    shuffle_block: int = _key(
        1,
        rules.whole(1),
        "rows that stay together in the shuffle, as they lie in the data, such as one of each class",
    )
    optimizer: dict = _key(
        {"Adam": {"learning_rate": 1e-3}},
        rules.Rule(_read_optimizer, {"$ref": "#/$defs/optimizers"}),
        "a Keras optimizer and its arguments, {Adam: {learning_rate: 1e-3}}",
    )
    schedule: dict | None = _key(
        None,
        rules.one_entry(
            "schedule", {name: rules.mapping(name, keys, _REQUIRED[name]) for name, keys in SCHEDULES.items()}
        ),
        "{piecewise: {epochs: [50, 100], factor: 0.1}}; {cosine: {warmup_epochs: 5, final: 0.0}}; or "
        "{exponential: {start: 15, factor: 0.8}}, times 0.8 in epoch 16 (the first is 1) and every one after it",
    )
    augment: dict | None = _key(
        None,
        rules.mapping("augment", AUGMENT),
        "{rotate: 180, flip: horizontal, translate: 2, fill: reflect}: largest rotation in degrees, largest shift in "
        "pixels; quarter_turns: true rotates by 0, 90, 180 or 270 degrees, without interpolation; axis: 2 rotates "
        "volumes and points about that axis alone; interpolation: cubic, linear or nearest at other angles",
    )
    preprocess: tuple = _key(
        (), rules.steps("preprocess", ("contrast", "zca"), ("resize",)), "[contrast, zca, {resize: 32}], in this order"
    )
    loss: str | None = _key(
        None,
        rules.one_of(LOSSES),
        "crossentropy; balanced_crossentropy, for masks, gives both kinds of pixels the same weight; squared_error or "
        "absolute_error of numbers and vectors",
    )
    class_weight: str | None = _key(
        None, rules.one_of(("balanced",)), "balanced: every class weighs the same, however rare it is"
    )
    early_stopping: int | None = _key(
        None,
        rules.whole(1),
        "stop after so many epochs without a smaller loss on the validation part, and keep the best weights",
    )
    keep_best: bool = _key(False, rules.flag(), "keep the weights of the epoch with the smallest loss of validation")
    seeds: int = _key(
        1, rules.whole(1), "so many runs, with the seeds s, s + 1, …; their results are mean and deviation"
    )
    distribute: str = _key(
        "none",
        rules.one_of(DISTRIBUTE),
        "mirrored: on all devices of a machine; multi_worker: on those of TF_CONFIG; data_parallel: on JAX",
    )
    refit_head: bool = _key(
        False, rules.flag(), "set the last Dense, once trained, to the linear discriminant of its inputs"
    )
    lie_derivative_penalty: float = _key(
        0.0,
        rules.number("a number from 0", 0, 1e6),
        "weight of the loss (|L f| / |f|)^2, L f the change of the output under small rotations: what training keeps "
        "of the symmetry between the rotations of the grid, at twice the cost of a step",
    )
    rematerialize: bool = _key(
        False, rules.flag(), "compute features again for the backward pass, not keep them: less memory, more time"
    )


KEYS = {field.name: field.metadata for field in dataclasses.fields(Recipe)}
RULE = rules.mapping("training", {name: key["rule"] for name, key in KEYS.items()})


def read_recipe(node, scope):
    """The checked recipe as a plain dict.

    Raises:
        SpecError: an unknown key, or a value of the wrong type.
    """
    return {} if node is None or node.value is None else RULE.read(node, scope)


def schema():
    """The JSON Schema of `training`; each key says what it means."""
    properties = {name: {**key["rule"].schema, "description": key["text"]} for name, key in KEYS.items()}
    return {**RULE.schema, "properties": properties}

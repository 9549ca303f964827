"""The `training` of a spec: how the published network was trained. Checked here, carried out by `training/`.

dataset: rotated_mnist        a data set's name or an .npz file
epochs: 100
batch_size: 128
shuffle_block: 8              rows that stay together in the shuffle, as they lie in the data set (one of each class)
optimizer: {Adam: {learning_rate: 1e-3}}      a Keras optimizer and its arguments
schedule: {piecewise: {epochs: [50, 100], factor: 0.1}}, or {cosine: {warmup_epochs: 5, final: 0.0}},
          or {exponential: {start: 15, factor: 0.8}}: times 0.8 in epoch 16 (the first is 1) and every one after it
loss: balanced_crossentropy   for masks: both kinds of pixels weigh the same; else crossentropy
augment: {rotate: 180, flip: horizontal, translate: 2, fill: reflect}     largest turn in degrees, shift in pixels
         quarter_turns: true  turns by 0, 90, 180 or 270 degrees, without interpolation
preprocess: [contrast, zca]   in this order; also {resize: 32}
distribute: mirrored          on all devices of a machine, multi_worker on those of TF_CONFIG; data_parallel on JAX
refit_head: true              set the last Dense, once trained, to the linear discriminant of its inputs
rematerialize: true           compute features again for the backward pass, not keep them: less memory, more time
"""

from keras_equivariant.compiler.grammar.expressions import resolve
from keras_equivariant.compiler.grammar.nodes import kind_of
from keras_equivariant.utils.text import nearest

FLIPS = ("horizontal", "vertical", "both")
FILLS = ("reflect", "constant")
LOSSES = ("crossentropy", "balanced_crossentropy")
STEPS = ("contrast", "zca", "resize")
DISTRIBUTE = ("none", "mirrored", "multi_worker", "data_parallel")


def read_recipe(node, scope):
    """The checked recipe as a plain dict.

    Raises:
        SpecError: an unknown key, or a value of the wrong type.
    """
    if node is None or node.value is None:
        return {}
    return _mapping("training", RULES, node, scope)


def _mapping(what, rules, node, scope, required=()):
    found = node.mapping(f"`{what}`", tuple(rules), required)
    return {key: rules[key](child, scope) for key, child in found.items()}


def _value(text, good):
    def read(node, scope):
        value = resolve(node, scope)
        if not good(value):
            raise node.error(f"must be {text}. Received: {kind_of(value)}")
        return value

    return read


def _one_of(names):
    return _value(f"one of {', '.join(names)}", lambda value: value in names)


def _is_whole(value, least):
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_number(value, least, most):
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most


def _optimizer(node, scope):
    value = resolve(node, scope)
    if isinstance(value, str):
        value = {value: None}
    if not isinstance(value, dict) or len(value) != 1:
        raise node.error(f"must be one optimizer, such as {{Adam: {{learning_rate: 1e-3}}}}. Received: {node.kind}")
    from keras_equivariant.compiler.grammar.kinds import check_part  # knows Keras, which the recipe's words do not need

    return check_part(value, node.where, "optimizers")


def _schedule(node, scope):
    found = node.mapping("a schedule", tuple(SCHEDULES))
    if len(found) != 1:
        raise node.error(f"must be one schedule: {', '.join(SCHEDULES)}. Received: {len(found)}")
    ((name, options),) = found.items()
    rules, required = SCHEDULES[name]
    return {name: _mapping(name, rules, options, scope, required)}


def _steps(node, scope):
    found = []
    for item in node.sequence("`preprocess`"):
        step = resolve(item, scope)
        name = next(iter(step), None) if isinstance(step, dict) and len(step) == 1 else step
        if name not in STEPS:
            raise item.error(f"unknown step. {nearest(name, STEPS)}")
        if (name == "resize") != (isinstance(step, dict) and _is_whole(step[name], 1)):
            raise item.error("must be contrast, zca or {resize: pixels}")
        found.append(step)
    return found


_WHOLE = _value("a whole number from 1", lambda value: _is_whole(value, 1))
_EPOCHS = _value("a list of whole numbers", lambda v: isinstance(v, list) and all(_is_whole(e, 0) for e in v))
_FLAG = _value("true or false", lambda value: isinstance(value, bool))
_FRACTION = _value("a number from 0 to 1", lambda value: _is_number(value, 0, 1))
SCHEDULES = {
    "piecewise": ({"epochs": _EPOCHS, "factor": _FRACTION}, ("epochs",)),
    "exponential": ({"start": _WHOLE, "factor": _FRACTION}, ("factor",)),
    "cosine": ({"warmup_epochs": _value("a number from 0", lambda v: _is_number(v, 0, 1e6)), "final": _FRACTION}, ()),
}
AUGMENT = {
    "rotate": _value("degrees from 0 to 180", lambda value: _is_number(value, 0, 180)),
    "flip": _one_of(FLIPS),
    "translate": _value("a whole number from 0", lambda value: _is_whole(value, 0)),
    "fill": _one_of(FILLS),
    "quarter_turns": _FLAG,
}
RULES = {
    "dataset": _value("the name of a data set", lambda value: isinstance(value, str)),
    "epochs": _WHOLE,
    "batch_size": _WHOLE,
    "shuffle_block": _WHOLE,
    "optimizer": _optimizer,
    "schedule": _schedule,
    "loss": _one_of(LOSSES),
    "augment": lambda node, scope: _mapping("augment", AUGMENT, node, scope),
    "preprocess": _steps,
    "distribute": _one_of(DISTRIBUTE),
    "refit_head": _FLAG,
    "rematerialize": _FLAG,
}

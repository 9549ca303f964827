"""The training recipe of a spec, turned into Keras's optimizer and schedule."""

import inspect
from dataclasses import dataclass, fields

from keras_equivariant.compiler.grammar import recipe as grammar
from keras_equivariant.compiler.grammar.errors import Where
from keras_equivariant.compiler.grammar.nodes import from_python
from keras_equivariant.data import Augment

_KEYS = tuple(field.name for field in fields(grammar.Recipe))


@dataclass(frozen=True)
class Recipe(grammar.Recipe):
    """A recipe that can be carried out; its fields are declared, with their defaults, in the grammar of specs."""

    def __post_init__(self):
        if not isinstance(self.augment, Augment):
            object.__setattr__(self, "augment", Augment(**(self.augment or {})))

    @classmethod
    def from_dict(cls, training):
        """The recipe of a dict, as the `training` block of a spec: what is left out, or None, is as declared.

        Raises:
            SpecError: an unknown key, or a value that the grammar of specs does not allow.
        """
        read = grammar.read_recipe(from_python(_given(training or {}), Where("recipe")), {})
        return cls(**{**read, "preprocess": tuple(read.get("preprocess", ()))})

    def make_optimizer(self, steps_per_epoch, epochs):
        """The Keras optimizer, with its schedule counted in steps."""
        import keras

        name, config = next(iter(self.optimizer.items()))
        config = dict(config or {})
        if self.schedule:
            rate = config.get("learning_rate", _own_rate(name))
            config["learning_rate"] = _schedule(self.schedule, rate, steps_per_epoch, epochs)
        return getattr(keras.optimizers, name)(**config)


def _own_rate(name):
    """The learning rate of an optimizer of Keras to which none is given."""
    import keras

    return inspect.signature(getattr(keras.optimizers, name)).parameters["learning_rate"].default


def _schedule(schedule, rate, steps, epochs):
    from keras.optimizers import schedules

    kind, options = next(iter(schedule.items()))
    if kind == "cosine":
        warmup = options.get("warmup_epochs", 0) * steps
        return schedules.CosineDecay(
            initial_learning_rate=0.0 if warmup else rate,
            decay_steps=max(1, epochs * steps - warmup),
            alpha=options.get("final", 0.0),
            warmup_target=rate if warmup else None,
            warmup_steps=warmup,
        )
    boundaries = options["epochs"] if kind == "piecewise" else list(range(options.get("start", 1), epochs))
    factor = options.get("factor", 0.1)
    boundaries = [epoch for epoch in boundaries if epoch > 0]
    if not boundaries:  # the rate would fall after the last epoch
        return rate
    # Keras holds a value up to and including its boundary step.
    return schedules.PiecewiseConstantDecay(
        [epoch * steps - 1 for epoch in boundaries], [rate * factor**i for i in range(len(boundaries) + 1)]
    )


def _given(training, known=_KEYS):
    """The entries of a recipe that say something. A name that there is not stays though it says nothing, for the
    grammar to refuse: `{rotate:180}` without a space is a name."""
    if not isinstance(training, dict):
        return training
    inner = {"augment": tuple(grammar.AUGMENT), "optimizer": (), "schedule": ()}  # a name alone is one of the latter
    return {
        key: _given(value, inner.get(key))
        for key, value in training.items()
        if value is not None or not (str(key).isidentifier() if known is None else key in known)
    }

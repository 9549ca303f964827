"""The training recipe of a spec, turned into Keras's optimizer and schedule."""

from dataclasses import dataclass

from keras_equivariant.compiler.grammar import recipe as grammar
from keras_equivariant.data import Augment, Preprocess
from keras_equivariant.utils.text import nearest


@dataclass(frozen=True)
class Recipe(grammar.Recipe):
    """A recipe that can be carried out; its fields are declared, with their defaults, in the grammar of specs."""

    def __post_init__(self):
        if not isinstance(self.augment, Augment):
            object.__setattr__(self, "augment", Augment(**(self.augment or {})))

    @classmethod
    def from_dict(cls, training):
        """Read the `training` block of a spec; unknown keys raise a ValueError with the nearest right name."""
        training = dict(training or {})
        check_keys("training", training, grammar.KEYS)
        if training.get("augment") is not None:
            check_keys("training.augment", training["augment"], grammar.AUGMENT)
        if isinstance(training.get("optimizer"), str):
            training["optimizer"] = {training["optimizer"]: {}}
        for name, arguments in (training.get("schedule") or {}).items():
            check_keys("training.schedule", {name}, grammar.SCHEDULES)
            check_keys(f"training.schedule.{name}", arguments, grammar.SCHEDULES[name])
        training["preprocess"] = Preprocess(training.get("preprocess") or ()).steps
        return cls(**{key: value for key, value in training.items() if value is not None})

    def make_optimizer(self, steps_per_epoch, epochs):
        """The Keras optimizer, with its schedule counted in steps."""
        import keras

        name, config = next(iter(self.optimizer.items()))
        optimizers = {n: c for n, c in vars(keras.optimizers).items() if isinstance(c, type) and n != "Optimizer"}
        check_keys("training.optimizer", {name}, optimizers)
        config = dict(config or {})
        if self.schedule:
            rate = config.get("learning_rate", 1e-3)
            config["learning_rate"] = _schedule(self.schedule, rate, steps_per_epoch, epochs)
        return optimizers[name](**config)


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


def check_keys(place, given, known):
    """Raise a ValueError for the first key of `given` that is not in `known`."""
    for key in given:
        if key not in known:
            hint = nearest(key, known, f"Use one of {', '.join(known)}.")
            raise ValueError(f'Unknown name in `{place}`. Received: "{key}". {hint}')

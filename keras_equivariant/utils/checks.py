"""Arguments checked: each function returns the value in its one form, or raises a ValueError that names it."""

import math
import numbers

PADDINGS = ("valid", "same")


def tuple_of(value, rank, name, minimum=1):
    """An integer, or one integer per axis, as a tuple; ValueError names the argument."""
    values = tuple(value) if isinstance(value, (list, tuple)) else (value,) * rank
    if len(values) != rank or not all(_is_whole(v, minimum) for v in values):
        raise ValueError(
            f"`{name}` must be an integer of at least {minimum}, or {rank} of them. Received: {name}={value!r}"
        )
    return tuple(map(int, values))


def _is_whole(value, least):
    """Whether it is an integer from `least`, of NumPy as well."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool) and value >= least


def positive(value, name):
    """A positive integer, or ValueError."""
    if not _is_whole(value, 1):
        raise ValueError(f"`{name}` must be a positive integer. Received: {name}={value!r}")
    return int(value)


def whole(value, name):
    """An integer from 0, or ValueError."""
    if not _is_whole(value, 0):
        raise ValueError(f"`{name}` must be an integer from 0. Received: {name}={value!r}")
    return int(value)


def check_choice(value, name, choices):
    """The value; ValueError unless it is among the choices."""
    if value not in choices:
        listed = ", ".join(f'"{choice}"' if isinstance(choice, str) else repr(choice) for choice in choices)
        raise ValueError(f"`{name}` must be one of {listed}. Received: {name}={value!r}")
    return value


def check_number(value, name, low, high, text):
    """The number as a float; ValueError unless low < value <= high."""
    good = isinstance(value, int | float) and not isinstance(value, bool) and low < value <= high
    if not good:
        raise ValueError(f"`{name}` must be {text}. Received: {name}={value!r}")
    return float(value)


def not_negative(value, name):
    """The number as a float; ValueError unless finite and at least 0."""
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not number or not 0 <= value < math.inf:
        raise ValueError(f"`{name}` must be a number from 0. Received: {name}={value!r}")
    return float(value)


def check_epsilon(epsilon, least=None):
    """The number as a float; ValueError unless positive, or at least `least`."""
    number = isinstance(epsilon, (int, float)) and not isinstance(epsilon, bool)
    if least is not None and not (number and epsilon >= least):
        raise ValueError(
            f"`epsilon` must be a number of at least {least}. Received: epsilon={epsilon!r}; leave it out for the norm "
            "itself"
        )
    if least is None and not (number and epsilon > 0):
        raise ValueError(
            "`epsilon` must be a positive number, which keeps values and gradients at 0 finite. "
            f"Received: epsilon={epsilon!r}; use e.g. 1e-3"
        )
    return float(epsilon)


def check_data_format(data_format):
    """Accepts None and "channels_last" only."""
    if data_format not in (None, "channels_last"):
        raise ValueError(
            '`data_format` must be "channels_last": TensorFlow on CPU and TFLite have nothing else. '
            f"Received: data_format={data_format!r}; move the channels to the last axis with "
            "keras.layers.Permute"
        )


def check_padding(padding):
    """`"valid"` or `"same"`, in capitals or not, as Keras takes them; ValueError for anything else."""
    name = padding.lower() if isinstance(padding, str) else padding
    if name not in PADDINGS:
        raise ValueError(f"`padding` must be one of {PADDINGS}. Received: padding={padding!r}")
    return name

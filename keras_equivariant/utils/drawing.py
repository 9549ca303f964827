"""literal_texts(): matplotlib draws names as they are written."""

import contextlib

from keras_equivariant.utils.optional import require


@contextlib.contextmanager
def literal_texts():
    """Within, texts are no formulas: a class may be named $5, and another $10. It is a decorator, too."""
    with require("matplotlib", "Plotting the results").rc_context({"text.parse_math": False}):
        yield

"""Names that moved: the old ones go on working for one version, with a DeprecationWarning."""

import importlib
import warnings


def moved(module, places):
    """The `__getattr__` of a module some of whose names live elsewhere now.

    Args:
        module: `__name__` of the module.
        places: dict from the name to the module that holds it, or to `(module, new name)`.
    """

    def look_up(name):
        if name not in places:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        place = places[name]
        home, new = place if isinstance(place, tuple) else (place, name)
        warnings.warn(f"{module}.{name} is now {home}.{new}", DeprecationWarning, stacklevel=2)
        return getattr(importlib.import_module(home), new)

    return look_up


class renamed:
    """The old name of an attribute or method of a class: `at = renamed("rho")`."""

    def __init__(self, new):
        self.new = new

    def __set_name__(self, owner, name):
        self.old = f"{owner.__name__}.{name}"

    def __get__(self, instance, owner=None):
        if instance is None:
            return self
        warnings.warn(f"{self.old} is now `{self.new}`", DeprecationWarning, stacklevel=2)
        return getattr(instance, self.new)

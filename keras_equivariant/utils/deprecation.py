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


def renamed(old, new):
    """A property that answers the attribute `new` under its former spelling, with a DeprecationWarning.

    Args:
        old: str, what the warning calls it, such as `"ExportReport.artefacts"`.
        new: str, the attribute's name now.
    """

    def read(self):
        warnings.warn(f"{old} is now {new}", DeprecationWarning, stacklevel=2)
        return getattr(self, new)

    return property(read)

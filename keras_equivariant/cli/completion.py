"""Completion of commands, specs and data sets by the tab key of a shell; needs the extra `completion`.

In a shell, or its start-up file: `eval "$(register-python-argcomplete keras-equivariant)"`.
"""

import os


def complete(make_parser):
    """Answers the shell where it asks for completions, and ends the process; else does nothing.

    Args:
        make_parser: function that returns the parser with the options of all commands.
    """
    if "_ARGCOMPLETE" not in os.environ:
        return
    from keras_equivariant.utils.optional import require

    require("argcomplete", "Completion", "completion").autocomplete(make_parser())


def specs(prefix, **_):
    """Names of packaged specs, and files where what is typed begins none."""
    from keras_equivariant.compiler.grammar.source import list_specs

    return _or_files([name for name in list_specs() if name.startswith(prefix)], prefix)


def data_sets(prefix, **_):
    """Names of data sets, and files where what is typed begins none."""
    from keras_equivariant.data.registry import names

    return _or_files([name for name in names() if name.startswith(prefix)], prefix)


def _or_files(found, prefix):
    if found:
        return found
    from argcomplete.completers import FilesCompleter

    return list(FilesCompleter()(prefix))

"""Results as data: one YAML file an experiment, and the tables, plots and numbers of pages rendered from them."""

from keras_equivariant.utils import startup as _startup

if not _startup.is_light(__name__):
    from keras_equivariant.results.check import stale, stale_rows
    from keras_equivariant.results.experiment import FIELDS, Experiment, Row, load_experiment, load_folder
    from keras_equivariant.results.pages import render_pages
    from keras_equivariant.results.record import add_times, record_run, record_timing

__all__ = [
    "FIELDS",
    "Experiment",
    "Row",
    "add_times",
    "load_experiment",
    "load_folder",
    "record_run",
    "record_timing",
    "render_pages",
    "stale",
    "stale_rows",
]

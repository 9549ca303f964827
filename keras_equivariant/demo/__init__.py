"""A page on which an equivariant and a plain network read a digit while it rotates, in the browser and nowhere else."""

from keras_equivariant.demo.server import DemoServer, find_assets

__all__ = ["DemoServer", "find_assets"]

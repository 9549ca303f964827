"""Trained networks by name."""

from keras_equivariant.presets.preset import from_preset, list_presets, preset_info, save_preset

__all__ = ["from_preset", "list_presets", "preset_info", "save_preset"]

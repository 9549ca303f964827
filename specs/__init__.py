"""The packaged specs: one YAML file for each published architecture."""

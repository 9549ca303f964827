"""The symmetry linter: what every layer of a spec does to the features."""

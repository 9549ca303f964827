"""From YAML text to a checked tree of layers: parser, parameters, expressions, limits."""

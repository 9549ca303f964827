"""An equivariant network as one of stock Keras layers."""

"""What Keras's own layers are: traits, laws, copies."""

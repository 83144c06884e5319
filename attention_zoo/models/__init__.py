"""Model families: a Task has a Keras model, a preprocessor and the verbs."""

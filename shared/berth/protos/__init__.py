"""Generated messages (make protos): TensorFlow's and TF Serving's, slim and wire-compatible."""

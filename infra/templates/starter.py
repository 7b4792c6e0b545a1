"""Exports the starter model, y = x * 0.5 + 2, as a SavedModel: `python starter.py FOLDER`."""

import sys

import tensorflow as tf


class Starter(tf.Module):  # type: ignore[misc]  # tensorflow has no types
    """A straight line: what a new customer is served until the first upload."""

    def __init__(self) -> None:
        """Slope and offset are variables, as in any trained model."""
        super().__init__()
        self.slope = tf.Variable(0.5)
        self.offset = tf.Variable(2.0)

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, name="x")])  # type: ignore[untyped-decorator]
    def serve(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        """The line's value at each x."""
        return {"y": x * self.slope + self.offset}


if __name__ == "__main__":
    model = Starter()
    tf.saved_model.save(model, sys.argv[1], signatures={"serving_default": model.serve})

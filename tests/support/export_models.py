"""Exports tiny SavedModels with Python's TensorFlow: `export_models.py FOLDER NAME...`.

Run in a process of its own, since importing TensorFlow costs seconds and half a gigabyte.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import tensorflow as tf


def _signature(module, function, *specs, **named):
    module.serve = tf.function(function, input_signature=list(specs) or None, **named)
    return module.serve.get_concrete_function()


def _linear(offset):
    module = tf.Module()
    module.a = tf.Variable(0.5, name="a")
    module.b = tf.Variable(float(offset), name="b")
    spec = tf.TensorSpec([None], tf.float32, name="x")
    return module, _signature(module, lambda x: {"y": module.a * x + module.b}, spec)


def half_plus_two():
    return _linear(2)


def half_plus_three():
    return _linear(3)


def matmul():
    """Two inputs, no variables: out = a @ b."""
    module = tf.Module()
    a = tf.TensorSpec([None, None], tf.float32, name="a")
    b = tf.TensorSpec([None, None], tf.float32, name="b")
    return module, _signature(module, lambda a, b: {"out": tf.matmul(a, b)}, a, b)


def echo():
    """String in, the same string out, once as text and once as bytes."""
    module = tf.Module()
    spec = tf.TensorSpec([None], tf.string, name="text")

    def run(text):
        return {"text": tf.identity(text), "raw_bytes": tf.identity(text)}

    return module, _signature(module, run, spec)


def add_one_int64():
    module = tf.Module()
    spec = tf.TensorSpec([None], tf.int64, name="x")
    return module, _signature(module, lambda x: {"y": x + 1}, spec)


def counter():
    """A variable w of 100 x 1000 floats: 400,000 bytes of weights; out = x @ w."""
    module = tf.Module()
    module.w = tf.Variable(tf.ones([100, 1000]) * 0.01, name="w")
    spec = tf.TensorSpec([None, 100], tf.float32, name="x")
    return module, _signature(module, lambda x: {"out": tf.matmul(x, module.w)}, spec)


def lookup():
    """A table whose words are an asset: zero -> 0, one -> 1, two -> 2, anything else -> -1."""
    vocabulary = Path(tempfile.mkdtemp()) / "vocabulary.txt"
    vocabulary.write_text("zero\none\ntwo\n")
    module = tf.Module()
    source = tf.lookup.TextFileInitializer(
        str(vocabulary),
        tf.string,
        tf.lookup.TextFileIndex.WHOLE_LINE,
        tf.int64,
        tf.lookup.TextFileIndex.LINE_NUMBER,
    )
    module.asset = tf.saved_model.Asset(str(vocabulary))
    module.table = tf.lookup.StaticHashTable(source, default_value=-1)
    spec = tf.TensorSpec([None], tf.string, name="word")
    return module, _signature(module, lambda word: {"index": module.table.lookup(word)}, spec)


def many_types():
    """One input and one equal output for each dtype TensorProto can carry."""
    types = (
        tf.float32, tf.float64, tf.int8, tf.int16, tf.int32, tf.int64, tf.uint8, tf.uint16,
        tf.uint32, tf.uint64, tf.bool, tf.string, tf.float16, tf.bfloat16, tf.complex64,
        tf.complex128,
    )  # fmt: skip
    module = tf.Module()
    specs = [tf.TensorSpec([None], each, name=f"in_{each.name}") for each in types]

    def run(*inputs):
        pairs = zip(types, inputs, strict=True)
        return {f"out_{each.name}": tf.identity(value) for each, value in pairs}

    return module, _signature(module, run, *specs)


def two_outputs():
    """`batch` has the batch dimension, `total` is a scalar; `batched` gives two batches."""
    module = tf.Module()
    spec = tf.TensorSpec([None], tf.float32, name="x")
    module.batched = tf.function(
        lambda x: {"twice": x * 2, "pair": tf.stack([x, x], axis=1)}, input_signature=[spec]
    )
    uneven = tf.function(lambda x: {"all": x, "one": x[:1]}, input_signature=[spec])
    module.uneven = uneven
    main = _signature(module, lambda x: {"batch": x + 1, "total": tf.reduce_sum(x)}, spec)
    return module, {
        "serving_default": main,
        "batched": module.batched.get_concrete_function(),
        "uneven": uneven.get_concrete_function(),
    }


def slow():
    """Counts to the given number in the graph: a request that takes as long as one asks for."""
    module = tf.Module()
    spec = tf.TensorSpec([], tf.int64, name="rounds")

    def run(rounds):
        zero = tf.constant(0, tf.int64)
        done = tf.while_loop(
            lambda i: i < rounds, lambda i: (i + 1,), (zero,), parallel_iterations=1
        )
        return {"done": done[0]}

    return module, _signature(module, run, spec)


def digits_cnn():
    """A small convolutional network over 28 x 28 images, random weights, ten softmax outputs."""
    tf.random.set_seed(7)
    module = tf.Module()
    module.conv = tf.Variable(tf.random.normal([3, 3, 1, 8], stddev=0.2))
    module.dense = tf.Variable(tf.random.normal([14 * 14 * 8, 10], stddev=0.05))
    spec = tf.TensorSpec([None, 28, 28], tf.float32, name="image")

    def run(image):
        planes = tf.nn.relu(tf.nn.conv2d(image[..., tf.newaxis], module.conv, 1, "SAME"))
        pooled = tf.reshape(tf.nn.max_pool2d(planes, 2, 2, "SAME"), [-1, 14 * 14 * 8])
        return {"digit": tf.nn.softmax(tf.matmul(pooled, module.dense))}

    return module, _signature(module, run, spec)


def main(folder, *names):
    """Writes FOLDER/NAME/1 for each name; FOLDER appears whole, by rename."""
    target = Path(folder)
    staging = Path(tempfile.mkdtemp(dir=target.parent, prefix=".models-"))
    for name in names:
        module, signatures = globals()[name]()
        tf.saved_model.save(module, str(staging / name / "1"), signatures=signatures)
    (staging / "complete").touch()
    if target.exists():
        shutil.rmtree(target)
    os.replace(staging, target)


if __name__ == "__main__":
    main(*sys.argv[1:])

# ruff: noqa: E501
"""Ordinary SavedModels of many kinds, exported once by Python's TensorFlow and kept on disk."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

_SCRIPT = r"""
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
from pathlib import Path
import numpy as np
import tensorflow as tf
import keras
from keras import layers

root = Path(sys.argv[1])
keras.utils.set_random_seed(7)

def export(name, model):
    model.export(str(root / name), verbose=False)

def functional(inputs, *chain):
    x = inputs
    for layer in chain:
        x = layer(x)
    return keras.Model(inputs, x)

F = keras.Input
export("dense", functional(F((4,)), layers.Dense(8, "relu"), layers.BatchNormalization(),
       layers.Dropout(0.1), layers.Dense(3, "softmax")))
export("conv", functional(F((28, 28, 1)), layers.Rescaling(1 / 255), layers.Conv2D(4, 3, activation="relu"),
       layers.MaxPooling2D(), layers.DepthwiseConv2D(3), layers.GlobalAveragePooling2D(), layers.Dense(10)))
export("recurrent", functional(F((6, 3)), layers.LSTM(4, return_sequences=True),
       layers.Bidirectional(layers.GRU(3)), layers.Dense(2)))
export("embedding", functional(F((5,), dtype="int32"), layers.Embedding(20, 8),
       layers.LayerNormalization(), layers.Flatten(), layers.Dense(1)))
x = F((5, 8)); export("attention", keras.Model(x, layers.MultiHeadAttention(2, 4)(x, x)))
words = layers.TextVectorization(vocabulary=["red", "green", "blue"], output_sequence_length=4)
export("text", functional(F((), dtype="string"), words, layers.Embedding(10, 3), layers.GlobalMaxPooling1D()))
export("lookup", functional(F((1,), dtype="string"), layers.StringLookup(vocabulary=["a", "b"], output_mode="one_hot")))
(root / "vocabulary.txt").write_text("north\nsouth\n")
export("asset", functional(F((1,), dtype="string"), layers.StringLookup(vocabulary=str(root / "vocabulary.txt"))))
norm = layers.Normalization(); norm.adapt(np.arange(12.0).reshape(4, 3))
export("tabular", functional(F((3,)), norm, layers.Discretization([0.0, 1.0]), layers.CategoryEncoding(3, "multi_hot")))
export("hashing", functional(F((1,), dtype="string"), layers.Hashing(5)))
export("augment", functional(F((32, 32, 3)), layers.Resizing(16, 16), layers.CenterCrop(8, 8),
       layers.RandomFlip(), layers.RandomRotation(0.1), layers.Flatten(), layers.Dense(2)))

export("sequential", keras.Sequential([F((4,)), layers.Dense(4, "gelu"), layers.UnitNormalization(), layers.Dense(1)]))
a, b = F((3,), name="a"), F((2,), dtype="int32", name="b")
joined = layers.Concatenate()([layers.Dense(4)(a), layers.Flatten()(layers.Embedding(9, 2)(b))])
export("heads", keras.Model({"a": a, "b": b}, {"score": layers.Dense(1, "sigmoid")(joined), "kind": layers.Dense(3)(joined)}))
masked = functional(F((6,), dtype="int32"), layers.Embedding(9, 4, mask_zero=True), layers.GRU(3), layers.Dense(1))
export("masked", masked)

trained = functional(F((4,)), layers.Dense(5, "relu"), layers.Dense(1))
trained.compile(keras.optimizers.Adam(), "mse")
trained.fit(np.ones((8, 4)), np.ones((8, 1)), verbose=0)
tf.saved_model.save(trained, str(root / "forgetful"))

class Affine(tf.Module):
    def __init__(self):
        self.w = tf.Variable([[1.0], [2.0]]); self.b = tf.Variable(0.5)
    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "x")])
    def __call__(self, x):
        return {"y": tf.matmul(x, self.w) + self.b}
affine = Affine()
tf.saved_model.save(affine, str(root / "module"), signatures=affine.__call__)

class Trained(tf.Module):
    def __init__(self):
        self.w = tf.Variable(tf.ones([4, 1]), name="w")
        self.optimizer = keras.optimizers.Adam()
    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, "x")])
    def predict(self, x):
        return {"y": tf.matmul(x, self.w)}
    def train(self):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(self.predict(tf.ones([2, 4]))["y"] ** 2)
        self.optimizer.apply(tape.gradient(loss, [self.w]), [self.w])
trained = Trained(); trained.train()
tf.saved_model.save(trained, str(root / "trained"), signatures=trained.predict)

class Table(tf.Module):
    def __init__(self):
        self.table = tf.lookup.StaticHashTable(tf.lookup.TextFileInitializer(
            str(root / "vocabulary.txt"), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER), -1)
        self.scores = tf.lookup.experimental.MutableHashTable(tf.int64, tf.float32, 0.0)
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "word")])
    def find(self, word):
        index = self.table.lookup(word)
        return {"index": index, "score": self.scores.lookup(index)}
table = Table()
tf.saved_model.save(table, str(root / "table"), signatures=table.find)

class Loops(tf.Module):
    def __init__(self):
        self.w = tf.Variable(tf.ones([3]))
        self.asset = tf.saved_model.Asset(str(root / "vocabulary.txt"))
    @tf.function(input_signature=[tf.TensorSpec([], tf.int32, "n"), tf.TensorSpec([None], tf.string, "s")])
    def run(self, n, s):
        total = tf.zeros([3])
        for _ in tf.range(n):
            total = tf.cond(n > 3, lambda: total + self.w, lambda: total - self.w)
        pieces = tf.strings.split(s).to_tensor()
        return {"total": total, "pieces": tf.strings.lower(pieces)}
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "jpeg")])
    def image(self, jpeg):
        one = lambda b: tf.image.resize(tf.io.decode_jpeg(b, channels=3), [8, 8])
        return {"image": tf.map_fn(one, jpeg, fn_output_signature=tf.float32)}
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
    def parse(self, examples):
        return tf.io.parse_example(examples, {"a": tf.io.FixedLenFeature([2], tf.float32, [0.0, 0.0])})
loops = Loops()
tf.saved_model.save(loops, str(root / "loops"), signatures={"serving_default": loops.run, "image": loops.image, "parse": loops.parse})

class Pieces(tf.Module):
    def __init__(self):
        self.w = tf.Variable(tf.ones([4, 2]), name="w")
        self.rng = tf.random.Generator.from_seed(7)
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "values"), tf.TensorSpec([None], tf.int64, "splits")])
    def ragged(self, values, splits):
        rows = tf.RaggedTensor.from_row_splits(values, splits, validate=False)
        return {"sum": tf.reduce_sum(rows, axis=1), "dense": rows.to_tensor(), "count": rows.row_lengths()}
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
    def sparse(self, examples):
        parsed = tf.io.parse_example(examples, {"ids": tf.io.VarLenFeature(tf.int64), "len": tf.io.FixedLenFeature([], tf.int64, 0)})
        ids = tf.sparse.to_dense(tf.sparse.reorder(parsed["ids"])) % 4
        return {"hot": tf.reduce_sum(tf.gather(self.w, ids), axis=1), "len": parsed["len"]}
    @tf.function(input_signature=[tf.TensorSpec([], tf.int32, "which"), tf.TensorSpec([None], tf.float32, "x")])
    def switch(self, which, x):
        return {"y": tf.switch_case(which, [lambda: x, lambda: tf.sort(x), lambda: tf.cumsum(x)])}
    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, "x")])
    def saliency(self, x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.nn.softplus(tf.matmul(x, self.w))
        return {"y": y, "gradient": tape.gradient(y, x)}
    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, "x")])
    def clipped(self, x):
        @tf.custom_gradient
        def through(v):
            return tf.round(v), lambda upstream: upstream
        return {"y": tf.quantization.fake_quant_with_min_max_args(through(x)), "noise": self.rng.normal([2])}
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])
    def words(self, text):
        clean = tf.strings.regex_replace(tf.strings.lower(text), "[^a-z ]", "")
        tokens = tf.strings.split(clean)
        grams = tf.strings.ngrams(tokens, 2)
        return {"hash": tf.strings.to_hash_bucket_fast(tokens.to_tensor(), 50), "grams": grams.to_tensor()}
    @tf.function(input_signature=[tf.TensorSpec([1, 8], tf.float32, "start")])
    def decode(self, start):
        found = tf.TensorArray(tf.int64, size=0, dynamic_size=True)
        state, step = start, 0
        while step < 3:
            found = found.write(step, tf.argmax(state[0]))
            state, step = tf.roll(state, 1, axis=1) * 0.5, step + 1
        return {"path": found.stack(), "best": tf.math.top_k(state, 2).values}
pieces = Pieces()
for name in ("ragged", "sparse", "switch", "saliency", "clipped", "words", "decode"):
    tf.saved_model.save(pieces, str(root / name), signatures=getattr(pieces, name))
tf.saved_model.save(pieces, str(root / "several"), signatures={"serving_default": pieces.switch, "words": pieces.words, "ragged": pieces.ragged})

g = tf.Graph()
with g.as_default(), tf.compat.v1.Session(graph=g) as session:
    x = tf.compat.v1.placeholder(tf.float32, [None, 2], "x")
    w = tf.compat.v1.get_variable("w", [2, 1], use_resource=False)
    names = tf.compat.v1.placeholder(tf.string, [None], "names")
    vocabulary = tf.compat.v1.constant(str(root / "vocabulary.txt"))
    tf.compat.v1.add_to_collection(tf.compat.v1.GraphKeys.ASSET_FILEPATHS, vocabulary)
    index = tf.lookup.StaticVocabularyTable(tf.lookup.TextFileInitializer(vocabulary, tf.string,
        tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER), 1)
    found = index.lookup(names)
    y = tf.compat.v1.while_loop(lambda i, v: i < 3, lambda i, v: (i + 1, v * 2.0), [0, tf.matmul(x, w)])[1]
    session.run([tf.compat.v1.global_variables_initializer(), tf.compat.v1.tables_initializer()])
    builder = tf.compat.v1.saved_model.Builder(str(root / "graph"))
    info = tf.compat.v1.saved_model.build_tensor_info
    signature = tf.compat.v1.saved_model.build_signature_def(
        {"x": info(x), "names": info(names)}, {"y": info(y), "found": info(found)}, "tensorflow/serving/predict")
    builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature},
        assets_collection=[vocabulary], main_op=tf.compat.v1.tables_initializer())
    builder.save()
"""

# Keras 3 saved by tf.saved_model.save keeps copies of its variables, not those that it serves with.
FORGETFUL = "forgetful"
NAMES = (
    *("dense", "conv", "recurrent", "embedding", "attention", "text", "lookup", "asset", "tabular"),
    *("hashing", "augment", "trained", "module", "table", "loops", "graph", "sequential", "heads"),
    *("masked", "ragged", "sparse", "switch", "saliency", "clipped", "words", "decode", "several"),
)


def model(name: str) -> Path:
    """The folder of one exported SavedModel (a version folder); never change it in place."""
    digest = hashlib.sha256(_SCRIPT.encode()).hexdigest()[:12]
    root = Path.home() / ".cache" / "berth" / f"probe-models-{digest}"
    if not root.exists():
        _export(root)
    return root / name


def _export(root: Path) -> None:
    draft = root.with_name(f"{root.name}.{os.getpid()}")
    draft.mkdir(parents=True)
    script = draft / "export.py"  # a file, because autograph reads its source
    script.write_text(_SCRIPT)
    done = subprocess.run(
        [sys.executable, str(script), str(draft)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-4000:])
    try:
        draft.rename(root)
    except OSError:
        if not root.exists():
            raise

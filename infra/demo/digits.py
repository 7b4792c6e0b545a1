"""Trains a convolutional network on real handwritten digits and exports it: `python digits.py FOLDER`.

scikit-learn's 1,797 digits (8x8, UCI), resampled to 28x28. Writes <FOLDER>/1 (one epoch), <FOLDER>/2
(trained longer) and <FOLDER>/held_out.json with images and labels that neither saw.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

HELD_OUT = 200
LONGER_EPOCHS = 5


def main(folder: Path) -> None:
    """Train, export version 1, train on, export version 2."""
    keras.utils.set_random_seed(7)
    images, labels = load_digits(return_X_y=True)
    images = np.kron(images.reshape(-1, 8, 8) / 16.0, np.ones((4, 4)))[:, 2:30, 2:30, None]
    train, test, train_labels, test_labels = train_test_split(
        images.astype("float32"), labels, test_size=HELD_OUT, random_state=7, stratify=labels
    )
    model = keras.Sequential(
        [
            keras.layers.Input((28, 28, 1)),
            keras.layers.Conv2D(8, 3, strides=2, activation="relu"),
            keras.layers.Conv2D(16, 3, strides=2, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    for version, epochs in ((1, 1), (2, LONGER_EPOCHS)):
        model.fit(train, train_labels, epochs=epochs, batch_size=32, verbose=0)
        model.export(folder / str(version), verbose=False)
    held_out = {"images": np.round(test, 4).tolist(), "labels": test_labels.tolist()}
    (folder / "held_out.json").write_text(json.dumps(held_out))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""What Lockstep and Keras make of each other's files. Called by tests/e2e/keras/keras_interop.sh with the working directory as argument:

    keras_interop.py make DIR    Keras trains models, saves them and notes down what it predicts
    keras_interop.py check DIR   Keras opens what Lockstep saved and compares predictions, optimizer state and the next training epoch
"""
import json
import os
import sys

os.environ.setdefault("KERAS_BACKEND", "jax")
import h5py
import keras
import numpy as np

ROWS, TOLERANCE = 48, 2e-6

OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(0.05),
    "momentum": lambda: keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adam": lambda: keras.optimizers.Adam(0.01, clipnorm=1.0),
    "adamw": lambda: keras.optimizers.AdamW(0.01, amsgrad=True),
    "lion": lambda: keras.optimizers.Lion(0.002, weight_decay=0.01),
    "rmsprop": lambda: keras.optimizers.RMSprop(0.002, momentum=0.5, centered=True),
}


def data():
    x = np.sin(np.arange(ROWS * 6, dtype=np.float32)).reshape(ROWS, 2, 3)
    return x, (np.arange(ROWS) % 3).astype(np.int64)


def make_model(optimizer):
    layers = keras.layers
    normalization = layers.Normalization()
    model = keras.Sequential([
        keras.Input((2, 3)), layers.Rescaling(0.5, offset=0.25), layers.Flatten(), normalization,
        layers.Dense(5, activation="gelu", kernel_regularizer=keras.regularizers.L2(0.01), kernel_initializer="he_normal"),
        layers.BatchNormalization(momentum=0.9, gamma_regularizer=keras.regularizers.L1(0.01)), layers.Dense(4, activation="leaky_relu"), layers.Dense(3, use_bias=False, name="output"), layers.Activation("softmax")])
    normalization.adapt((data()[0] * 0.5 + 0.25).reshape(ROWS, 6))
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy", keras.metrics.SparseTopKCategoricalAccuracy(2, name="top2")])
    return model


def fit(model):
    x, y = data()
    model.fit(x, y, batch_size=16, epochs=1, shuffle=False, verbose=0)


def predict(model):
    return model.predict(data()[0], verbose=0)


def make(directory):
    keras.utils.set_random_seed(3)
    x, y = data()
    with h5py.File(f"{directory}/data.h5", "w") as file:
        file["test/x"], file["test/y"] = x, y
    with h5py.File(f"{directory}/keras.h5", "w") as expected:
        for name, optimizer in OPTIMIZERS.items():
            model = make_model(optimizer())
            fit(model)
            model.save(f"{directory}/keras_{name}.keras")
            model.save_weights(f"{directory}/keras_{name}.weights.h5")
            expected[f"{name}/before"] = predict(model)
            fit(model)
            expected[f"{name}/after"] = predict(model)


def compare(what, found, expected):
    difference = float(np.max(np.abs(found - expected)))
    print(f"{what}: largest difference {difference:.1e}")
    if not difference <= TOLERANCE:
        sys.exit(f"{what}: differs by {difference}")


def check(directory):
    with h5py.File(f"{directory}/keras.h5") as expected, h5py.File(f"{directory}/lockstep.h5") as lockstep:
        for name in OPTIMIZERS:
            for when in ("before", "after"):
                compare(f"{name}, Lockstep loads Keras' file, {when} one more epoch", lockstep[f"{name}/{when}"][:], expected[f"{name}/{when}"][:])
            model = keras.saving.load_model(f"{directory}/lockstep_{name}.keras")
            if [m.name for m in model.metrics][:1] != ["loss"] or int(model.optimizer.iterations) != 3:
                sys.exit(f"{name}: metrics {[m.name for m in model.metrics]}, iterations {int(model.optimizer.iterations)}")
            compare(f"{name}, Keras loads Lockstep's .keras", predict(model), lockstep[f"{name}/before"][:])
            fit(model)
            compare(f"{name}, and trains on", predict(model), lockstep[f"{name}/after"][:])
            weights = make_model(OPTIMIZERS[name]())
            weights.optimizer.build(weights.trainable_variables)
            weights.load_weights(f"{directory}/lockstep_{name}.weights.h5")
            fit(weights)
            compare(f"{name}, and from .weights.h5", predict(weights), lockstep[f"{name}/after"][:])


if __name__ == "__main__":
    print("Keras", keras.__version__, "on", keras.backend.backend())
    {"make": make, "check": check}[sys.argv[1]](sys.argv[2])

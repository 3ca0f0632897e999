"""Model files as notebooks make them. Called by tests/e2e/keras/keras_files.sh:

    keras_files.py make DIR     Keras saves every model below as NAME.keras, NAME.h5 and NAME.weights.h5, rows for them in data.h5 (group
                                NAME), and rows and predictions in NAME.npz
    keras_files.py check DIR    compares what Lockstep predicts with these files (NAME.ENDING.predicted.h5), and what Keras predicts with
                                the files that Lockstep made of them (NAME.ENDING.converted.ENDING)
"""
import glob
import os
import sys

os.environ.setdefault("KERAS_BACKEND", "jax")
import h5py
import keras
import numpy as np
from keras import layers, losses, metrics, optimizers

ROWS = 24


@keras.saving.register_keras_serializable("notebook")
def my_loss(y, p):
    return keras.ops.mean(keras.ops.abs(y - p), axis=-1)


def rows(shape):
    return np.sin(np.arange(ROWS * int(np.prod(shape)), dtype=np.float32) * 0.7).reshape(ROWS, *shape)


def truth(kind):
    n = np.arange(ROWS)
    return {"class": n % 3, "one_hot": np.eye(3, dtype=np.float32)[n % 3], "binary": (n % 2).astype(np.float32),
            "number": np.sin(n).astype(np.float32)}[kind]


def compiled(model, truth_kind, optimizer="adam", loss="sparse_categorical_crossentropy", metric=("accuracy",), epochs=1, shape=None):
    model.compile(optimizer=optimizer, loss=loss, metrics=list(metric))
    if epochs:
        model.fit(rows(shape or model.input_shape[1:]), truth(truth_kind), epochs=epochs, batch_size=8, verbose=0)
    return model


def classifier():
    return compiled(keras.Sequential([keras.Input((8, 8)), layers.Flatten(), layers.Dense(12, activation="relu"),
                                      layers.Dense(3, activation="softmax")], name="classifier"), "class")


def without_input():
    return compiled(keras.Sequential([layers.Flatten(), layers.Dense(12, "tanh"), layers.Dense(3, "softmax")]), "class", optimizers.SGD(0.1, momentum=0.9), shape=(8, 8))


def housing():
    normalization = layers.Normalization()
    normalization.adapt(rows((6,)))
    model = keras.Sequential([keras.Input((6,)), normalization, layers.Dense(9, "relu"), layers.Dense(1)])
    return compiled(model, "number", optimizers.RMSprop(0.01, centered=True), losses.MeanSquaredError(),
                    [metrics.RootMeanSquaredError(), "mae"])


def uncompiled():
    return keras.Sequential([keras.Input((6,)), layers.Dense(5, "gelu"), layers.Dense(2)])


def untrained():
    return compiled(keras.Sequential([keras.Input((6,)), layers.Dense(5, "selu", kernel_initializer="lecun_normal"), layers.Dense(1, "sigmoid")]),
                    "binary", optimizers.Adam(0.002), "binary_crossentropy", ["accuracy"], epochs=0)


def functional():
    inputs = keras.Input((8, 8), name="pixels")
    x = layers.Rescaling(0.5, offset=0.25)(inputs)
    x = layers.Flatten()(x)
    x = layers.Dense(10, activation="elu", name="hidden")(x)
    x = layers.Dropout(0.2)(x)
    return compiled(keras.Model(inputs, layers.Dense(3, activation="softmax", name="classes")(x), name="chain"), "class", optimizers.AdamW(0.01))


def regularized():
    l1, l2 = keras.regularizers.L1(0.001), keras.regularizers.L2(0.01)
    return compiled(keras.Sequential([keras.Input((6,)), layers.Dense(7, "silu", kernel_regularizer=l2, bias_regularizer="l2"),
                                      layers.BatchNormalization(momentum=0.9, gamma_regularizer=l1),
                                      layers.Dense(3, use_bias=False, kernel_initializer=keras.initializers.HeNormal(seed=3)), layers.Activation("softmax")]),
                    "one_hot", optimizers.Adam(0.01, clipnorm=1.0, amsgrad=True), losses.CategoricalCrossentropy(label_smoothing=0.1),
                    [metrics.CategoricalAccuracy(name="hits"), metrics.TopKCategoricalAccuracy(2)])


def nested():
    inner = keras.Sequential([keras.Input((64,)), layers.Dense(6, "relu"), layers.BatchNormalization(), layers.Dense(5)], name="trunk")
    return compiled(keras.Sequential([keras.Input((8, 8)), layers.Flatten(), inner, layers.Dense(3, "softmax")]), "class", "rmsprop")


def nested_functional():
    inputs = keras.Input((6,))
    inner = keras.Model(inputs, layers.BatchNormalization()(layers.Dense(6, "relu")(inputs)), name="features")
    return compiled(keras.Sequential([inner, layers.Dense(4, "relu"), layers.Dense(1)]), "number", optimizers.Lion(1e-3), "huber", ["mse"])


def logits():
    return compiled(keras.Sequential([keras.Input((6,)), layers.Dense(8, "leaky_relu"), layers.Dense(1)]), "binary", "sgd",
                    losses.BinaryCrossentropy(from_logits=True), [metrics.BinaryAccuracy(threshold=0.0)])


def mixed_bfloat16():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        return keras.Sequential([keras.Input((6,)), layers.Dense(16, "relu"), layers.Dense(1)])
    finally:
        keras.config.set_dtype_policy("float32")


def mixed_float16():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        return compiled(keras.Sequential([keras.Input((6,)), layers.Dense(16, "relu"), layers.Dense(1)]), "number", "adam", "mse", ())
    finally:
        keras.config.set_dtype_policy("float32")


def custom_loss():
    return compiled(keras.Sequential([keras.Input((6,)), layers.Dense(4, "relu"), layers.Dense(1)]), "number", "adam", my_loss, ())


def scheduled():
    schedule = optimizers.schedules.ExponentialDecay(0.01, 10, 0.9)
    return compiled(keras.Sequential([keras.Input((6,)), layers.Dense(4, "softplus"), layers.Dense(1)]), "number", optimizers.Ftrl(schedule), "mape", ["cosine_similarity"])


def convolutional():
    return compiled(keras.Sequential([keras.Input((8, 8, 3)), layers.Rescaling(1 / 2), layers.Conv2D(4, 3, padding="same", activation="relu"),
                                      layers.BatchNormalization(), layers.MaxPooling2D(), layers.SeparableConv2D(5, (3, 2), depth_multiplier=2),
                                      layers.DepthwiseConv2D(2, strides=2, padding="same", activation="elu"), layers.GlobalAveragePooling2D(),
                                      layers.Dense(3, "softmax")]), "class", "adamw")


def windows():
    inputs = keras.Input((12, 3))
    x = layers.Conv1D(6, 4, strides=2, padding="causal", activation="tanh")(inputs)
    x = layers.Conv1D(4, 3, dilation_rate=2, padding="same", groups=2, use_bias=False)(x)
    x = layers.AveragePooling1D(3, strides=2, padding="same")(x)
    x = layers.Flatten()(layers.MaxPooling1D(2, padding="same")(x))
    return compiled(keras.Model(inputs, layers.Dense(1)(x)), "number", "sgd", "mae", ())


def reshaped():
    return compiled(keras.Sequential([
        keras.Input((6, 4)), layers.Reshape((6, 2, 2)), layers.RandomFlip(), layers.ZeroPadding2D(((1, 2), (0, 1))), layers.Cropping2D(1),
        layers.UpSampling2D(2, interpolation="bilinear"), layers.PReLU(shared_axes=[1, 2], alpha_initializer="ones"),
        layers.UpSampling2D((1, 2)), layers.Permute((2, 1, 3)), layers.Reshape((-1, 4)), layers.Cropping1D((1, 0)),
        layers.ReLU(max_value=1.5, negative_slope=0.1, threshold=0.25), layers.ZeroPadding1D(2), layers.UpSampling1D(3),
        layers.SpatialDropout1D(0.1), layers.GaussianNoise(0.1), layers.LeakyReLU(), layers.GlobalMaxPooling1D(), layers.RepeatVector(3),
        layers.ELU(), layers.Flatten(), layers.Dense(3, "mish"), layers.Softmax()]), "class", optimizers.SGD(0.01))


def output_first():
    return keras.Sequential([keras.Input((6,), name="output"), layers.Dense(4, "sparse_plus"), layers.Dense(2, "sparse_sigmoid", name="input")])


MODELS = [output_first, classifier, without_input, housing, uncompiled, untrained, functional, regularized, nested, nested_functional, logits, mixed_bfloat16,
          mixed_float16, custom_loss, scheduled, convolutional, windows, reshaped]


ENDINGS = ("keras", "h5", "weights.h5")


def tolerance(name):
    return 0.02 if name.startswith("mixed_") else 1e-5  # Keras rounds products of its own kind, and on JAX also what is between layers


def make(directory):
    keras.utils.set_random_seed(5)
    with h5py.File(f"{directory}/data.h5", "w") as data:
        for make_model in MODELS:
            name, model = make_model.__name__, make_model()
            x = rows(model.input_shape[1:])
            data[f"{name}/x"] = x
            np.savez(f"{directory}/{name}.npz", x=x, prediction=model.predict(x, verbose=0).astype(np.float32))
            for ending in ENDINGS:
                (model.save_weights if ending == "weights.h5" else model.save)(f"{directory}/{name}.{ending}")


def check(directory):
    failed = []
    for make_model in MODELS:
        name = make_model.__name__
        rows_of = np.load(f"{directory}/{name}.npz")
        x, expected = rows_of["x"], rows_of["prediction"]
        found = {}
        for ending in ("keras", "h5"):
            with h5py.File(f"{directory}/{name}.{ending}.predicted.h5") as file:
                found[f"Lockstep reads .{ending}"] = file["output"][:]
            for to in ("keras", "h5"):
                model = keras.saving.load_model(f"{directory}/{name}.{ending}.converted.{to}")
                found[f"Keras reads .{to} of .{ending}"] = model.predict(x, verbose=0)
                if name not in ("uncompiled", "output_first", "mixed_bfloat16", "custom_loss") and model.optimizer is None:
                    failed.append(f"{name}: .{to} of .{ending} is not compiled")
        for path in glob.glob(f"{directory}/{name}.run-*.predicted.h5"):
            with h5py.File(path) as file:
                found[os.path.basename(path)] = file["output"][:]
        for what, values in found.items():
            difference = float(np.max(np.abs(values.astype(np.float32) - expected)))
            print(f"{name:<18} {what:<28} {difference:.1e}")
            if not difference <= tolerance(name):
                failed.append(f"{name}: {what}: differs by {difference}")
    if failed:
        sys.exit("\n".join(failed))


if __name__ == "__main__":
    print("Keras", keras.__version__, "on", keras.backend.backend())
    {"make": make, "check": check}[sys.argv[1]](sys.argv[2])

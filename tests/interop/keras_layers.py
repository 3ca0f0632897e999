"""Every layer beside Keras' own: predictions, gradients and training. Called by tests/e2e/keras/keras_interop.sh with a folder as argument:

    keras_layers.py save DIR [NAME...]   Keras saves the models as NAME.keras, and rows and predictions in NAME.npz
    keras_layers.py make DIR [NAME...]   Keras saves small models and notes down what it makes of them
    keras_layers.py check DIR [NAME...]  compares that with what Lockstep made, and opens what Lockstep saved
"""
import os
import sys

os.environ.setdefault("KERAS_BACKEND", "jax")
import h5py
import keras
import numpy as np
from keras import layers

ROWS, BATCH, RATE = 20, 8, 0.02  # three steps an epoch, the last of them short; the test in C++ has the same

# The shape of a row and the layers. A model has a Dense layer before them, which needs their gradient (but for an Embedding, which takes
# whole numbers), and Flatten and Dense behind them.
MODELS = {
    "dense": ((5,), lambda: [layers.Dense(4, activation="tanh")]),
    "dense_of_vectors": ((3, 5), lambda: [layers.Dense(4, use_bias=False)]),
    "dense_regularized": ((5,), lambda: [layers.Dense(4, kernel_regularizer="l2", bias_regularizer=keras.regularizers.L1(0.1))]),
    "flatten": ((2, 3, 2), lambda: [layers.Flatten()]),
    "rescaling": ((5,), lambda: [layers.Rescaling(0.5, offset=0.25)]),
    "rescaling_lists": ((2, 3), lambda: [layers.Rescaling([0.5, -1.0, 2.0], offset=[[1.0], [2.0]])]),
    "normalization": ((3, 4), lambda: [layers.Normalization()]),
    "normalization_axes": ((3, 4), lambda: [layers.Normalization(axis=(1, 2))]),
    "normalization_inverse": ((4,), lambda: [layers.Normalization(mean=[1.0, 2, 3, 4], variance=[4.0, 3, 2, 1], invert=True)]),
    "batch_normalization": ((5,), lambda: [layers.BatchNormalization()]),
    "batch_normalization_axis": ((3, 4), lambda: [layers.BatchNormalization(axis=1, momentum=0.8, scale=False)]),
    "batch_normalization_frozen": ((5,), lambda: [layers.Dense(4, trainable=False), layers.BatchNormalization(trainable=False)]),
    "constraints": (
        (5,),
        lambda: [
            layers.Dense(6, kernel_constraint=keras.constraints.MaxNorm(0.5), bias_constraint="non_neg"),
            layers.Dense(6, kernel_constraint=keras.constraints.UnitNorm(axis=1)),
            layers.Dense(6, kernel_constraint=keras.constraints.MinMaxNorm(0.1, 0.4, rate=0.5, axis=[0, 1])),
        ],
    ),
    "activations_that_are_layers": (
        (5,),
        lambda: [layers.Dense(4, activation=layers.LeakyReLU(0.1)), layers.Dense(4, activation="relu"), layers.Activation(layers.ReLU(max_value=0.5))],
    ),
    "activity_regularized": ((5,), lambda: [layers.Dense(4, activation="tanh", activity_regularizer=keras.regularizers.L1L2(0.1, 0.2))]),
    "activity_regularization": ((5,), lambda: [layers.ActivityRegularization(l1=0.1, l2=0.2)]),
    "initializers": (
        (5,),
        lambda: [
            layers.Dense(5, kernel_initializer=one, bias_initializer=two)
            for one, two in [
                ("orthogonal", "uniform"),
                (keras.initializers.Identity(0.5), keras.initializers.Constant(2)),
                (keras.initializers.VarianceScaling(3, "fan_out", "uniform", seed=3), keras.initializers.TruncatedNormal(1.0, seed=4)),
                (keras.initializers.RandomNormal(0.5, 0.1), keras.initializers.RandomUniform(-1, 1)),
            ]
        ],
    ),
    "layer_normalization": ((3, 4), lambda: [layers.LayerNormalization()]),
    "layer_normalization_axes": ((3, 4, 2), lambda: [layers.LayerNormalization(axis=(1, 2), center=False, epsilon=0.1)]),
    "layer_normalization_first": ((3, 4), lambda: [layers.LayerNormalization(axis=1, scale=False, gamma_regularizer="l1")]),
    "group_normalization": ((3, 6), lambda: [layers.GroupNormalization(groups=3)]),
    "group_normalization_axis": ((2, 4, 3), lambda: [layers.GroupNormalization(groups=2, axis=2, epsilon=0.01)]),
    "instance_normalization": ((2, 3, 4), lambda: [layers.GroupNormalization(groups=-1, scale=False)]),
    "unit_normalization": ((3, 4), lambda: [layers.UnitNormalization()]),
    "unit_normalization_axes": ((3, 4), lambda: [layers.UnitNormalization(axis=[1, 2])]),
    "normalization_of_all": ((3, 4), lambda: [layers.Normalization(axis=None)]),
    "normalization_number": ((3, 4), lambda: [layers.Normalization(mean=0.5, variance=2.0)]),
    "normalization_lists": ((2, 3), lambda: [layers.Normalization(axis=(1, 2), mean=[[1.0], [2.0]], variance=[[4.0], [3.0]])]),
    "embedding": ((4,), lambda: [layers.Embedding(9, 3)]),
    "embedding_of_all": (
        (2, 3),
        lambda: [layers.Embedding(9, 3, activity_regularizer="l2", embeddings_regularizer="l2", embeddings_constraint="unit_norm")],
    ),
    "dropout": ((5,), lambda: [layers.Dropout(0.3)]),
    "conv2d": ((5, 5, 3), lambda: [layers.Conv2D(4, 3, activation="relu")]),
    "conv2d_strides": ((4, 5, 3), lambda: [layers.Conv2D(4, (3, 2), strides=(2, 1), padding="same", kernel_regularizer="l2")]),
    "conv2d_dilated_groups": ((5, 4, 4), lambda: [layers.Conv2D(6, 3, dilation_rate=2, groups=2, padding="same", use_bias=False)]),
    "conv2d_one_channel": ((5, 4, 1), lambda: [layers.Conv2D(5, 5, padding="same", activation="gelu")]),
    "conv1d": ((7, 3), lambda: [layers.Conv1D(4, 3, activation="tanh")]),
    "conv1d_causal": ((7, 3), lambda: [layers.Conv1D(4, 3, padding="causal", dilation_rate=2)]),
    "conv2d_transpose": ((2, 3, 3), lambda: [layers.Conv2DTranspose(2, 3, strides=2, padding="same", activation="sigmoid")]),
    "conv2d_transpose_valid": ((2, 3, 3), lambda: [layers.Conv2DTranspose(2, (2, 3), strides=(3, 2))]),
    "conv2d_transpose_output_padding": ((2, 3, 3), lambda: [layers.Conv2DTranspose(2, 3, strides=2, output_padding=1)]),
    "conv2d_transpose_same_output_padding": ((2, 3, 3), lambda: [layers.Conv2DTranspose(2, 4, strides=3, padding="same", output_padding=2)]),
    "conv1d_transpose": ((5, 3), lambda: [layers.Conv1DTranspose(2, 4, strides=2, padding="same")]),
    "conv1d_transpose_dilated": ((5, 3), lambda: [layers.Conv1DTranspose(2, 2, dilation_rate=2)]),
    "depthwise_conv2d": ((6, 7, 3), lambda: [layers.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=2, activation="silu")]),
    "depthwise_conv1d": ((7, 3), lambda: [layers.DepthwiseConv1D(3, dilation_rate=2, use_bias=False)]),
    "separable_conv2d": ((6, 7, 3), lambda: [layers.SeparableConv2D(4, 3, depth_multiplier=2, activation="relu", pointwise_regularizer="l2")]),
    "separable_conv1d": ((7, 3), lambda: [layers.SeparableConv1D(4, 3, strides=2, padding="same")]),
    "max_pooling2d": ((5, 6, 3), lambda: [layers.MaxPooling2D()]),
    "max_pooling2d_overlapping": ((5, 6, 3), lambda: [layers.MaxPooling2D((3, 2), strides=(1, 2), padding="same")]),
    "max_pooling1d": ((7, 3), lambda: [layers.MaxPooling1D(3, strides=2)]),
    "average_pooling2d": ((5, 6, 3), lambda: [layers.AveragePooling2D((2, 3))]),
    "average_pooling2d_overlapping": ((5, 6, 3), lambda: [layers.AveragePooling2D(3, strides=1, padding="same")]),
    "average_pooling1d": ((7, 3), lambda: [layers.AveragePooling1D(2, padding="same")]),
    "global_max_pooling2d": ((5, 6, 3), lambda: [layers.GlobalMaxPooling2D()]),
    "global_max_pooling1d": ((7, 3), lambda: [layers.GlobalMaxPooling1D(keepdims=True)]),
    "global_max_pooling2d_equal": ((4, 4, 2), lambda: [layers.Activation("relu"), layers.GlobalMaxPooling2D()]),
    "global_average_pooling2d": ((5, 6, 3), lambda: [layers.GlobalAveragePooling2D(keepdims=True)]),
    "global_average_pooling1d": ((7, 3), lambda: [layers.GlobalAveragePooling1D()]),
    "dropout_noise_shape": ((3, 4), lambda: [layers.Dropout(0.3, noise_shape=(None, 1, 4))]),
    "spatial_dropout1d": ((3, 4), lambda: [layers.SpatialDropout1D(0.3)]),
    "spatial_dropout2d": ((2, 3, 4), lambda: [layers.SpatialDropout2D(0.3, seed=3)]),
    "gaussian_noise": ((5,), lambda: [layers.GaussianNoise(0.3)]),
    "gaussian_dropout": ((5,), lambda: [layers.GaussianDropout(0.3)]),
    "relu": ((7,), lambda: [layers.ReLU()]),
    "relu_settings": ((7,), lambda: [layers.ReLU(max_value=1.5, negative_slope=0.2, threshold=0.3)]),
    "leaky_relu": ((7,), lambda: [layers.LeakyReLU(), layers.LeakyReLU(negative_slope=0.1)]),
    "elu": ((7,), lambda: [layers.ELU(alpha=0.7)]),
    "prelu": ((3, 4), lambda: [layers.PReLU()]),
    "prelu_shared": ((3, 2, 4), lambda: [layers.PReLU(shared_axes=[1, 2]), layers.PReLU(shared_axes=[3], alpha_regularizer="l2", alpha_constraint="non_neg")]),
    "softmax": ((3, 4), lambda: [layers.Softmax()]),
    "softmax_axes": ((3, 2, 4), lambda: [layers.Softmax(axis=1), layers.Softmax(axis=[1, 2])]),
    "reshape": ((4, 3), lambda: [layers.Reshape((2, -1)), layers.Dense(2), layers.Reshape((4,))]),
    "permute": ((2, 3, 4), lambda: [layers.Permute((3, 1, 2)), layers.Dense(2), layers.Permute((2, 1, 3)), layers.Dense(2)]),
    "repeat_vector": ((4,), lambda: [layers.RepeatVector(3)]),
    "zero_padding1d": ((3, 2), lambda: [layers.ZeroPadding1D(2), layers.ZeroPadding1D((0, 1))]),
    "zero_padding2d": ((3, 2, 2), lambda: [layers.ZeroPadding2D(), layers.ZeroPadding2D((1, 2)), layers.ZeroPadding2D(((1, 0), (2, 3)))]),
    "cropping1d": ((6, 2), lambda: [layers.Cropping1D(), layers.Cropping1D((0, 1))]),
    "cropping2d": ((6, 6, 2), lambda: [layers.Cropping2D(), layers.Cropping2D((1, 0)), layers.Cropping2D(((1, 0), (2, 1)))]),
    "up_sampling1d": ((3, 2), lambda: [layers.UpSampling1D(3)]),
    "up_sampling2d": ((3, 2, 2), lambda: [layers.UpSampling2D((1, 2)), layers.Dense(2), layers.UpSampling2D()]),
    "up_sampling2d_bilinear": ((3, 2, 2), lambda: [layers.UpSampling2D((3, 2), interpolation="bilinear")]),
    "center_crop": ((5, 6, 2), lambda: [layers.CenterCrop(3, 3)]),
    "random_flip": ((3, 4, 2), lambda: [layers.RandomFlip("horizontal", seed=3)]),
    "random_translation": ((3, 4, 2), lambda: [layers.RandomTranslation(0.2, (-0.1, 0.3), fill_mode="wrap", interpolation="nearest")]),
} | {
    f"activation_{name}": ((7,), lambda name=name: [layers.Activation(name)])
    for name in ("linear", "relu", "softmax", "sigmoid", "tanh", "elu", "selu", "gelu", "silu", "softplus", "leaky_relu", "relu6", "celu", "log_sigmoid",
                 "log_softmax", "exponential", "softsign", "hard_sigmoid", "hard_silu", "hard_tanh", "mish", "squareplus", "sparse_plus",
                 "sparse_sigmoid", "soft_shrink", "hard_shrink", "tanh_shrink")
}

COLUMNS = {"predicted": 1e-5, "gradient": 1e-5, "three steps": 1e-4, "predicted then": 1e-4, "saved by Lockstep": 1e-5}


def is_random(layer):
    return hasattr(layer, "seed_generator") or hasattr(layer, "generator")


def takes_indices(name):
    return name.startswith("embedding")


def make_model(name, random):
    shape, make_layers = MODELS[name]
    between = make_layers()
    before = [] if takes_indices(name) else [layers.Dense(shape[-1])]
    model = keras.Sequential([keras.Input(shape), *before, *between, layers.Flatten(), layers.Dense(3)], name="model")
    for weight in model.weights:
        if weight.name == "count":
            continue
        values = random.normal(size=weight.shape) * min(0.5, 1 / np.sqrt(np.prod(weight.shape[:-1])))
        weight.assign(np.abs(values) + 0.5 if "variance" in weight.name else values)
    for layer in between:
        if isinstance(layer, layers.Normalization):
            layer.finalize_state()
    if not any(map(is_random, between)):  # Lockstep trains what is compiled
        model.compile(keras.optimizers.SGD(RATE), "mean_squared_error")
    return model


def weights_of(model):
    return np.concatenate([np.ravel(weight) for weight in model.get_weights()])


def predict(model, x):
    return model.predict(x, batch_size=ROWS, verbose=0)


def train(model, x, y):
    model.fit(x, y, batch_size=BATCH, epochs=1, shuffle=False, verbose=0)
    return weights_of(model)


def rows_for(name, random):
    shape = (ROWS, *MODELS[name][0])
    return (random.integers(9, size=shape) if takes_indices(name) else random.normal(size=shape)).astype(np.float32)


def save(directory, names):
    for seed, name in enumerate(names):
        random = np.random.default_rng(seed)
        model = make_model(name, random)
        x = rows_for(name, random)
        model.save(f"{directory}/{name}.keras")
        np.savez(f"{directory}/{name}.npz", x=x, prediction=predict(model, x))


def make(directory, names):
    with h5py.File(f"{directory}/keras.h5", "w") as expected:
        for seed, name in enumerate(names):
            random = np.random.default_rng(seed)
            model = make_model(name, random)
            x, y = rows_for(name, random), random.normal(size=(ROWS, 3)).astype(np.float32)
            with h5py.File(f"{directory}/{name}.h5", "w") as data:
                data["test/x"], data["test/y"] = x, y
            model.save(f"{directory}/{name}.keras")
            expected[f"{name}/predicted"] = predict(model, x)
            if not model.compiled:
                continue
            start = model.get_weights()
            expected[f"{name}/one step"] = train(model, x[:BATCH], y[:BATCH])
            model.set_weights(start)
            expected[f"{name}/three steps"] = train(model, x, y)
            expected[f"{name}/predicted then"] = predict(model, x)


def difference(found, expected):
    if found.shape != expected.shape:
        return np.inf
    return float(np.max(np.abs(found - expected) / np.maximum(1, np.abs(expected))))  # NaN stays NaN


def predict_saved(directory, name):
    try:
        model = keras.saving.load_model(f"{directory}/{name}_lockstep.keras")
    except Exception as error:  # the other models are compared nevertheless
        print(f"{name}: Keras cannot open what Lockstep saved: {str(error).splitlines()[0]}")
        return np.array(np.nan)
    with h5py.File(f"{directory}/{name}.h5") as data:
        return predict(model, data["test/x"][:])


def check(directory, names):
    failed = []
    print(f"{'largest difference of':30}", *(f"{column:>18}" for column in COLUMNS))
    with h5py.File(f"{directory}/keras.h5") as expected, h5py.File(f"{directory}/lockstep.h5") as lockstep:
        for name in names:
            found = {column: difference(lockstep[name][column][:].ravel(), values[:].ravel()) for column, values in expected[name].items()}
            if "one step" in found:
                found["gradient"] = found["one step"] / RATE
            last = "predicted then" if "predicted then" in found else "predicted"
            found["saved by Lockstep"] = difference(predict_saved(directory, name).ravel(), lockstep[name][last][:].ravel())
            print(f"{name:30}", *(f"{found[column]:18.1e}" if column in found else f"{'':18}" for column in COLUMNS))
            failed += [f"{name}, {column}" for column, limit in COLUMNS.items() if column in found and not found[column] <= limit]
    if failed:
        sys.exit("FAILED: too different from Keras: " + "; ".join(failed))


if __name__ == "__main__":
    print("Keras", keras.__version__, "on", keras.backend.backend())
    {"save": save, "make": make, "check": check}[sys.argv[1]](sys.argv[2], sys.argv[3:] or list(MODELS))

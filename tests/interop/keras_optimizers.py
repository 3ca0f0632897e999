"""Optimizers and schedules beside Keras' own. Called by tests/e2e/keras/keras_interop.sh:

    keras_optimizers.py make DIR [NAME ...]    Keras saves a model with each optimizer below, untrained (NAME.keras) and after six steps
                                               (NAME_trained.keras), and notes down its weights after six and after twelve steps
    keras_optimizers.py check DIR [NAME ...]   compares the weights of Lockstep, which goes on from both files, and lets Keras go on from
                                               the files that Lockstep saved after six steps; prints the largest difference of each
"""
import os
import sys

os.environ.setdefault("KERAS_BACKEND", "jax")
import h5py
import keras
import numpy as np
from keras import optimizers as o

ROWS, BATCH, TOLERANCE = 96, 16, 1e-5
s = o.schedules

CASES = {
    "adadelta": lambda: o.Adadelta(0.5, weight_decay=0.01),
    "adafactor": lambda: o.Adafactor(0.05),
    "adafactor_relative": lambda: o.Adafactor(0.02, beta_2_decay=-0.7, clip_threshold=0.8, relative_step=False, weight_decay=0.01),
    "adagrad": lambda: o.Adagrad(0.02, initial_accumulator_value=0.2),
    "adamax": lambda: o.Adamax(0.01, clipvalue=0.05),
    "ftrl": lambda: o.Ftrl(0.05),
    "ftrl_all": lambda: o.Ftrl(0.05, learning_rate_power=-0.6, l1_regularization_strength=0.001, l2_regularization_strength=0.01,
                               l2_shrinkage_regularization_strength=0.01, beta=0.1),
    "lamb": lambda: o.Lamb(0.01, weight_decay=0.01),
    "muon": lambda: o.Muon(0.01, exclude_layers=["last"]),
    "muon_plain": lambda: o.Muon(0.01, nesterov=False, rms_rate=None, adam_weight_decay=None, adam_lr_ratio=0.5, clipnorm=1.0),
    "nadam": lambda: o.Nadam(0.01),
    "schedule_free": lambda: o.ScheduleFreeAdamW(0.01, warmup_steps=4, weight_decay=0.01),
    "averaged_sgd": lambda: o.SGD(0.1, momentum=0.9, use_ema=True, ema_momentum=0.7, ema_overwrite_frequency=4),
    "averaged_rmsprop": lambda: o.RMSprop(0.01, use_ema=True, ema_momentum=0.7),
    "accumulated_adam": lambda: o.Adam(0.01, gradient_accumulation_steps=2, global_clipnorm=0.5, weight_decay=0.01),
    "accumulated_nadam": lambda: o.Nadam(0.01, gradient_accumulation_steps=4, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2),
    "accumulated_muon": lambda: o.Muon(0.01, gradient_accumulation_steps=3),
    "scaled": lambda: o.SGD(0.1, loss_scale_factor=128.0),
    "exponential": lambda: o.SGD(s.ExponentialDecay(0.1, 4, 0.7)),
    "exponential_staircase": lambda: o.Adam(s.ExponentialDecay(0.01, 4, 0.7, staircase=True)),
    "inverse_time": lambda: o.SGD(s.InverseTimeDecay(0.1, 4, 0.7), momentum=0.9),
    "piecewise": lambda: o.RMSprop(s.PiecewiseConstantDecay([2, 5, 8], [0.01, 0.005, 0.002, 0.001])),
    "polynomial": lambda: o.SGD(s.PolynomialDecay(0.1, 9, 0.01, power=2.0)),
    "polynomial_cycle": lambda: o.Nadam(s.PolynomialDecay(0.01, 5, cycle=True)),
    "cosine": lambda: o.AdamW(s.CosineDecay(0.01, 9, alpha=0.1), weight_decay=0.05),
    "cosine_warm": lambda: o.Adafactor(s.CosineDecay(0.001, 7, warmup_target=0.02, warmup_steps=3)),
    "restarts": lambda: o.SGD(s.CosineDecayRestarts(0.1, 3, t_mul=1.5, m_mul=0.8), gradient_accumulation_steps=2),
}


def data():
    x = np.sin(np.arange(ROWS * 6 * 5 * 2, dtype=np.float32) * 0.7).reshape(ROWS, 6, 5, 2)
    return x, np.stack([x[:, 1].sum(axis=(1, 2)), np.cos(x[:, 2, 3, 1] * 3), x[:, 4, 4, 0]], axis=1).astype(np.float32)


def make_model(optimizer):
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((6, 5, 2)), layers.Conv2D(3, 3, activation="tanh"), layers.Flatten(), layers.Dense(7, activation="tanh"),
        layers.Dense(9, activation="tanh"), layers.Dense(3, name="last")])
    model.compile(optimizer, "mse")
    return model


def six_steps(model):
    """As fit() does, whose second call fails with use_ema on JAX: a weight and its average share their memory then."""
    x, y = data()
    for first in range(0, ROWS, BATCH):
        model.train_on_batch(x[first:first + BATCH], y[first:first + BATCH])
    if model.optimizer.use_ema:
        for weight, average in zip(model.trainable_variables, model.optimizer._model_variables_moving_average):
            weight.assign(average.numpy())


def weights(model):
    return np.concatenate([w.ravel() for w in model.get_weights()])


def make(directory, names):
    keras.utils.set_random_seed(3)
    x, y = data()
    with h5py.File(f"{directory}/data.h5", "w") as file:
        file["test/x"], file["test/y"] = x, y
    with h5py.File(f"{directory}/keras.h5", "w") as expected:
        for name in names:
            model = make_model(CASES[name]())
            model.save(f"{directory}/{name}.keras")
            six_steps(model)
            model.save(f"{directory}/{name}_trained.keras")
            expected[f"{name}/six"] = weights(model)
            six_steps(model)
            expected[f"{name}/twelve"] = weights(model)


def check(directory, names):
    failed = []
    with h5py.File(f"{directory}/keras.h5") as expected, h5py.File(f"{directory}/lockstep.h5") as found:
        for name in names:
            differences = []
            for when, of in (("six", "six"), ("twelve", "twelve"), ("resumed", "twelve")):
                differences.append(float(np.max(np.abs(found[f"{name}/{when}"][:] - expected[f"{name}/{of}"][:]))))
            model = keras.saving.load_model(f"{directory}/{name}_lockstep.keras")
            if int(model.optimizer._iterations) != 6:
                failed.append(f"{name}: Keras found no state of the optimizer in Lockstep's file")
            if model.optimizer.get_config() != {**CASES[name]().get_config(), "name": model.optimizer.name}:
                failed.append(f"{name}: Keras reads {model.optimizer.get_config()}, it is {CASES[name]().get_config()}")
            six_steps(model)
            differences.append(float(np.max(np.abs(weights(model) - expected[f"{name}/twelve"][:]))))
            print(f"{name:<22} six {differences[0]:.1e}, twelve {differences[1]:.1e}, Lockstep from Keras' file {differences[2]:.1e}, "
                  f"Keras from Lockstep's {differences[3]:.1e}")
            if not max(differences) <= TOLERANCE:
                failed.append(f"{name}: differs by {max(differences)}")
    if failed:
        sys.exit("\n".join(failed))


if __name__ == "__main__":
    {"make": make, "check": check}[sys.argv[1]](sys.argv[2], sys.argv[3:] or list(CASES))

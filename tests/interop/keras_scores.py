"""Every loss and metric beside Keras' own: values, gradients and files. Called by tests/e2e/keras/keras_interop.sh with a folder as argument:

    keras_scores.py make DIR [NAME...]   Keras saves small models and notes down their scores, and their weights after a step
    keras_scores.py check DIR [NAME...]  compares that with what Lockstep made, and opens what Lockstep saved
"""
import json
import os
import sys

os.environ.setdefault("KERAS_BACKEND", "jax")
import h5py
import keras
import numpy as np
from keras import layers, losses, metrics

ROWS, TOLERANCE = 70, 1e-5  # three batches of Keras' evaluate, the last of them short


def named(cls, name, **settings):
    return lambda: getattr(metrics, cls)(name=name, **settings)


def binary_metrics():
    some = [named("BinaryAccuracy", "ba", threshold=0.4), named("BinaryCrossentropy", "bce", label_smoothing=0.1), named("BinaryIoU", "biou", threshold=0.4)]
    some += [named("BinaryIoU", "biou1", target_class_ids=[1])]
    for cls in ("TruePositives", "TrueNegatives", "FalsePositives", "FalseNegatives", "Precision", "Recall"):
        some += [named(cls, cls), named(cls, cls + "_3", thresholds=0.3)]
    for cls, value in (("SensitivityAtSpecificity", "specificity"), ("SpecificityAtSensitivity", "sensitivity"), ("PrecisionAtRecall", "recall"), ("RecallAtPrecision", "precision")):
        some += [named(cls, cls, **{value: 0.6}), named(cls, cls + "_few", **{value: 0.8, "num_thresholds": 7}), named(cls, cls + "_one", **{value: 0.1, "num_thresholds": 1})]
    for curve in ("ROC", "PR", "PRGAIN"):
        for method in ("interpolation", "majoring", "minoring"):
            some += [named("AUC", f"auc_{curve}_{method}", curve=curve, summation_method=method)]
    some += [named("AUC", "auc_few", num_thresholds=5), named("AUC", "auc_two", num_thresholds=2), named("AUC", "auc_even", thresholds=[0.25, 0.5, 0.75])]
    return some + [named("AUC", "auc_odd", thresholds=[0.9, 0.2, 0.3]), named("Hinge", "hinge"), named("SquaredHinge", "shinge")]


def label_metrics():
    return [
        named("AUC", "auc_labels", multi_label=True, num_labels=3),
        named("AUC", "auc_label_pr", multi_label=True, curve="PR", label_weights=[1.0, 2.0, 0.5]),
        named("AUC", "auc_weights", label_weights=[1.0, 2.0, 0.5]),
        named("Precision", "p_top", top_k=2),
        named("Precision", "p_class", class_id=1),
        named("Recall", "r_top_class", top_k=2, class_id=2),
        named("PrecisionAtRecall", "par_class", recall=0.5, class_id=1),
        named("F1Score", "f1_macro", average="macro"),
        named("F1Score", "f1_micro", average="micro", threshold=0.3),
        named("F1Score", "f1_weighted", average="weighted"),
        named("FBetaScore", "f2", average="weighted", beta=2.0, threshold=0.4),
    ]


def class_metrics():
    return [
        named("SparseCategoricalAccuracy", "sca"),
        named("SparseTopKCategoricalAccuracy", "top2", k=2),
        named("SparseCategoricalCrossentropy", "scce"),
        named("SparseCategoricalCrossentropy", "scce_ignored", ignore_class=1),
        named("MeanIoU", "miou", num_classes=3, sparse_y_pred=False),
        named("MeanIoU", "miou_ignored", num_classes=3, sparse_y_pred=False, ignore_class=0),
        named("IoU", "iou", num_classes=3, target_class_ids=[0, 2], sparse_y_pred=False),
    ]


def one_hot_metrics():
    return [
        named("CategoricalAccuracy", "ca"),
        named("TopKCategoricalAccuracy", "top2", k=2),
        named("CategoricalCrossentropy", "cce", label_smoothing=0.2),
        named("KLDivergence", "kld"),
        named("CategoricalHinge", "chinge"),
        named("OneHotIoU", "ohiou", num_classes=3, target_class_ids=[0, 1]),
        named("OneHotMeanIoU", "ohmiou", num_classes=3),
    ] + label_metrics()


def number_metrics():
    some = [named(cls, cls) for cls in ("MeanSquaredError", "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanSquaredLogarithmicError", "RootMeanSquaredError")]
    some += [named(cls, cls) for cls in ("LogCoshError", "CosineSimilarity", "PearsonCorrelation", "ConcordanceCorrelation", "R2Score")]
    return some + [named("R2Score", "r2_variance", class_aggregation="variance_weighted_average")]  # adjusted R2 cannot be traced by JAX


def strings():
    return ["accuracy", "mse", "MAE", "mean_squared_logarithmic_error", "RootMeanSquaredError", "auc", "precision", "true_positives", "log_cosh_error", "bce"]


# Kind of truth, outputs, last activation, loss, metrics. Weighted metrics are the same under other names.
CASES = {
    "mse": ("numbers", 3, None, lambda: losses.MeanSquaredError(), number_metrics),
    "mse_sum": ("numbers", 3, None, lambda: losses.MeanSquaredError(reduction="sum"), None),
    "mse_by_weight": ("numbers", 3, None, lambda: losses.MeanSquaredError(reduction="mean_with_sample_weight"), None),
    "mae": ("numbers", 3, None, lambda: "mae", None),
    "mape": ("numbers", 3, None, lambda: losses.MeanAbsolutePercentageError(), None),
    "msle": ("numbers", 3, "softplus", lambda: losses.MeanSquaredLogarithmicError(), None),
    "log_cosh": ("numbers", 3, None, lambda: losses.LogCosh(), None),
    "huber": ("numbers", 3, None, lambda: losses.Huber(), None),
    "poisson": ("numbers", 3, "exponential", lambda: losses.Poisson(), lambda: [named("Poisson", "poisson_metric")]),
    "cosine": ("numbers", 3, None, lambda: losses.CosineSimilarity(), None),
    "hinge": ("flags", 1, "tanh", lambda: losses.Hinge(), strings),
    "hinge_of_sides": ("sides", 3, "tanh", lambda: losses.Hinge(), None),
    "squared_hinge": ("sides", 3, "tanh", lambda: "squared_hinge", None),
    "categorical_hinge": ("one_hot", 3, None, lambda: losses.CategoricalHinge(), None),
    "kld": ("soft", 3, "softmax", lambda: losses.KLDivergence(), None),
    "bce": ("flags", 1, "sigmoid", lambda: losses.BinaryCrossentropy(label_smoothing=0.1), binary_metrics),
    "bce_of_labels": ("flags", 3, "sigmoid", lambda: losses.BinaryCrossentropy(), label_metrics),
    "bce_from_logits": ("flags", 1, None, lambda: losses.BinaryCrossentropy(from_logits=True), lambda: [named("AUC", "auc", from_logits=True)]),
    "binary_focal": ("flags", 3, "sigmoid", lambda: losses.BinaryFocalCrossentropy(), None),
    "binary_focal_settings": (
        "flags",
        3,
        None,
        lambda: losses.BinaryFocalCrossentropy(apply_class_balancing=True, alpha=0.3, gamma=1.5, from_logits=True, label_smoothing=0.1),
        None,
    ),
    "cce": ("one_hot", 3, "softmax", lambda: losses.CategoricalCrossentropy(), one_hot_metrics),
    "categorical_focal": ("one_hot", 3, "softmax", lambda: losses.CategoricalFocalCrossentropy(), None),
    "categorical_focal_settings": (
        "soft",
        3,
        None,
        lambda: losses.CategoricalFocalCrossentropy(alpha=[0.2, 0.5, 0.9], gamma=1.5, from_logits=True, label_smoothing=0.1),
        None,
    ),
    "scce": ("labels", 3, "softmax", lambda: losses.SparseCategoricalCrossentropy(), class_metrics),
    "scce_ignored": ("labels", 3, "softmax", lambda: losses.SparseCategoricalCrossentropy(ignore_class=1), None),
    "scce_ignored_logits": ("labels", 3, None, lambda: losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1), None),
    "scce_ignored_sum": ("labels", 3, "softmax", lambda: losses.SparseCategoricalCrossentropy(ignore_class=1, reduction="sum"), None),
    "scce_ignored_by_weight": (
        "labels",
        3,
        "softmax",
        lambda: losses.SparseCategoricalCrossentropy(ignore_class=1, reduction="mean_with_sample_weight"),
        None,
    ),
    "generalized": ("labels", 3, "softmax", lambda: losses.CategoricalGeneralizedCrossEntropy(q=0.7), None),
    "dice": ("flags", 3, "sigmoid", lambda: losses.Dice(), None),
    "dice_of_rows": ("flags", 3, "sigmoid", lambda: losses.Dice(axis=-1), None),
    "tversky": ("flags", 3, "sigmoid", lambda: losses.Tversky(alpha=0.3, beta=0.6), None),
    "tversky_of_rows": ("flags", 3, "sigmoid", lambda: losses.Tversky(alpha=0.3, beta=0.6, axis=1), None),
    "tversky_by_weight": ("flags", 3, "sigmoid", lambda: losses.Tversky(reduction="mean_with_sample_weight"), None),
}


def rows(kind, outputs):
    random = np.random.default_rng(outputs)
    x = random.normal(size=(ROWS, 5)).astype("float32")
    weight = random.choice([0.5, 0.75, 1.0, 2.5], ROWS).astype("float32")
    size = (ROWS, outputs)
    if kind == "labels":
        return x, random.integers(0, outputs, ROWS), weight
    if kind == "one_hot":
        return x, np.eye(outputs, dtype="float32")[random.integers(0, outputs, ROWS)], weight
    if kind == "soft":
        return x, random.dirichlet(np.ones(outputs), ROWS).astype("float32"), weight
    if kind == "flags":
        return x, (x[:, :outputs] + random.normal(size=size) > 0).astype("float32"), weight
    if kind == "sides":
        return x, random.choice([-1.0, 1.0], size).astype("float32"), weight
    return x, (x[:, :outputs] + random.gamma(2.0, size=size)).astype("float32"), weight


def make_model(name):
    kind, outputs, activation, loss, list_metrics = CASES[name]
    keras.utils.set_random_seed(len(name))
    model = keras.Sequential([keras.Input((5,)), layers.Dense(outputs, activation=activation)])
    unweighted = [one if isinstance(one, str) else one() for one in list_metrics()] if list_metrics else None
    weighted = [one() for one in list_metrics() if not isinstance(one, str)] if list_metrics else None
    model.compile(keras.optimizers.SGD(0.1), loss(), metrics=unweighted, weighted_metrics=weighted, run_eagerly=True, jit_compile=False)
    return model


def evaluate(model, name):
    x, y, weight = rows(*CASES[name][:2])
    return model.evaluate(x, y, sample_weight=weight, batch_size=32, verbose=0, return_dict=True)


def weights_of(model):
    return np.concatenate([w.ravel() for w in model.get_weights()])


def make(directory, names):
    for name in names:
        x, y, weight = rows(*CASES[name][:2])
        with h5py.File(f"{directory}/{name}.h5", "w") as file:
            file["test/x"], file["test/y"], file["test/weight"] = x, y, weight
        model = make_model(name)
        model.save(f"{directory}/{name}.keras")
        scores = evaluate(model, name)
        model.fit(x, y, sample_weight=weight, batch_size=ROWS, epochs=1, shuffle=False, verbose=0)
        with h5py.File(f"{directory}/{name}_keras.h5", "w") as file:
            file["weights"] = weights_of(model)
            file.attrs["scores"] = json.dumps(scores)


def check(directory, names):
    worst = {}
    for name in names:
        with h5py.File(f"{directory}/{name}_keras.h5") as expected, h5py.File(f"{directory}/lockstep.h5") as found:
            scores = json.loads(expected.attrs["scores"])
            with open(f"{directory}/{name}.names") as keys:
                own = dict(zip(keys.read().split(), found[f"{name}/scores"][:]))
            if set(own) != set(scores):
                sys.exit(f"{name}: Lockstep has the scores {sorted(own)}, Keras {sorted(scores)}")
            for key, value in scores.items():
                worst[f"{name} {key}"] = abs(own[key] - value) / max(1, abs(value))
            worst[f"{name} step"] = float(np.max(np.abs(found[f"{name}/weights"][:] - expected["weights"][:])))
        again = evaluate(keras.saving.load_model(f"{directory}/{name}_lockstep.keras"), name)
        for key, value in scores.items():
            worst[f"{name} {key} of Lockstep's file"] = abs(again[key] - value) / max(1, abs(value))
    for what, difference in sorted(worst.items(), key=lambda one: -one[1])[:8]:
        print(f"{what}: off by {difference:.1e}")
    bad = {what: difference for what, difference in worst.items() if not difference <= TOLERANCE}
    if bad:
        sys.exit(f"differ by more than {TOLERANCE}: {bad}")
    print(f"{len(worst)} losses, metrics and steps of {len(names)} models are Keras'")


if __name__ == "__main__":
    print("Keras", keras.__version__, "on", keras.backend.backend())
    {"make": make, "check": check}[sys.argv[1]](sys.argv[2], sys.argv[3:] or list(CASES))

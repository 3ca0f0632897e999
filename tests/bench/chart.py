"""The bar chart of compare.py: chart.py RESULTS.json CHART.png, run with the peers' virtual environment (matplotlib)."""
import json
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as pyplot  # noqa: E402

from compare import NAMES  # noqa: E402
from models import MODELS, title  # noqa: E402

COLORS = {"lockstep": "#c0392b", "floor": "#bfbfbf", "jax-scan": "#1b4f8a", "jax-step": "#4a90d9", "keras-jax": "#7fb3e6", "keras-tensorflow": "#e08e2b",
          "torch-eager": "#6d4c9f", "torch-compiled": "#9b7fc7", "torch-ddp": "#c9b6e4"}


def draw(axes, cases, heading):
    names = [name for name in NAMES if any("median" in case["us"].get(name, {}) for case in cases)]
    width = 0.85 / len(names)
    for i, name in enumerate(names):
        for at, case in enumerate(cases):
            figure = case["us"].get(name, {})
            if "median" not in figure:
                continue
            ratio = figure["median"] / case["us"]["lockstep"]["median"]
            label = NAMES[name].strip("*") if at == 0 or all("median" not in c["us"].get(name, {}) for c in cases[:at]) else None
            axes.bar(at + i * width, ratio, width * 0.92, color=COLORS[name], label=label)
            axes.text(at + i * width, ratio, f"{ratio:.1f}", ha="center", va="bottom", fontsize=6.5)
    axes.axhline(1, color=COLORS["lockstep"], linewidth=0.8)
    axes.set_xticks([at + 0.425 - width / 2 for at in range(len(cases))], [f"batch {case['batch']}\n(ours {case['us']['lockstep']['median']:,.0f} µs)" for case in cases])
    axes.set_title(heading, fontsize=10)
    axes.set_ylabel("time of a step / ours")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def main(results_file, chart_file):
    with open(results_file) as file:
        results = json.load(file)
    groups = []
    for model in MODELS:
        for cores in (1, 2):
            cases = sorted((case for case in results.values() if case["model"] == model and case["cores"] == cores), key=lambda case: case["batch"])
            if cases:
                groups.append((f"{title(model)}, {cores} core{'s' if cores > 1 else ''}", cases))
    columns = min(2, len(groups))
    rows = (len(groups) + columns - 1) // columns
    figure, axes = pyplot.subplots(rows, columns, figsize=(6.4 * columns, 3.4 * rows + 0.7), squeeze=False, layout="constrained")
    labels = {}
    for at, (heading, cases) in zip(axes.flat, groups):
        draw(at, cases, heading)
        for handle, label in zip(*at.get_legend_handles_labels()):
            labels.setdefault(label, handle)
    for at in list(axes.flat)[len(groups):]:
        at.set_visible(False)
    figure.legend(labels.values(), labels.keys(), loc="outside lower center", ncols=5, fontsize=8, frameon=False)
    figure.savefig(chart_file, dpi=120)
    print(f"chart: {chart_file}")


if __name__ == "__main__":
    main(*sys.argv[1:])

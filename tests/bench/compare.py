#!/usr/bin/env python3
"""Lockstep beside Keras, PyTorch and JAX: the same model, rows and batch on the same cores, microseconds per step of whole shuffled epochs.

    compare.py setup                                          makes the virtual environment of the peers (pip; some 3 GB), once
    compare.py run --model classifier --batch 32 --cores 1    one case; all peers take turns, epoch by epoch; results are merged into a file
    compare.py all                                            every case, one after the other
    compare.py report                                         table and chart of what has been measured, into README.md beside it

Ours is `lockstep bench step` (it computes the accuracy as well; the peers only the loss), with its floor, the sum of oneDNN's primitives on one
core. A peer that cannot run is left out, and the table says why.
"""
import argparse
import datetime
import json
import os
import pathlib
import select
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import models
from models import MODELS

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
REQUIREMENTS = ["torch==2.13.0", "jax==0.10.2", "keras==3.15.1", "tensorflow==2.21", "h5py", "matplotlib"]
BATCHES = [32, 256, 4096]
CONVOLUTIONAL_BATCHES = [32, 256]
DENSE_PEERS = ["jax-scan", "jax-step"]  # programs of dense layers alone
PEERS = {
    "jax-scan": "JAX, epoch as one program (lax.scan)",
    "jax-step": "JAX, jitted step",
    "keras-jax": "Keras on JAX, fit",
    "keras-tensorflow": "Keras on TensorFlow, fit",
    "torch-eager": "PyTorch, eager",
    "torch-compiled": "PyTorch, compiled",
    "torch-ddp": "PyTorch DDP, gloo",
}
NAMES = {"lockstep": "**Lockstep**", "floor": "oneDNN primitives, one core", **PEERS}


def rows_for(model, batch):
    """So many that an epoch takes about a second."""
    return {"classifier": 32768, "wide": max(2048, batch), "lenet": 8192}.get(model, max(1024, 2 * batch))


def setup(options):
    python = options.venv / "bin" / "python"
    if not python.exists():
        print(f"making {options.venv}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", options.venv], check=True)
    subprocess.run([python, "-m", "pip", "install", "-q", *REQUIREMENTS], check=True)


def data_file(options):
    """The real Fashion-MNIST; from LOCKSTEP_DATA if that is set, else fetched."""
    if not options.data.exists():
        options.data.parent.mkdir(parents=True, exist_ok=True)
        source = ["--from", os.environ["LOCKSTEP_DATA"] + "/fashion-mnist"] if os.environ.get("LOCKSTEP_DATA") else []
        subprocess.run([options.lockstep, "data", "fetch", "fashion_mnist", options.data, *source], check=True, stdout=subprocess.DEVNULL)
    return options.data


class Peer:
    """A peer's process, which waits between its turns."""

    def __init__(self, name, case, options, work):
        self.name, self.samples, self.version, self.failure = name, [], None, None
        self.log = open(work / f"{name}.log", "w+")
        environment = dict(os.environ, TORCHINDUCTOR_CACHE_DIR=str(options.venv / "inductor"), TORCHINDUCTOR_FX_GRAPH_CACHE="1", LOCKSTEP_PEER_DIR=str(work))
        command = [options.venv / "bin" / "python", HERE / "peers.py", name, options.data, case["rows"], case["batch"], case["cores"], case["model"]]
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True, env=environment,
                                        process_group=0,  # so that what it starts can be ended with it
                                        preexec_fn=lambda: os.sched_setaffinity(0, case["affinity"]))

    def answer(self, expected, deadline):
        if not select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))[0]:
            self.failure = f"no '{expected}' within --seconds"
            self.kill()
            return None
        word, _, rest = self.process.stdout.readline().strip().partition(" ")
        if word == expected:
            return rest
        self.process.wait()
        self.log.seek(0)
        lines = self.log.read().strip().splitlines()
        self.failure = lines[-1] if lines else f"ended with code {self.process.returncode}"
        return None

    def get_ready(self, deadline):
        self.version = self.answer("ready", deadline)

    def epoch(self, deadline):
        if self.failure:
            return
        self.process.stdin.write("epoch\n")
        self.process.stdin.flush()
        answer = self.answer("us", deadline)
        if answer:
            self.samples.append(float(answer))

    def end(self):
        if self.process.poll() is None:
            self.process.stdin.close()  # the end of its work
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
        self.log.close()

    def kill(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def our_step(case, options, work):
    """An epoch of ours and the floor beside it."""
    command = [options.lockstep, "bench", "step", "--config", work / "config.yaml", "--batch-size", case["batch"], "--rows", case["rows"], "--epochs", options.epochs,
               "--threads", 1, "--train-only", "--json"]
    if case["cores"] > 1:
        command = ["mpirun", "-np", case["cores"], *command]
    ran = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, check=True, preexec_fn=lambda: os.sched_setaffinity(0, case["affinity"]))
    return json.loads(ran.stdout)


def busy_seconds():
    """Of all cores since the machine started; and those of this process and of what it has started and seen the end of."""
    with open("/proc/stat") as file:
        user, nice, system, _, _, irq, softirq, *_ = (int(word) for word in file.readline().split()[1:])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK"), sum(os.times()[:4])


def run(options):
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < options.cores:
        sys.exit(f"compare.py: {options.cores} cores are wanted, {len(usable)} can be used")
    case = {"model": options.model, "batch": options.batch, "cores": options.cores, "rows": options.rows or rows_for(options.model, options.batch),
            "affinity": set(usable[:options.cores])}
    if case["rows"] % case["batch"]:
        sys.exit(f"compare.py: --rows {case['rows']} must be a multiple of the batch, {case['batch']}")
    data_file(options)
    skipped, chosen = {}, [name for name in options.peers if name != "lockstep"]
    if chosen and not (options.venv / "bin" / "python").exists():
        skipped = {name: f"no virtual environment {options.venv}; make it: compare.py setup" for name in chosen}
        chosen = []
    if case["cores"] == 1 and "torch-ddp" in chosen:
        chosen.remove("torch-ddp")  # it is data parallel
    if models.convolutional(case["model"]):
        chosen = [name for name in chosen if name not in DENSE_PEERS]
    with tempfile.TemporaryDirectory(prefix="lockstep-compare-") as directory:
        work = pathlib.Path(directory)
        (work / "config.yaml").write_text(models.yaml(case["model"], options.data.resolve()))
        start, busy_before = time.monotonic(), busy_seconds()
        peers = [Peer(name, case, options, work) for name in chosen]
        ours = []
        try:
            for peer in peers:
                peer.get_ready(start + 0.7 * options.seconds)
            while len(ours) < options.rounds and (not ours or time.monotonic() - start < 0.8 * options.seconds):
                ours.append(our_step(case, options, work))
                for peer in peers:
                    peer.epoch(start + options.seconds)
        finally:
            for peer in peers:
                peer.end()
    machine, own = (after - before for after, before in zip(busy_seconds(), busy_before))
    case["others"] = round(max(0, machine - own) / (time.monotonic() - start), 2)
    merge(options, case, ours, peers, skipped)


def merge(options, case, ours, peers, skipped):
    """Puts a case into the file, in place of what was measured there before about the same."""
    results = json.loads(options.results.read_text()) if options.results.exists() else {}
    setting = ours[-1]["setting"]
    one = results.setdefault(f"{case['model']} {case['batch']} {case['cores']}", {})
    one |= {"model": case["model"], "batch": case["batch"], "cores": case["cores"], "rows": case["rows"], "date": datetime.date.today().isoformat(),
            "others": case["others"], "setting": setting}
    figures = one["us"] = {}  # all of one run: figures of different runs do not belong beside each other

    def put(name, samples, version):
        figures[name] = {"median": statistics.median(samples), "min": min(samples), "max": max(samples), "samples": len(samples), "version": version}

    put("lockstep", [document["step"]["us"]["median"] for document in ours], "Lockstep " + setting["versions"]["lockstep"])
    put("floor", [document["step"]["floor_us"]["total"]["median"] for document in ours], "oneDNN " + setting["versions"]["oneDNN"])
    for peer in peers:
        if peer.samples:
            put(peer.name, peer.samples, peer.version)
        else:
            skipped[peer.name] = peer.failure
    for name, why in skipped.items():
        figures[name] = {"skipped": why}
    options.results.parent.mkdir(parents=True, exist_ok=True)
    options.results.write_text(json.dumps(results, indent=1) + "\n")
    print(f"{case['model']}, batch {case['batch']}, {case['cores']} core(s), {case['rows']} rows, {setting['machine']}, {setting['isa']}")
    for name, figure in figures.items():
        text = f"not measured: {figure['skipped']}" if "skipped" in figure else f"{figure['median']:10.1f} us  [{figure['min']:.1f}, {figure['max']:.1f}]  {figure['version']}"
        print(f"  {NAMES[name].strip('*'):<38}{text}")


def run_all(options):
    for model in MODELS:
        for batch in CONVOLUTIONAL_BATCHES if models.convolutional(model) else BATCHES:
            for cores in (1, 2):
                options.model, options.batch, options.cores, options.rows = model, batch, cores, 0
                run(options)


def cell(case, name):
    figure = case["us"].get(name) if case else None
    if not figure or "skipped" in figure:
        return "" if not figure else "-"
    text = f"{figure['median']:.0f}" if figure["median"] < 1e5 else f"{figure['median'] / 1e3:.0f}k"
    return f"**{text}**" if name == "lockstep" else text


def ratio(case, name):
    """Ours to another one's, both of one run."""
    figure = case["us"].get(name, {})
    return f"{case['us']['lockstep']['median'] / figure['median']:.2f}" if "median" in figure else ""


def table(results):
    lines = []
    for model in MODELS:
        cases = [results[key] for key in sorted(results, key=lambda key: (results[key]["cores"], results[key]["batch"])) if results[key]["model"] == model]
        if not cases:
            continue
        heads = [f"{case['cores']} core{'s' if case['cores'] > 1 else ''}, batch {case['batch']}" for case in cases]
        lines += [f"| {models.title(model)}, µs per step | " + " | ".join(heads) + " |", "|---|" + "---|" * len(cases)]
        for name in NAMES:
            cells = [cell(case, name) for case in cases]
            if any(cells):
                lines.append(f"| {NAMES[name]} | " + " | ".join(cells) + " |")
        for name in ("floor", "torch-eager", "torch-ddp"):
            if any(ratio(case, name) for case in cases):
                lines.append(f"| Lockstep / {NAMES[name]} | " + " | ".join(ratio(case, name) for case in cases) + " |")
        lines.append("")
    return lines


def notes(results):
    versions, skipped, settings, dates, trips = set(), set(), set(), set(), set()
    for case in results.values():
        setting = case["setting"]
        dates.add(case["date"])
        settings.add(f"{setting['machine']}, {setting['isa']}, {setting['cores']} cores")
        if case["cores"] > 1 and setting["round_trip"]:
            trips.add((setting["round_trip"]["cores"], setting["round_trip"]["ns"]))
        for name, figure in case["us"].items():
            if "skipped" in figure:
                skipped.add(f"{NAMES[name]} not measured ({figure['skipped']})")
            elif figure["version"]:
                versions.update(figure["version"].split(", "))
    where = ", ".join(sorted({cores for cores, _ in trips}))
    trip = f"; the two cores {where}: {min(ns for _, ns in trips):.0f} to {max(ns for _, ns in trips):.0f} ns for a cache line there and back" if trips else ""
    others = max(case["others"] for case in results.values())
    if others > 0.1:
        trip += f". Other programs kept up to {others:.1f} cores busy meanwhile, which made all of these slower: a quiet machine gives other figures"
    versions.discard("gloo")
    lines = [f"Medians, {' and '.join(sorted(dates))}, {'; '.join(sorted(settings))}{trip}. {', '.join(sorted(versions))}."]
    return lines + ([". ".join(sorted(skipped)) + "."] if skipped else [])


def chart(options):
    """Whether there is one."""
    python = options.venv / "bin" / "python"
    if not python.exists():
        print(f"no chart: there is no virtual environment {options.venv} with matplotlib; make it: compare.py setup", file=sys.stderr)
        return False
    subprocess.run([python, HERE / "chart.py", options.results, options.chart], check=True)
    return True


def report(options):
    results = json.loads(options.results.read_text())
    lines = table(results) + notes(results)
    print("\n".join(lines))
    if chart(options):
        lines += ["", f"![Time of a step of the others, as multiples of ours]({os.path.relpath(options.chart, options.readme.parent)})"]
    begin, end = "<!-- compare.py report: begin -->", "<!-- compare.py report: end -->"
    text = options.readme.read_text()
    if begin in text and end in text:
        options.readme.write_text(text[:text.index(begin) + len(begin)] + "\n" + "\n".join(lines) + "\n" + text[text.index(end):])
    else:
        print(f"{options.readme} has no lines '{begin}' and '{end}': nothing was written there", file=sys.stderr)


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["setup", "run", "all", "report"])
    parser.add_argument("--model", choices=MODELS, default="classifier")
    parser.add_argument("--batch", type=int, default=32, help="rows in a step, of all cores together")
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--rows", type=int, default=0, help="rows of an epoch (default: about a second's)")
    parser.add_argument("--rounds", type=int, default=3, help="epochs of each peer (default: 3)")
    parser.add_argument("--epochs", type=int, default=2, help="epochs of ours in each round (default: 2)")
    parser.add_argument("--seconds", type=float, default=90, help="time for a case; a peer that needs longer is left out (default: 90)")
    parser.add_argument("--peers", default=",".join(PEERS), help="of: lockstep (always runs), " + ", ".join(PEERS))
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "lockstep-compare"
    parser.add_argument("--venv", type=pathlib.Path, default=cache / "venv", help="virtual environment of the peers (default: %(default)s)")
    parser.add_argument("--data", type=pathlib.Path, default=cache / "fashion_mnist.h5")
    parser.add_argument("--lockstep", default=shutil.which("lockstep") or SOURCE / "build/release/bin/lockstep", help="the program (default: that of PATH)")
    parser.add_argument("--results", type=pathlib.Path, default=HERE / "results.json")
    parser.add_argument("--readme", type=pathlib.Path, default=HERE / "README.md")
    parser.add_argument("--chart", type=pathlib.Path, default=HERE / "compare.png")
    options = parser.parse_args(arguments)
    options.peers = options.peers.split(",")
    for name in options.peers:
        if name not in NAMES:
            parser.error(f"unknown peer '{name}'; there are: lockstep, {', '.join(PEERS)}")
    return options


def main():
    options = parse(sys.argv[1:])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("compare.py: ended by a signal"))  # by an exception, which ends the peers as well
    {"setup": setup, "run": run, "all": run_all, "report": report}[options.command](options)


if __name__ == "__main__":
    main()

"""One peer of compare.py: trains the same model on the same rows, an epoch for every line "epoch" on its standard input.

    peers.py PEER DATA.h5 ROWS BATCH CORES MODEL

Answers "ready VERSION", then "us MICROSECONDS" (of a step) for each epoch. Each peer in its fastest plain form: rows in memory as float32 and
scaled before, no DataLoader, no metrics but the loss, shuffled every epoch, plain SGD.
"""
import os
import subprocess
import sys
import time

import models

RATE = 0.01


def read_rows(path, rows, model):
    """Images of one channel, channels last, for convolutions; else vectors."""
    import h5py
    with h5py.File(path) as file:
        x = file["train/x"][:rows].reshape((rows, 28, 28, 1) if models.convolutional(model) else (rows, -1)).astype("float32") / 255
        return x, file["train/y"][:rows].astype("int64")


def serve(version, epoch, steps):
    """Two epochs to warm up and to compile, then one for every line."""
    for _ in range(2):
        epoch()
    print("ready", version, flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        epoch()
        print("us", (time.perf_counter() - start) / steps * 1e6, flush=True)


def keras_fit(backend, x, y, batch, cores, model_name):
    os.environ["KERAS_BACKEND"] = backend
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    if backend == "tensorflow":
        import tensorflow
        tensorflow.config.threading.set_intra_op_parallelism_threads(cores)
        tensorflow.config.threading.set_inter_op_parallelism_threads(cores)
        library = "TensorFlow " + tensorflow.__version__
    else:
        import jax
        library = "JAX " + jax.__version__
    import keras
    model = models.keras(model_name)
    model.compile(loss="sparse_categorical_crossentropy", optimizer=keras.optimizers.SGD(RATE))
    serve(f"Keras {keras.__version__}, {library}", lambda: model.fit(x, y, batch_size=batch, epochs=1, shuffle=True, verbose=0), len(x) // batch)


def jax_train(scan, x, y, batch, widths):
    import jax
    import jax.numpy as jnp
    import numpy as np
    random = np.random.default_rng(1)
    weights = [(jnp.asarray(random.uniform(-1, 1, (i, o)) * (6 / (i + o)) ** 0.5, "float32"), jnp.zeros(o)) for i, o in zip(widths, widths[1:])]
    x, y, steps = jnp.asarray(x), jnp.asarray(y, "int32"), len(x) // batch

    def loss(weights, rows, labels):
        for w, b in weights[:-1]:
            rows = jax.nn.relu(rows @ w + b)
        w, b = weights[-1]
        return -jnp.take_along_axis(jax.nn.log_softmax(rows @ w + b), labels[:, None], 1).mean()

    def step(weights, x, y, rows):
        value, gradients = jax.value_and_grad(loss)(weights, x[rows], y[rows])
        return jax.tree.map(lambda w, g: w - RATE * g, weights, gradients), value

    one_step = jax.jit(lambda weights, x, y, order, i: step(weights, x, y, order[i]), donate_argnums=0)
    all_steps = jax.jit(lambda weights, x, y, order: jax.lax.scan(lambda w, rows: step(w, x, y, rows), weights, order), donate_argnums=0)

    def epoch():
        nonlocal weights
        order = jnp.asarray(random.permutation(len(x)).reshape(steps, batch), "int32")
        if scan:
            weights, values = all_steps(weights, x, y, order)
        else:
            for i in range(steps):
                weights, values = one_step(weights, x, y, order, i)
        jax.block_until_ready((weights, values))

    serve("JAX " + jax.__version__, epoch, steps)


def torch_train(form, x, y, batch, cores, model_name, rank=0, join=None):
    import torch
    torch.manual_seed(1)
    torch.set_num_threads(1 if form == "ddp" else cores)
    model = models.torch(model_name)
    ranks = 1
    if form == "ddp":
        import torch.distributed
        torch.distributed.init_process_group("gloo", init_method=join, rank=rank, world_size=cores)
        model, ranks = torch.nn.parallel.DistributedDataParallel(model), cores
    optimizer = torch.optim.SGD(model.parameters(), RATE, fused=True)
    loss_of = torch.nn.functional.cross_entropy

    def forward(rows, labels):
        return loss_of(model(rows), labels)

    if form == "compiled":
        forward = torch.compile(forward)
    x, y, steps, own = torch.from_numpy(x), torch.from_numpy(y), len(x) // batch, batch // ranks
    if x.dim() == 4:
        x = x.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)

    def epoch():
        generator = torch.Generator().manual_seed(epoch.number)
        epoch.number += 1
        order = torch.randperm(len(x), generator=generator)
        for i in range(steps):
            first = i * batch + rank * own
            rows = order[first:first + own]
            optimizer.zero_grad(set_to_none=True)
            loss = forward(x[rows], y[rows])
            loss.backward()
            optimizer.step()
        return loss.item()

    epoch.number = 0
    if form != "ddp":
        return serve("PyTorch " + torch.__version__, epoch, steps)
    go = torch.ones(1)
    if rank == 0:
        def all_ranks():
            torch.distributed.broadcast(go, 0)
            epoch()
        serve(f"PyTorch {torch.__version__}, gloo", all_ranks, steps)
        go.zero_()
        torch.distributed.broadcast(go, 0)
    else:
        while torch.distributed.broadcast(go, 0) is None and go.item():
            epoch()
    torch.distributed.destroy_process_group()


def ddp(arguments, x, y, batch, cores, model):
    """Rank 0 talks to compare.py; the other ranks are processes of this one's, each on a core of its own. They meet in a file."""
    join, rank = os.environ.get("LOCKSTEP_DDP_JOIN"), int(os.environ.get("LOCKSTEP_DDP_RANK", "0"))
    if batch % cores:
        raise SystemExit(f"a batch of {batch} does not divide among {cores} processes")
    others = []
    if rank == 0:
        join = f"file://{os.environ['LOCKSTEP_PEER_DIR']}/ddp-{os.getpid()}"
        for other in range(1, cores):
            environment = dict(os.environ, LOCKSTEP_DDP_JOIN=join, LOCKSTEP_DDP_RANK=str(other))
            others.append(subprocess.Popen([sys.executable, __file__, *arguments], stdin=subprocess.DEVNULL, env=environment))
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[rank]})
    try:
        torch_train("ddp", x, y, batch, cores, model, rank, join)
    finally:
        for process in others:
            if sys.exc_info()[0]:
                process.kill()
            process.wait()


def main(arguments):
    peer, data, rows, batch, cores, model = arguments
    rows, batch, cores = int(rows), int(batch), int(cores)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1" if peer == "torch-ddp" else str(cores)
    x, y = read_rows(data, rows, model)
    if peer.startswith("keras-"):
        keras_fit(peer.removeprefix("keras-"), x, y, batch, cores, model)
    elif peer.startswith("jax-"):
        jax_train(peer == "jax-scan", x, y, batch, models.widths(model))
    elif peer == "torch-ddp":
        ddp(arguments, x, y, batch, cores, model)
    else:
        torch_train(peer.removeprefix("torch-"), x, y, batch, cores, model)


if __name__ == "__main__":
    main(sys.argv[1:])

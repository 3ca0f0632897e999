#!/usr/bin/env bash
# A run directory that is not what it was: checkpoints that cannot be listed or are gone, files of another kind.
. "$LOCKSTEP_SOURCE/tests/support/command.sh"
fail() { echo "FAILED: $*" >&2; [ ! -e out.txt ] || cat out.txt >&2; exit 1; }
train() { on 1 train small.yaml --threads 1 "$@" > out.txt 2>&1; }
files() { (cd "$1" && find . -type f ! -name .lock ! -name log.txt -exec sha256sum {} + | sort); }

garments 320 32 32
gcc -O1 -shared -fPIC -o faulty_calls.so "$LOCKSTEP_SOURCE/tests/e2e/faulty_calls.c" -ldl
train --epochs 2 --run-dir a || fail "a run"
files a > a.before
unchanged() { files a | cmp - a.before || fail "the run has changed"; }

# --- checkpoints that cannot be seen are no reason to start anew ---
listing() { LD_PRELOAD=$PWD/faulty_calls.so FAULT=stale_listing timeout 100 "$lockstep" "$@"; }
refuse 1 'a/checkpoints: cannot list it: Stale file handle' listing train small.yaml --run-dir a --continue --epochs 3
refuse 1 'a/checkpoints: cannot list it: Stale file handle' listing train --resume a --epochs 3
refuse 1 'a/checkpoints: cannot list it: Stale file handle' listing evaluate a
unchanged
mv a/checkpoints away
refuse 1 'a holds no checkpoint to go on from, although it has trained' on 1 train small.yaml --run-dir a --continue --epochs 3
mkdir a/checkpoints  # a mount point
mv a/model.keras a/result.json .
refuse 1 'although it has trained (log.txt tells of one); is a/checkpoints on a file system that is not mounted?' on 1 train --resume a --epochs 3
rmdir a/checkpoints
mv away a/checkpoints
mv model.keras result.json a
unchanged
train --run-dir a --continue --epochs 3 || fail "with its checkpoints again"
grep -q 'resuming from a/checkpoints/step-00000020 ' out.txt || fail "a resume after all this"

# --- no file ---
mkfifo fifo
cp -r a b
rm b/config.yaml b/coordinator.json
mkfifo b/config.yaml b/coordinator.json
refuse 2 'fifo: is a FIFO; expected a regular file' timeout 20 "$lockstep" train fifo
refuse 2 'fifo: is a FIFO; expected a regular file' timeout 20 "$lockstep" train small.yaml --data fifo --run-dir none
refuse 2 'fifo: is a FIFO; expected a regular file' timeout 20 "$lockstep" evaluate fifo
refuse 2 'b/config.yaml: is a FIFO' timeout 20 "$lockstep" train --resume b --epochs 4
refuse 2 '/dev/zero: is a device' timeout 20 "$lockstep" data import csv /dev/zero --target y out.h5
refuse 2 'fifo: is a FIFO' timeout 20 "$lockstep" launch -- mpirun --hostfile fifo "$lockstep" train small.yaml
refuse 2 'b/coordinator.json: is a FIFO' timeout 20 "$lockstep" status b
echo "run directory: all passed"

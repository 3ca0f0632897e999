#!/usr/bin/env bash
# Files of Keras and Lockstep in each other's hands: predictions, optimizer state and the epoch after loading. KERAS_VERSION=3.3.3 takes another
# release of Keras, LOCKSTEP_INTEROP_PYTHON=PYTHON an environment that has keras, jax and h5py already.
set -euo pipefail
. "$LOCKSTEP_SOURCE/tests/support/python_environment.sh"
python=${LOCKSTEP_INTEROP_PYTHON:-}
[ -n "$python" ] || python_environment keras "keras${KERAS_VERSION:+==$KERAS_VERSION}" jax h5py numpy
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
script=$LOCKSTEP_SOURCE/tests/interop/keras_interop.py
KERAS_BACKEND=jax "$python" "$script" make "$directory"
LOCKSTEP_INTEROP_DIR=$directory "$LOCKSTEP_BIN/unit.io.keras.keras_interop"
[ -s "$directory/lockstep.h5" ] || { echo 'FAILED: Lockstep wrote nothing' >&2; exit 1; }
KERAS_BACKEND=jax "$python" "$script" check "$directory"
echo "Keras and Lockstep read each other's files"

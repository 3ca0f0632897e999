#!/usr/bin/env bash
# Files of Keras and Lockstep in each other's hands: predictions, optimizer state and the epoch after loading. Needs the network (pip) the first
# time, so it runs only on request: LOCKSTEP_INTEROP=1, with KERAS_VERSION=3.3.3 for another release and LOCKSTEP_INTEROP_PYTHON=PYTHON to use
# an environment that has keras, jax and h5py already.
set -euo pipefail
if [[ "${LOCKSTEP_INTEROP:-0}" != 1 ]]; then
  echo "SKIPPED: set LOCKSTEP_INTEROP=1 to install Keras into a scratch environment and exchange files with it"
  exit 77
fi
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
python=${LOCKSTEP_INTEROP_PYTHON:-}
if [[ -z "$python" ]]; then
  python3 -m venv "$directory/venv"
  "$directory/venv/bin/pip" install --quiet "keras${KERAS_VERSION:+==$KERAS_VERSION}" jax h5py numpy
  python=$directory/venv/bin/python
fi
script=$LOCKSTEP_SOURCE/tests/interop/keras_interop.py
KERAS_BACKEND=jax "$python" "$script" make "$directory"
LOCKSTEP_INTEROP_DIR=$directory "$LOCKSTEP_BIN/keras_interop_test"
KERAS_BACKEND=jax "$python" "$script" check "$directory"
echo "Keras and Lockstep read each other's files"

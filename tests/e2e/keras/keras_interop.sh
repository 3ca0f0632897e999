#!/usr/bin/env bash
# Files of Keras and Lockstep in each other's hands: predictions, optimizer state and the epoch after loading; then every optimizer, loss,
# metric and layer beside Keras' own. KERAS_VERSION=3.3.3 takes another release of Keras, LOCKSTEP_INTEROP_PYTHON=PYTHON an environment that has keras, jax and
# h5py already. Arguments are names of models in tests/interop/keras_layers.py: only these are compared.
set -euo pipefail
. "$LOCKSTEP_SOURCE/tests/support/python_environment.sh"
python=${LOCKSTEP_INTEROP_PYTHON:-}
[ -n "$python" ] || python_environment keras "keras${KERAS_VERSION:+==$KERAS_VERSION}" jax h5py numpy
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
use_jax
scripts=$LOCKSTEP_SOURCE/tests/interop
mkdir "$directory/layers" "$directory/optimizers" "$directory/scores"
if [ $# -eq 0 ]; then
  "$python" "$scripts/keras_interop.py" make "$directory"
  LOCKSTEP_INTEROP_DIR=$directory "$LOCKSTEP_BIN/unit.io.keras.keras_interop"
  [ -s "$directory/lockstep.h5" ] || { echo 'FAILED: Lockstep wrote nothing' >&2; exit 1; }
  "$python" "$scripts/keras_interop.py" check "$directory"
  "$python" "$scripts/keras_optimizers.py" make "$directory/optimizers"
  LOCKSTEP_OPTIMIZERS_DIR=$directory/optimizers "$LOCKSTEP_BIN/unit.io.keras.keras_interop"
  "$python" "$scripts/keras_optimizers.py" check "$directory/optimizers"
  "$python" "$scripts/keras_scores.py" make "$directory/scores"
  LOCKSTEP_SCORES_DIR=$directory/scores "$LOCKSTEP_BIN/unit.io.keras.keras_interop"
  "$python" "$scripts/keras_scores.py" check "$directory/scores"
fi
"$python" "$scripts/keras_layers.py" make "$directory/layers" "$@"
LOCKSTEP_LAYERS_DIR=$directory/layers "$LOCKSTEP_BIN/unit.io.keras.keras_interop"
"$python" "$scripts/keras_layers.py" check "$directory/layers" "$@"
echo "Keras and Lockstep read each other's files"

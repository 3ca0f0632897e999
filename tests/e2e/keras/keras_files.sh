#!/usr/bin/env bash
# Model files that real Keras made, of many forms: each is read, predicts what Keras does, and is converted into every other format, which Keras
# and ONNX Runtime read.
set -euo pipefail
. "$LOCKSTEP_SOURCE/tests/support/python_environment.sh"
python_environment onnx onnxruntime onnx numpy
onnx_python=$python
keras_python=${LOCKSTEP_INTEROP_PYTHON:-}
[ -n "$keras_python" ] || { python_environment keras "keras${KERAS_VERSION:+==$KERAS_VERSION}" jax h5py numpy; keras_python=$python; }
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
use_jax
lockstep=$LOCKSTEP_BIN/lockstep
"$keras_python" "$LOCKSTEP_SOURCE/tests/interop/keras_files.py" make "$directory" 2> "$directory/log" || { cat "$directory/log"; exit 1; }
cd "$directory"
for npz in *.npz; do
  name=${npz%.npz}
  for ending in keras h5; do
    "$lockstep" summary "$name.$ending" > /dev/null 2> warning
    "$lockstep" predict "$name.$ending" --data data.h5 --group "$name" --proba --out "$name.$ending.predicted.h5" > /dev/null 2>> warning
    case $name in
      custom_loss) grep -q "warning: .*$name.$ending.*my_loss" warning ;;
      mixed_float16) grep -q "warning: .*float16" warning ;;
      *) [ ! -s warning ] ;;
    esac || { echo "FAILED: $name.$ending: other warnings than expected:"; cat warning; exit 1; }
    for to in keras h5; do "$lockstep" convert "$name.$ending" "$name.$ending.converted.$to" > /dev/null 2>&1; done
  done
  "$lockstep" summary "$name.weights.h5" > /dev/null
  "$lockstep" convert "$name.keras" "$name.onnx" > /dev/null 2>&1
done

# A model within a model has a layout of its own in a file of weights.
for name in nested nested_functional; do
  "$lockstep" convert $name.weights.h5 $name.weights-alone.keras --model $name.keras > /dev/null 2> log || { cat log; exit 1; }
  "$lockstep" predict $name.weights-alone.keras --data data.h5 --group $name --proba --out $name.run-weights-alone.predicted.h5 > /dev/null 2>&1
done

# A run takes the architecture and the weights of a file, or weights alone: at a learning rate of 0 it predicts what the file did.
"$keras_python" - << 'END'
import h5py
with h5py.File("data.h5", "a") as data: data["classifier/y"] = [0, 1, 2] * 8; data["mixed_float16/y"] = [0.5] * 24
END
common='data: {train: {file: data.h5, group: classifier}}
training: {loss: sparse_categorical_crossentropy, optimizer: {SGD: {learning_rate: 0}}}'
layers='model: [Flatten, {Dense: {units: 12, activation: relu}}, {Dense: {units: 3, activation: softmax}}]'
for file in classifier.keras classifier.h5 classifier.weights.h5; do
  if [ $file = classifier.weights.h5 ]; then from=$layers; else from="model: {keras: $file}"; fi
  printf '%s\n%s\n' "$common" "$from" > run.yaml
  [ $file != classifier.weights.h5 ] || echo "initial_weights: $file" >> run.yaml
  mpirun --oversubscribe -np 2 "$lockstep" train run.yaml --run-dir "runs/$file" > log 2>&1 || { cat log; exit 1; }
  "$lockstep" predict "runs/$file/model.keras" --data data.h5 --group classifier --proba --out "classifier.run-$file.predicted.h5" > /dev/null
done
rm -rf moved && mkdir moved && mv classifier.keras moved/  # a resume needs the run's directory only
mpirun --oversubscribe -np 2 "$lockstep" train --resume runs/classifier.keras --epochs 2 > log 2>&1 || { cat log; exit 1; }
"$lockstep" summary runs/classifier.keras > log 2>&1 && grep -q '(Dense)' log || { cat log; exit 1; }
mv moved/classifier.keras .
printf '%s\n' 'data: {train: {file: data.h5, group: mixed_float16}}' 'training: {loss: mse}' 'model: {keras: mixed_float16.keras}' > run.yaml
"$lockstep" train run.yaml --run-dir runs/mixed_float16 > log 2>&1 || { cat log; exit 1; }
[ "$(grep -c 'warning: .*float16' log)" = 1 ] || { echo "FAILED: a training does not say that it computes in float32"; cat log; exit 1; }
"$keras_python" "$LOCKSTEP_SOURCE/tests/interop/keras_files.py" check .

# Every layer as ONNX.
mkdir layers
"$keras_python" "$LOCKSTEP_SOURCE/tests/interop/keras_layers.py" save layers 2> log || { cat log; exit 1; }
for npz in layers/*.npz; do
  "$lockstep" convert "${npz%.npz}.keras" "${npz%.npz}.onnx" > log 2>&1 || { cat log; exit 1; }
done
"$onnx_python" "$LOCKSTEP_SOURCE/tests/interop/onnx_files.py" . layers

# A file that is not compiled, or for what Lockstep does not have, is scored by another loss.
"$keras_python" - << 'END'
import h5py
with h5py.File("data.h5", "a") as data: data["uncompiled/y"] = [[0.5, 0.25]] * 24; data["custom_loss/y"] = data["scheduled/y"] = [0.5] * 24
END
for name in uncompiled custom_loss; do
  if "$lockstep" evaluate $name.keras --data data.h5 --group $name > answer 2>&1; then echo "FAILED: $name.keras has no loss"; exit 1; fi
  grep -q -- '--loss' answer || { cat answer; exit 1; }
  "$lockstep" evaluate $name.h5 --data data.h5 --group $name --loss mae --metrics 'mse, RootMeanSquaredError' > answer
  grep -q 'RootMeanSquaredError' answer || { cat answer; exit 1; }
done
"$lockstep" evaluate scheduled.keras --data data.h5 --group scheduled > answer
grep -q cosine_similarity answer || { cat answer; exit 1; }
"$lockstep" evaluate uncompiled.keras --data data.h5 --group uncompiled --loss mse --metrics '{mae: {name: rows}}' --json > answer
grep -q '"evaluated_rows": 24' answer && [ "$(grep -c '"rows":' answer)" = 1 ] || { echo "FAILED: a metric is named rows"; cat answer; exit 1; }
echo "model files of Keras are read, converted and written"

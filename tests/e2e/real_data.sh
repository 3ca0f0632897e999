#!/usr/bin/env bash
# The seed's two models on the real Fashion-MNIST and California housing, short forms; LOCKSTEP_DATA names the folder that holds both.
set -euo pipefail
[ -n "${LOCKSTEP_DATA:-}" ] || { echo 'SKIPPED: LOCKSTEP_DATA is not set; nothing was tested on the real data'; exit 77; }
data=$(cd "$LOCKSTEP_SOURCE" && readlink -f "$LOCKSTEP_DATA")
. "$LOCKSTEP_SOURCE/tests/support/command.sh"
# train RANKS DIRECTORY ARGUMENTS...
train() { timeout 200 mpirun --oversubscribe -np "$1" "$lockstep" train "${@:3}" --run-dir "runs/$2" > "$2.txt" 2>&1 || { cat "$2.txt"; fail "train $*"; }; }

# --- Fashion-MNIST: Keras 3.15.1 has a loss of 0.71-0.74 after the first epoch; the same curve at every number of ranks ---
"$lockstep" data fetch fashion_mnist data/fashion_mnist.h5 --from "$data/fashion-mnist" > fetch.txt
for ranks in 1 2 3; do
  train $ranks fashion$ranks "$LOCKSTEP_SOURCE/configs/fashion_mnist.yaml" --epochs 2
  tail -2 runs/fashion$ranks/history.csv
  holds '.[0].final | .train.loss > 0.45 and .train.loss < 0.52 and .test.accuracy > 0.80 and .test.accuracy < 0.86' runs/fashion$ranks/result.json
  paste -d, runs/fashion1/history.csv runs/fashion$ranks/history.csv | tr -d '\r' | awk -F, '
    function near(a, b) { return (a - b) ^ 2 <= (1e-4 * a) ^ 2 }
    NR == 2 && !($3 > 0.70 && $3 < 0.75) { print; bad = 1 }
    NR > 1 && !(near($3, $8) && near($5, $10)) { print; bad = 1 } END { exit bad || NR != 3 }' || fail "the curve at $ranks ranks"
done

# --- products in bfloat16: the same accuracy within half a point ---
if grep -qw avx512_bf16 /proc/cpuinfo; then
  train 2 bfloat16 "$LOCKSTEP_SOURCE/configs/fashion_mnist.yaml" --epochs 2 --set training.mixed_precision=bfloat16
  tail -2 runs/bfloat16/history.csv
  holds '(.[0].final.test.accuracy - .[1].final.test.accuracy | fabs) <= 0.005' runs/bfloat16/result.json runs/fashion1/result.json
else
  echo 'bfloat16 was not tested: this CPU has no AVX512_BF16'
fi

# --- the first three test images, by name ---
"$lockstep" predict runs/fashion2 --rows 0:3 --proba > predict.txt
cat predict.txt
[ "$(awk '{ print $1, $2, $3, $4 }' predict.txt | sed 's/ *0\..*//')" = $'row 0 Ankle boot\nrow 1 Pullover\nrow 2 Trouser' ] || fail 'predictions of the first three images'
[ "$(grep -c 'Ankle boot: 0\.' predict.txt)" = 3 ] || fail 'no probabilities'

# --- California housing: the errors that Keras reaches, on two ranks ---
"$lockstep" data fetch california_housing data/california_housing.h5 --from "$data/california-housing" > fetch.txt
train 2 housing "$LOCKSTEP_SOURCE/configs/california_housing.yaml"
jq -c .final runs/housing/result.json
holds '.[0].final | .train.RootMeanSquaredError > 0.505 and .train.RootMeanSquaredError < 0.535
  and .test.RootMeanSquaredError > 0.51 and .test.RootMeanSquaredError < 0.56' runs/housing/result.json
echo 'real data: both models learn what they should'

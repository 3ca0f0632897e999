#!/usr/bin/env bash
# training.mixed_precision as a user meets it: bfloat16 at several numbers of ranks, with a resume, and what is said about it.
set -euo pipefail
. "$LOCKSTEP_SOURCE/tests/support/command.sh"
# train RANKS DIRECTORY ARGUMENTS...
train() { timeout 100 mpirun --oversubscribe -np "$1" "$lockstep" train "${@:3}" --run-dir "runs/$2" > "$2.txt" 2>&1; }
has_bfloat16() { grep -qw avx512_bf16 /proc/cpuinfo; }

garments 1100 103 211

rc=0
train 1 wrong small.yaml --set training.mixed_precision=float16 || rc=$?
[ "$rc" = 2 ] && grep -q "there are: float32, bfloat16, auto" wrong.txt || { cat wrong.txt; fail "float16 is not refused"; }
train 2 exact small.yaml --epochs 3 || { cat exact.txt; fail "float32"; }
grep -q 'batch 32, float32,' exact.txt || fail "the table at the start does not say float32"

if ! has_bfloat16; then
  rc=0
  train 2 mixed small.yaml --epochs 3 --set training.mixed_precision=bfloat16 || rc=$?
  [ "$rc" = 2 ] && grep -q 'no AVX512_BF16' mixed.txt && [ ! -e runs/mixed ] || { cat mixed.txt; fail "a CPU without bfloat16 is not told"; }
  train 2 auto small.yaml --epochs 3 --set training.mixed_precision=auto || { cat auto.txt; fail "auto"; }
  holds '.[0].dtype_policy == "float32" and .[0].weights_digest == .[1].weights_digest' runs/auto/result.json runs/exact/result.json
  exit 0
fi

for ranks in 1 2 3; do
  train $ranks n$ranks small.yaml --epochs 3 --set training.mixed_precision=bfloat16 || { cat n$ranks.txt; fail "bfloat16 at $ranks ranks"; }
  grep -q 'batch 32, mixed_bfloat16,' n$ranks.txt || fail "the table at the start does not say mixed_bfloat16"
  holds '.[0].dtype_policy == "mixed_bfloat16" and .[0].weights_digest == .[1].weights_digest and .[0].final == .[1].final' runs/n$ranks/result.json runs/n1/result.json
done
holds '(.[0].best.test.accuracy.value - .[1].best.test.accuracy.value | fabs) < 0.05 and .[0].weights_digest != .[1].weights_digest' runs/n1/result.json runs/exact/result.json

# --- the policy comes from the checkpoint for evaluate, and from config.yaml for a resume, on another number of ranks ---
train 2 parts small.yaml --epochs 1 --set training.mixed_precision=bfloat16 || { cat parts.txt; fail "the first part"; }
timeout 100 mpirun --oversubscribe -np 3 "$lockstep" train --resume runs/parts --epochs 3 > resumed.txt 2>&1 || { cat resumed.txt; fail "resume"; }
holds '.[0].weights_digest == .[1].weights_digest' runs/parts/result.json runs/n1/result.json
"$lockstep" evaluate runs/n1 --json > scores.json
holds '.[0].loss == .[1].final.test.loss' scores.json runs/n1/result.json

# --- auto, and gradients instead of factors ---
train 2 auto small.yaml --epochs 3 --set training.mixed_precision=auto || { cat auto.txt; fail "auto"; }
grep -q 'mixed_bfloat16 (auto)' auto.txt || fail "what auto took is not told"
holds '.[0].weights_digest == .[1].weights_digest' runs/auto/result.json runs/n1/result.json
train 2 gradients small.yaml --epochs 3 --set training.mixed_precision=bfloat16 --exchange gradients || { cat gradients.txt; fail "gradients"; }
holds '(.[0].final.train.loss - .[1].final.train.loss | fabs) < 0.01 * .[1].final.train.loss' runs/gradients/result.json runs/n1/result.json
echo 'mixed precision: one set of weights at every number of ranks'

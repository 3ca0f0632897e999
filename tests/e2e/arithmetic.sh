#!/usr/bin/env bash
# training.arithmetic as a user meets it: oneDNN's primitives do the work of a step, by their own account (DNNL_VERBOSE); portable arithmetic
# gives one digest on all instruction sets; a model of one is evaluated and trained on in the other.
set -euo pipefail
. "$LOCKSTEP_SOURCE/tests/support/command.sh"
# train DIRECTORY ARGUMENTS...: on one rank
train() { timeout 200 "$lockstep" train "${@:2}" --run-dir "runs/$1" > "$1.txt" 2>&1 || { tail -n 20 "$1.txt"; fail "$1"; }; }

# operations FILE: floating-point operations of the products and convolutions that oneDNN has executed, from its own lines
operations() {
  awk -F, '
    function number(text, name) { return match(text, name "[0-9]+") ? substr(text, RSTART + length(name), RLENGTH - length(name)) : 1 }
    !/_verbose,(v1,)?(primitive,)?exec,/ { next }
    {
      for (kind = 1; kind <= NF && $kind !~ /^(inner_product|matmul|convolution)$/; ++kind) {}
      if (kind > NF) next
      problem = $(NF - 1)
    }
    $kind == "inner_product" { all += 2 * number(problem, "mb") * number(problem, "ic") * number(problem, "oc") }
    $kind == "matmul" { split(problem, sides, /[x:]/); all += 2 * sides[1] * sides[2] * sides[4] }
    $kind == "convolution" {
      size = number(problem, "oh") * number(problem, "ow") * number(problem, "kh") * number(problem, "kw")
      all += 2 * number(problem, "mb") * number(problem, "ic") * number(problem, "oc") * size
    }
    END { printf "%.0f\n", all }' "$1"
}
# share CONFIG ARGUMENTS...: how much of the second epoch, by the plan, oneDNN has computed. The first one takes what is tried out along.
share() {
  local epochs
  for epochs in 1 2; do
    rm -rf runs/verbose
    DNNL_VERBOSE=1 train verbose "$@" --epochs $epochs
    operations verbose.txt > operations.$epochs
  done
  awk -v planned="$(jq '.planned.operations_per_step * .steps / 2' runs/verbose/result.json)" 'NR == FNR { first = $1; next }
    { print ($1 - first) / planned }' operations.1 operations.2
}
# computes SHARE CONFIG ARGUMENTS...
computes() {
  local found
  found=$(share "${@:2}")
  echo "${*:2}: oneDNN computes $found of the operations of a step"
  awk -v found="$found" -v least="$1" 'BEGIN { exit !(found >= least && found < 1.1) }' || fail "not $1 to 1.1"
}

garments 1088 64 32
grep -vE '^  (validation|test):' small.yaml > train.yaml
computes 0.9 train.yaml
computes 0.9 train.yaml --set training.optimizer=adam
for model in lenet vgg_bn; do
  sed -E "/^  (validation|test):/d; s#^  train:.*#  train: {file: data/garments.h5, group: train, rows: [0, 1088]}#" "$LOCKSTEP_SOURCE/configs/$model.yaml" > $model.yaml
  computes 0.9 $model.yaml
done

# --- portable: no primitive, the same bits without AVX-512 ---
[ "$(share train.yaml --set training.arithmetic=portable)" = 0 ] || fail 'portable arithmetic runs products of oneDNN'
train portable small.yaml --epochs 1 --set training.arithmetic=portable
DNNL_MAX_CPU_ISA=AVX2 train avx2 small.yaml --epochs 1 --set training.arithmetic=portable
train onednn small.yaml --epochs 1
holds '.[0].weights_digest == .[1].weights_digest and .[0].arithmetic == "portable" and .[2].arithmetic == "onednn" and
  .[0].weights_digest != .[2].weights_digest' runs/portable/result.json runs/avx2/result.json runs/onednn/result.json
large=(small.yaml --epochs 1 --set training.arithmetic=portable --set model.3.Dense.units=600)
train large "${large[@]}"
DNNL_MAX_CPU_ISA=AVX2 train large-avx2 "${large[@]}"
holds '.[0].weights_digest == .[1].weights_digest' runs/large/result.json runs/large-avx2/result.json
holds '(.[0].final.train.loss - .[1].final.train.loss | fabs) < 1e-4' runs/portable/result.json runs/onednn/result.json

# --- one after the other ---
"$lockstep" evaluate runs/portable --json > scores.json
holds '(.[0].loss - .[1].final.test.loss | fabs) < 1e-5' scores.json runs/portable/result.json
"$lockstep" train --resume runs/portable --run-dir runs/on --epochs 2 --set training.arithmetic=onednn > on.txt 2>&1 || { cat on.txt; fail 'a resume'; }
holds '.[0].arithmetic == "onednn" and .[0].steps == 2 * .[1].steps' runs/on/result.json runs/portable/result.json

# --- what is refused ---
refuse 2 "'training.arithmetic' names an unknown arithmetic 'fast'; there are: onednn, portable" "$lockstep" train small.yaml --set training.arithmetic=fast
sed -E 's/^  - Flatten.*/  - Reshape: {target_shape: [28, 28, 1]}\n  - Conv2D: {filters: 2, kernel_size: 3}\n  - Flatten: {}/' small.yaml > convolution.yaml
refuse 2 "layer 'conv2d': only oneDNN computes it, not the kernels of 'arithmetic: portable'; take 'arithmetic: onednn'" \
  "$lockstep" train convolution.yaml --set training.arithmetic=portable --run-dir runs/refused

#!/usr/bin/env bash
# launch/quickstart where there is one core, and where the kernel denies cross-memory attach: two ranks train all the same, and nothing is printed
# that a user could take for an error.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "FAILED: $*" >&2; exit 1; }

mkdir -p "$work/build" "$work/data"
cd "$work"
cp -r "$LOCKSTEP_SOURCE/launch" "$LOCKSTEP_SOURCE/configs" .
ln -s "$(dirname "$LOCKSTEP_BIN")" build/release
"$LOCKSTEP_BIN/lockstep" data make garments data/garments.h5 --train 1203 --test 211 > made.txt
unset OMPI_MCA_mpi_yield_when_idle OMPI_MCA_hwloc_base_binding_policy  # quickstart has to know them by itself

# quickstart NAME COMMAND...: the script under COMMAND, on a small data set
quickstart() {
  local name=$1; shift
  timeout 100 "$@" launch/quickstart --epochs 2 --run-dir "runs/$name" --set 'data.train.rows=[0, 1100]' --set 'data.validation.rows=[1100, 1203]' \
    < /dev/null > "$name.txt" 2>&1 || { cat "$name.txt"; fail "quickstart: $name"; }
  grep -q 'Epoch 2/2' "$name.txt" && jq -e '.ranks == 2' "runs/$name/result.json" > /dev/null || { cat "$name.txt"; fail "no two ranks: $name"; }
  ! grep -iE 'errno|Read -1|warning|error' "$name.txt" || fail "alarming output: $name"
}
core=$(taskset -cp $$ | sed -E 's/.*: ([0-9]+).*/\1/')
quickstart one_core taskset -c "$core"
jq -e 'all(.rank_table[]; .cores == 1 and .threads == 1)' runs/one_core/result.json > /dev/null || fail 'more threads than the one core'
quickstart no_cma "$LOCKSTEP_BIN/deny_cma"

# The denial is real: Open MPI told to use it complains.
OMPI_MCA_btl_vader_single_copy_mechanism=cma timeout 100 "$LOCKSTEP_BIN/deny_cma" launch/quickstart --epochs 1 --run-dir runs/forced --allreduce ring \
  --set 'data.train.rows=[0, 1100]' --set 'data.validation.rows=[1100, 1203]' < /dev/null > forced.txt 2>&1 || { cat forced.txt; fail 'quickstart with CMA forced'; }
grep -q 'Read -1' forced.txt || fail 'cross-memory attach was not denied'
echo 'poor machine: quickstart trains on one core, and without cross-memory attach'

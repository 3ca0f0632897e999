#!/usr/bin/env bash
# launch/quickstart where there is one core, and where the kernel denies cross-memory attach: two ranks train all the same, and nothing is printed
# that a user could take for an error.
set -euo pipefail
. "$LOCKSTEP_SOURCE/tests/support/command.sh"

mkdir build data
cp -r "$LOCKSTEP_SOURCE/launch" "$LOCKSTEP_SOURCE/configs" .
ln -s "$(dirname "$LOCKSTEP_BIN")" build/release
"$LOCKSTEP_BIN/lockstep" data make garments data/garments.h5 --train 1203 --test 211 > made.txt
unset {OMPI,PRTE}_MCA_hwloc_{base,default}_binding_policy OMPI_MCA_mpi_yield_when_idle  # quickstart has to know them by itself

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

# --- advice rests on what the kernel says ---
train() { rm -rf runs/advice; timeout 100 "$LOCKSTEP_BIN/lockstep" train configs/quickstart.yaml --epochs 1 --run-dir runs/advice \
  --verbose 0 "$@" > advice.txt 2>&1; }
says() { grep -qE "$1" advice.txt || { cat advice.txt; fail "not said: $1"; }; }
sed -i -e 's/rows: \[0, 55000\]/rows: [0, 1100]/; s/rows: \[55000, 60000\]/rows: [1100, 1203]/' configs/quickstart.yaml
export OMP_NUM_THREADS=8
train || fail 'eight threads'
unset OMP_NUM_THREADS
if [ "$(nproc)" -lt 8 ]; then
  says '^warning: rank 0 on .* has 8 threads \(OMP_NUM_THREADS=8.*may use [0-9]+ cores?: threads take turns'
  says 'what would help most: cluster.threads: 1 rank runs 8 threads on the [0-9]+ cores'
fi
group=/sys/fs/cgroup/cpu/lockstep-$$
if mkdir -p "$group/inner" 2> /dev/null && [ -w "$group/cpu.cfs_quota_us" ]; then
  trap 'rmdir "$group/inner" "$group"; rm -rf "$work"' EXIT
  echo 10000 > "$group/cpu.cfs_quota_us"  # of 100000: a parent's quota of a tenth of a core
  (echo $BASHPID > "$group/inner/cgroup.procs"; train) || { cat advice.txt; fail 'a quota'; }
  says "what would help most: CPU quota: cgroup $group allows 0.1 CPUs and stopped the processes in it in [1-9][0-9]* of [0-9]+ periods \(cpu.stat\)"
  jq -e '.rank_table[0].threads == 1' runs/advice/result.json > /dev/null || fail 'more threads than the quota'
else
  echo 'NOT COMPLETE: no cgroup with a CPU quota can be made here (version 1); tests/unit/cluster/host/cgroup_test.cpp reads files of both versions'
fi

# The denial is real: Open MPI 4 told to use it complains. Open MPI 5 does without, and says nothing.
OMPI_MCA_btl_vader_single_copy_mechanism=cma timeout 100 "$LOCKSTEP_BIN/deny_cma" launch/quickstart --epochs 1 --run-dir runs/forced --allreduce ring \
  --set 'data.train.rows=[0, 1100]' --set 'data.validation.rows=[1100, 1203]' < /dev/null > forced.txt 2>&1 || { cat forced.txt; fail 'quickstart with CMA forced'; }
[ $open_mpi = 5 ] || grep -q 'Read -1' forced.txt || fail 'cross-memory attach was not denied'
echo 'poor machine: quickstart trains on one core, and without cross-memory attach'

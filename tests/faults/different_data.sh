#!/usr/bin/env bash
# Hosts that see different files under the same name: refused before the first step, and both sides named.
set -euo pipefail
. "$LOCKSTEP_SOURCE/tests/support/fault_hosts.sh"
fault_hosts 2
name=different
mkdir other
"$lockstep" data make garments other/garments.h5 --train 1203 --test 211 --seed 5 > made.txt
nsenter -t "$(cat "$work/hosts/h2.pid")" -m mount --bind "$work/other" "$work/data"
code=0
mpirun_hosts --host h1,h2 -np 2 -x OMP_NUM_THREADS=1 "$lockstep" train small.yaml --epochs 2 --run-dir runs/different > different.txt 2>&1 || code=$?
[ $code = 1 ] || fail "exit code $code instead of 1"
says_once '^\[rank 1 on h2\] the training data differs: rank 1 on h2 has 1100 rows of .*garments.h5 \(.*, but rank 0 on h1 has 1100 rows of .*garments.h5 \('
[ ! -e runs/different ] || fail 'a run directory was made'
echo 'different data: refused'

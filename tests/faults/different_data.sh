#!/usr/bin/env bash
# Hosts with data files of their own, equal in name, size and description, but not in a label: refused before the first step where the rows
# fit in memory, and before the first checkpoint where they stream. Copies of the same rows, however they are stored, are the same data. A
# file that is written to while it streams ends the run.
set -euo pipefail
. "$LOCKSTEP_SOURCE/tests/support/fault_hosts.sh"
fault_hosts 2
name=different
mkdir other
h2() { nsenter -t "$(cat "$work/hosts/h2.pid")" -m "$@"; }
both() { mpirun_hosts --host h1,h2 -np 2 -x OMP_NUM_THREADS=1 "$lockstep" "$@" > "$name.txt" 2>&1; }

# another_label FILE GROUP ROW: the next class, written into the file where it lies, and nothing else.
another_label() {
  local at
  at=$(($(h5dump -p -H -d "/$2/y" "$1" | awk '/OFFSET/ { print $2 }') + $3))
  printf "\\x$(printf %x $((($(od -An -tu1 -j "$at" -N 1 "$1") + 1) % 10)))" | dd of="$1" bs=1 seek="$at" conv=notrunc status=none
}

# refused DATA ROWS ARGUMENTS...: these data differ, in y alone, and nothing is left behind.
refused() {
  local code=0
  both train small.yaml --epochs 2 --run-dir runs/different "${@:3}" || code=$?
  [ $code = 1 ] || fail "exit code $code instead of 1"
  says_once "^\[rank 1 on h2\] the $1 data differs: data/garments.h5: .* on h2 holds $2 rows, x uint8 \(28, 28\) [0-9a-f]{16}, y uint8 [0-9a-f]{16}, but on h1 $2 rows, x uint8"
  [ "$(grep -oE 'x uint8 \(28, 28\) [0-9a-f]+' "$name.txt" | sort -u | wc -l)" = 1 ] || fail 'x is said to differ'
  [ "$(grep -oE 'y uint8 [0-9a-f]+' "$name.txt" | sort -u | wc -l)" = 2 ] || fail 'y is not said to differ'
}

# --- the same rows, stored otherwise ---
h5repack -l /train/x:CHUNK=100x28x28 -f /train/x:GZIP=1 data/garments.h5 other/garments.h5 > repacked.txt
h2 mount --bind "$work/other" "$work/data"
both train small.yaml --epochs 1 --run-dir runs/same || fail 'copies of the same rows are refused'

# --- one label in the middle of the file, far from its description ---
cp data/garments.h5 other/garments.h5
another_label other/garments.h5 train 550
refused training 1100
[ ! -e runs/different ] || fail 'a run directory was made'
refused training 1100 --set data.memory=100000  # read beside the first epoch
[ -z "$(ls runs/different/checkpoints 2> /dev/null)" ] || fail 'a checkpoint was written'
another_label other/garments.h5 test 50
name=evaluate
code=0
both evaluate runs/same || code=$?
[ $code = 1 ] || fail "exit code $code of evaluate"
says_once '^\[rank 1 on h2\] the data differs: data/garments.h5: /test on h2 holds 211 rows'

# --- a file that is written to while it streams: one message of all ranks ---
cp data/garments.h5 other/garments.h5
job written 2 --set data.memory=100000
happened
another_label other/garments.h5 train 550
all_gone 60
[ $code = 1 ] || fail "exit code $code instead of 1"
says_once '^\[rank 1 on h2\] data/garments.h5: the file has changed since it was opened: it had [0-9]+ bytes, written .*, and now has '
echo 'different data: refused'

#!/usr/bin/env bash
# A loss that overflows in the rows of one rank: all ranks end after the same step with one message that names it, and the checkpoint before stays as it is.
set -euo pipefail
. "$LOCKSTEP_SOURCE/tests/support/fault_hosts.sh"
fault_hosts 3
name=nan
seq 0 1199 | awk 'BEGIN { print "a,b,y" } { print (NR == 1000 ? "3e38" : $1 / 1200) "," ($1 % 7) "," $1 / 600 }' > rows.csv
"$lockstep" data import csv rows.csv --target y data/rows.h5 > made.txt
cat > nan.yaml <<'YAML'
data:
  train: {file: data/rows.h5, group: train}
model:
  - Dense: {units: 8, activation: relu, kernel_initializer: ones}  # the sum of eight such numbers is no float any more
  - Dense: {units: 1, kernel_initializer: ones}
training: {loss: mse, optimizer: {SGD: {learning_rate: 0.000001}}, epochs: 3, batch_size: 48, shuffle: false}
YAML
code=0
mpirun_hosts --host h1,h2,h3 -np 3 -x OMP_NUM_THREADS=1 "$lockstep" train nan.yaml --run-dir runs/nan > nan.txt 2>&1 || code=$?
[ $code = 1 ] || fail "exit code $code instead of 1"
says_once '^\[rank 2 on h3\] the loss is not finite after [0-9]+ steps: the rows of rank 2 gave nan or inf'
grep -q '"step": [0-9]' runs/nan/fault.json || fail 'no step in fault.json'
mpirun_hosts --host h1,h2,h3 -np 3 -x OMP_NUM_THREADS=1 "$lockstep" train nan.yaml --run-dir runs/on --set training.on_nan=continue > nan.txt 2>&1 || fail 'on_nan: continue did not go on'
echo 'nan: told by one message, or passed over when told to'

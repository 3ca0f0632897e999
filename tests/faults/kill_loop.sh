#!/usr/bin/env bash
# Kills at random instants while checkpoints are written every few steps: after each the same command goes on (--continue), now on one number of
# ranks, now on another, and every run ends with the weights and the history of one that nothing disturbed, to the last bit.
#   LOCKSTEP_KILLS  how many (5)          LOCKSTEP_KILL_SEED  of the instants and victims (from the clock; it is printed)
set -euo pipefail
lockstep=$LOCKSTEP_BIN/lockstep
kills=${LOCKSTEP_KILLS:-5}
seed=${LOCKSTEP_KILL_SEED:-$(date +%N)}
RANDOM=${seed#0}
work=$(mktemp -d)
launcher=
end() {
  [ -z "$launcher" ] || kill -9 "$launcher" 2> /dev/null || true
  for file in "$work"/pids/*; do [ ! -f "$file" ] || kill -9 "$(cat "$file")" 2> /dev/null || true; done
  rm -rf "$work"
}
trap end EXIT
cd "$work"
mkdir pids

fail() { echo "FAILED (LOCKSTEP_KILL_SEED=$seed): $*" >&2; [ ! -f job.txt ] || cat job.txt >&2; exit 1; }

"$lockstep" data make garments garments.h5 --train 2500 --test 100 > /dev/null
cat > tiny.yaml << 'YAML'
name: tiny
seed: 3
data:
  train: {file: garments.h5, group: train, rows: [0, 2400]}
  validation: {file: garments.h5, group: train, rows: [2400, 2500]}
model:
  - Input: {shape: [28, 28]}
  - Rescaling: {scale: 1/255}
  - Flatten
  - Dense: {units: 16, activation: relu}
  - Dropout: {rate: 0.2}
  - Dense: {units: 10, activation: softmax}
training: {loss: sparse_categorical_crossentropy, optimizer: Adam, metrics: [accuracy], epochs: 40, batch_size: 24}
checkpoint: {every_steps: 3, keep: 2}
coordinator: {enabled: false}
YAML

# train RANKS DIR: in the background; every rank leaves its process id in pids/ before it becomes lockstep.
train() {
  rm -f pids/*
  mpirun --oversubscribe -np "$1" bash -c 'echo $$ > "pids/$OMPI_COMM_WORLD_RANK.tmp"; mv pids/$OMPI_COMM_WORLD_RANK.tmp pids/$OMPI_COMM_WORLD_RANK
    exec "$@"' - "$lockstep" train tiny.yaml --run-dir "$2" --continue > job.txt 2>&1 &
  launcher=$!
}
pid_of() { cat "pids/$1"; }
alive() { kill -0 "$1" 2> /dev/null; }
# until DESCRIPTION COMMAND ...: polls, a minute at most.
wait_until() {
  local what=$1 since=$SECONDS
  shift
  until "$@"; do
    [ $((SECONDS - since)) -lt 60 ] || fail "a minute has passed without $what"
    sleep 0.01
  done
}
started() { [ "$(ls pids | grep -vc tmp)" = "$1" ] || ! alive "$launcher"; }
gone() { for file in pids/*; do ! alive "$(cat "$file")" || return 1; done; }

began=$(date +%s%3N)
train 2 undisturbed
wait $launcher || fail "the undisturbed run"
length=$(($(date +%s%3N) - began))  # ms; later runs are killed anywhere in theirs
digest=$(jq -r .weights_digest undisturbed/result.json)

done_kills=0 runs=0
while [ $done_kills -lt "$kills" ]; do
  runs=$((runs + 1))
  for attempt in 1 2 3 4 5 6 7 8 last; do
    ranks=$((RANDOM % 3 + 1))
    train $ranks "run$runs"
    wait_until "the ranks' process ids" started $ranks
    if [ $attempt != last ] && [ $done_kills -lt "$kills" ]; then
      instant=$((RANDOM % (length * 11 / 10)))
      sleep "$(printf '%d.%03d' $((instant / 1000)) $((instant % 1000)))"
      victim=$((RANDOM % (ranks + 1)))  # the last one: mpirun
      if [ $victim = $ranks ]; then pid=$launcher; else pid=$(pid_of $victim); fi
      if alive "$launcher" && kill -9 "$pid" 2> /dev/null; then
        done_kills=$((done_kills + 1))
        wait $launcher && fail "a killed job ended well" || true
        wait_until "the end of a killed job's ranks" gone
        continue
      fi
    fi
    wait $launcher || fail "run $runs, $ranks ranks"
    break
  done
  ! grep -q 'skipped a checkpoint' job.txt || fail "a kill has left a damaged checkpoint"
  [ "$(jq -r .weights_digest "run$runs/result.json")" = "$digest" ] || fail "run $runs ends with other weights"
  cmp undisturbed/history.csv "run$runs/history.csv" || fail "run $runs ends with another history"
  ! grep -q 'warning' "run$runs/log.txt" || { cat "run$runs/log.txt"; fail "run $runs has warned"; }
  rm -rf "run$runs"
done
echo "kill loop: $done_kills kills in $runs runs, all of which end with the weights $digest and the history of the undisturbed run"

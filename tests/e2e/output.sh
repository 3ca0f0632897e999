#!/usr/bin/env bash
# Whoever reads the output of a run, or does not, changes nothing about it: a full pipe, a stopped terminal, | head, a closed descriptor, a
# full disk. Other commands do with them what Unix tools do.
set -euo pipefail
. "$LOCKSTEP_SOURCE/tests/support/command.sh"
job=
trap '[ -z "$job" ] || kill -KILL $job 2> /dev/null || true; rm -rf "$work"' EXIT

garments 32 32 32
cat > tiny.yaml <<'END'
name: tiny
seed: 42
data: {train: {file: data/garments.h5, group: train, rows: [0, 32]}}
model: [Input: {shape: [28, 28]}, Flatten, Dense: {units: 10, activation: softmax}]
training: {loss: sparse_categorical_crossentropy, optimizer: {SGD: {learning_rate: 0.00001}}, epochs: 3, batch_size: 32}
checkpoint: {every_epochs: 0}
END
train=(timeout -k 5 120 "$lockstep" train tiny.yaml)
launch=(timeout -k 5 120 "$lockstep" launch -- mpirun --oversubscribe -np 2 "$lockstep" train tiny.yaml)
run() { name=$1; shift; "$@" --run-dir "runs/$name"; }
unread() { name=$1; shift; "$@" --run-dir "runs/$name" > unread 2>&1; }  # not run > unread: bash itself would print there
is() { [ "$1" = "$2" ] || { tail -n 20 runs/*/log.txt; fail "$name: exit code $1 instead of $2"; }; }
same_as() { holds '.[0].weights_digest == .[1].weights_digest' "runs/$1/result.json" "runs/$name/result.json"; }

# unread: a pipe that is full and has a reader who does not read
mkfifo unread
exec 7<> unread
fill() { timeout 0.5 cat /dev/zero >&7 || true; }

run plain "${train[@]}" > plain.txt
run two on 2 train tiny.yaml --epochs 1000 > two.txt

# --- nobody reads, ever: one rank, and two under lockstep launch ---
fill
code=0; unread full "${train[@]}" || code=$?
is $code 0; same_as plain
code=0; unread launched "${launch[@]}" --epochs 1000 || code=$?
is $code 0; same_as two

# --- a stop while nobody reads ---
unread stopped "${train[@]}" --epochs 100000000 & job=$!
until grep -q 'epoch 1000 of' runs/stopped/logs/rank-0000.log 2> /dev/null; do kill -0 $job || fail 'stopped: it ended by itself'; done
kill -USR1 "$(jq -r '.pid // empty' runs/stopped/coordinator.json 2> /dev/null || sed -n 's/.* pid //p' runs/stopped/logs/rank-0000.log | head -n 1)"
code=0; wait $job || code=$?; job=; name=stopped
is $code 75

# --- an error is told although stdout is not read, and stands in log.txt ---
code=0; run error "${train[@]}" --set training.optimizer.SGD.learning_rate=1e38 > unread 2> error.txt || code=$?
is $code 1
grep -q 'loss' error.txt || { cat error.txt; fail 'error: not told'; }
grep -q 'failed: .*loss' runs/error/log.txt || { cat runs/error/log.txt; fail 'error: not in log.txt'; }

# --- a reader who comes late finds the end, and how many lines are missing ---
unread late "${train[@]}" --epochs 2000 & job=$!
until grep -q 'ended in good order' runs/late/logs/rank-0000.log 2> /dev/null; do kill -0 $job || fail 'late: it has ended'; done
cat <&7 > late.txt & reader=$!
code=0; wait $job || code=$?; job=; name=late
is $code 0
until grep -aq 'all 2000 epochs done' late.txt; do kill -0 $reader || fail 'late: the end is not told'; done
kill $reader
wait $reader 2> /dev/null || true
grep -aqE '^\[[0-9]+ lines? dropped: the terminal or pipe was not being read\]' late.txt || fail 'late: it does not say what is missing'

# --- a terminal that is stopped: the ranks of mpirun, which stands still itself, train to the end ---
fill
command=$(printf '%q ' timeout -k 5 120 mpirun --oversubscribe -np 2 "$lockstep" train tiny.yaml --epochs 1000 --run-dir runs/terminal)
script -qec "$command" script.log < /dev/null > unread & job=$!
until [ "$(cat runs/terminal/logs/*.log 2> /dev/null | grep -c 'ended in good order')" = 2 ]; do
  kill -0 $job || fail 'terminal: it has ended'
done
cat <&7 > terminal.txt & reader=$!
code=0; wait $job || code=$?; job=; name=terminal
kill $reader
wait $reader 2> /dev/null || true
is $code 0; same_as two

# --- a reader who leaves; descriptors that are closed; a full disk ---
code=0; run head "${train[@]}" --epochs 1000 2> head.err | head -n 1 > head.txt || code=$?
is $code 0; holds '.[0].ended == "all 1000 epochs done"' runs/head/result.json
[ ! -s head.err ] || { cat head.err; fail 'head: noise'; }
code=0; run launched-head "${launch[@]}" --epochs 1000 2>&1 | head -n 1 > head.txt || code=$?
is $code 0; holds '.[0].ended == "all 1000 epochs done"' runs/launched-head/result.json
code=0; run closed "${train[@]}" >&- || code=$?
is $code 0; same_as plain
code=0; run all-closed "${train[@]}" <&- >&- 2>&- || code=$?
is $code 0; same_as plain
[ "$(wc -l < runs/all-closed/history.csv)" = 4 ] || fail 'all-closed: history.csv'
code=0; run full-disk "${train[@]}" > /dev/full 2>&1 || code=$?
is $code 0; same_as plain
name=mpirun-closed code=0
mpirun --oversubscribe -np 2 "$lockstep" train tiny.yaml --epochs 1000 --run-dir runs/mpirun-closed >&- || code=$?
is $code 0; same_as two

# --- other commands: as Unix tools do ---
"$lockstep" summary tiny.yaml > summary.txt
refuse 1 'cannot write all of the output: No space left on device' sh -c '"$0" summary tiny.yaml > /dev/full' "$lockstep"
refuse 1 'cannot write all of the output: Bad file descriptor' sh -c '"$0" summary tiny.yaml >&-' "$lockstep"
refuse 1 'cannot write all of the output: No space left on device' sh -c '"$0" data show data/garments.h5 > /dev/full' "$lockstep"
for command in 'data show data/garments.h5' 'summary tiny.yaml' '--help'; do
  { code=0; "$lockstep" $command 2> noise.txt || code=$?; echo $code > code.txt; } | true
  [[ $(cat code.txt) = 0 || $(cat code.txt) = 141 ]] && [ ! -s noise.txt ] ||
    { cat noise.txt; fail "$command | true: exit code $(cat code.txt)"; }
done
fill
timeout 60 "$lockstep" summary tiny.yaml > unread & job=$!
cat <&7 > summary-late.txt & reader=$!
wait $job || fail 'summary: exit code'
job=
until tr -d '\0' < summary-late.txt | cmp -s - summary.txt; do kill -0 $reader; done
kill $reader
wait $reader 2> /dev/null || true
echo 'output: all passed'

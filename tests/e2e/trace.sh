#!/usr/bin/env bash
# lockstep train --trace: what every rank did when, on one clock; also of a run that is stopped; a wrong path is told before anything is trained.
set -euo pipefail
. "$LOCKSTEP_SOURCE/tests/support/command.sh"
garments 1100 103 211

for exchange in factors gradients; do
  on 2 train small.yaml --epochs 2 --run-dir "runs/$exchange" --exchange $exchange --trace $exchange.json > $exchange.txt 2>&1 || { cat $exchange.txt; fail "train --trace"; }
  grep -q "^trace .*$exchange.json" $exchange.txt || fail "the file is not told"
  holds '.[0] | [.traceEvents[] | select(.ph == "X") | .pid] | unique == [0, 1]' $exchange.json
  holds '.[0] | [.traceEvents[] | select(.name == "step" and .pid == 1) | .args.step] == [range(70)]' $exchange.json
  for name in input forward loss "backward dense" "backward dense_1" "backward dense_2" gradient exchange update callbacks; do
    holds ".[0] | [.traceEvents[] | select(.name == \"$name\" and .pid == 1)] | length >= 70" $exchange.json
  done
  holds '.[0] | [.traceEvents[] | select(.name == "checkpoint") | .pid] | unique == [0]' $exchange.json
  holds '.[0] | [.traceEvents[] | select(.name == "validation")] | length == 4' $exchange.json
  # On one clock no rank ends a step before the other has begun it.
  holds '.[0] | [.traceEvents[] | select(.name == "step")] | group_by(.args.step) | all(([.[].ts] | max) < ([.[] | .ts + .dur] | min))' $exchange.json
done

# --- a run that is stopped; of a small model, since sanitizers make every step a long one ---
on 2 train small.yaml --set model.3.Dense.units=4 --set model.4.Dense.units=4 --epochs 1000000 --run-dir runs/stopped --trace stopped.json \
  --set checkpoint.every_epochs=0 > stopped.txt 2>&1 &
job=$!
until "$lockstep" status runs/stopped --json > status.json 2> status.txt && jq -e '.global_step > 12000' status.json > now.txt; do
  kill -0 $job 2> now.txt || { cat stopped.txt; fail "the job ended before it was stopped"; }
done
"$lockstep" stop runs/stopped > now.txt
wait $job || { cat stopped.txt; fail "a stopped job is no failure"; }
holds '.[0] | [.traceEvents[] | select(.ph == "X")] | length == 2 * 65536' stopped.json
holds '.[0] | [.traceEvents[] | select(.name == "step" and .pid == 0) | .args.step] | .[0] == 0 and .[-1] > 12000' stopped.json
[ "$(stat -c %s stopped.json)" -lt 26000000 ] || fail "the file of a long run is too large: $(stat -c %s stopped.json)"

# --- a wrong path ---
rc=0
on 2 train small.yaml --run-dir runs/wrong --trace no/such/place.json > wrong.txt 2>&1 || rc=$?
[ $rc != 0 ] && grep -q 'no/such/place.json' wrong.txt || { cat wrong.txt; fail "a file that cannot be written"; }
[ ! -e runs/wrong ] || fail "a run directory of a run that was not started"
echo "trace: all passed"

#!/usr/bin/env bash
# lockstep submit in a real Slurm of four virtual nodes, by mpirun and by srun: a job that twice has to leave its nodes before it is done ends with the
# weights of a run that was never disturbed; scancel ends a job for good; the tasks of an array keep to their own run directories.
#
# A job leaves because its time limit is near: LOCKSTEP_SLURM_LIMITS=1 waits for the real limits (of a minute, which Slurm looks at every 30 s; some
# six minutes, and LOCKSTEP_SLURM_EPOCHS that take about three). Else the test sends the batch script the signal that Slurm would.
set -euo pipefail
lockstep=$LOCKSTEP_BIN/lockstep
. "$LOCKSTEP_SOURCE/tests/support/virtual_hosts.sh"
. "$LOCKSTEP_SOURCE/tests/support/slurm.sh"

fail() { echo "FAILED: $*" >&2; exit 1; }

# No skipping: where this cannot run, nobody knows whether the template works.
why=$(hosts_possible) || fail "$why"
why=$(slurm_installed) || fail "$why"
work=$(mktemp -d)
trap 'slurm_down || true; hosts_down; rm -rf "$work"' EXIT
cd "$work"
hosts_up "$work/hosts" 4
slurm_up 4 || fail 'Slurm did not start'

limits=${LOCKSTEP_SLURM_LIMITS:-0}
epochs=100
[ "$limits" = 0 ] || epochs=${LOCKSTEP_SLURM_EPOCHS:-1500}
"$lockstep" data make garments data/garments.h5 --train 1203 --test 211 > made.txt
sed -e 's/rows: \[0, 55000\]/rows: [0, 1100]/; s/rows: \[55000, 60000\]/rows: [1100, 1203]/' -e "s/epochs: 10$/epochs: $epochs/; s/batch_size: 32 /batch_size: 64 /" \
  "$LOCKSTEP_SOURCE/configs/quickstart.yaml" > small.yaml
printf '\ncheckpoint: {every_epochs: 10}\n' >> small.yaml
grep -q "epochs: $epochs$" small.yaml && grep -q 'batch_size: 64' small.yaml || fail 'the configuration has other values than this test replaces'

field() { on_cluster scontrol show job "$1" | grep -oP "\b$2=\K[^ ]*" | head -1; }
rows() { [ ! -s "$1/history.csv" ] || grep -c '^[0-9]' "$1/history.csv"; }
show() { cat "$1".out; on_cluster scontrol show job "${1##*-}"; tail -n 30 hosts/slurm/log/* ; }
# submitted NAME OPTIONS...: the job's number
submitted() {
  local name=$1
  shift
  on_cluster "$lockstep" submit small.yaml --set "name=$name" --cpus-per-task 1 "$@" > "$name.txt" 2>&1 || { cat "$name.txt" >&2; fail "submit $name"; }
  grep -oP '^submitted job \K[0-9]+' "$name.txt"
}
# until_true SECONDS WHAT COMMAND...
until_true() {
  local end=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    [ $SECONDS -lt $end ] || { tail -n 40 runs/*.out; grep -H 'ended with' runs/*.out || true; on_cluster squeue; tail -n 20 hosts/slurm/log/*; fail "$what"; }
    sleep 0.1
  done
}
has_rows() { [ "$(rows "$1")" -ge "$2" ] 2> /dev/null; }
is_state() { [[ $(field "$1" JobState) =~ ^($2)$ ]]; }
left() { [ "$(grep -c 'ended with 75$' "$1.out")" = "$2" ]; }
restarted() { [ "$(field "$1" Restarts)" = "$2" ]; }

"$lockstep" train small.yaml --run-dir runs/undisturbed > undisturbed.txt

# --- twice out of time, then done ---
declare -A jobs
for launcher in mpirun srun; do
  if [ "$limits" != 0 ]; then
    jobs[$launcher]=$(submitted "$launcher" --nodes 4 --launcher "$launcher" --time 1)
    continue
  fi
  job=$(submitted "$launcher" --nodes 4 --launcher "$launcher")
  jobs[$launcher]=$job
  run=runs/$launcher-$job
  for life in 1 2; do
    until_true 100 "$launcher: life $life makes no progress" has_rows "$run" $((3 * life))
    on_cluster scancel -b -s USR1 "$job"
    until_true 60 "$launcher: does not leave" left "$run" $life
    seen=$(rows "$run")
    until_true 100 "$launcher: does not go on" has_rows "$run" $((seen + 1))
  done
done
for launcher in mpirun srun; do
  job=${jobs[$launcher]} run=runs/$launcher-${jobs[$launcher]}
  until_true $((limits == 0 ? 200 : 900)) "$launcher: does not end" is_state "$job" 'COMPLETED|FAILED|CANCELLED|TIMEOUT'
  is_state "$job" COMPLETED || { show "$run"; fail "$launcher: $(field "$job" JobState)"; }
  restarts=$(field "$job" Restarts)
  [ "$restarts" -ge 2 ] || { show "$run"; fail "$launcher: $restarts restarts"; }
  [ "$limits" != 0 ] || [ "$(grep -c 'ended with 75$' "$run.out")" = 2 ] || { show "$run"; fail "$launcher: not twice code 75"; }
  # Open MPI 4.1.4 may crash while ranks connect for the first time (seen under srun with the cores taken): the job has to get over that, too.
  crashed=$(grep -cE 'ended with (139|134|135)$' "$run.out" || true)
  [ "$limits" != 0 ] || [ $((restarts - crashed)) = 2 ] || { show "$run"; fail "$launcher: $restarts restarts, $crashed of them after a crash"; }
  # It went on each time: from later steps, and every epoch is told once.
  [ "$(grep -c '^resuming from' "$run.out")" -ge 2 ] || { show "$run"; fail "$launcher: did not resume twice"; }
  grep -oP '^resuming from .*step-\K[0-9]+' "$run.out" | sort -c || { show "$run"; fail "$launcher: resumed from an earlier step"; }
  [ "$(cut -d, -f1 "$run/history.csv" | tail -n +2 | paste -sd' ')" = "$(seq -s' ' 0 $((epochs - 1)))" ] || { cat "$run/history.csv"; fail "$launcher: not every epoch once"; }
  jq -e '.hosts == 4 and (.rank_table | length == 4)' "$run/result.json" > /dev/null || { cat "$run/result.json"; fail "$launcher: not four ranks on four hosts"; }
  jq -es '.[0].weights_digest == .[1].weights_digest' runs/undisturbed/result.json "$run/result.json" > /dev/null || fail "$launcher: other weights"
  echo "$launcher: $restarts restarts, $crashed of them after a crash, weights $(jq -r .weights_digest "$run/result.json"); $(grep -E 'ended with|asking for' "$run.out" | cut -d' ' -f3- | paste -sd' ')"
done

# --- the doctor in a job: right with pmix, a world of singletons with srun's default ---
on_cluster srun -N4 -n4 --mpi=pmix "$lockstep" doctor small.yaml --json > doctor.json 2> doctor.err || true
jq -e '.job.ranks == 4 and .job.hosts == 4 and all(.checks[]; .check != "launch" or .findings == [])' doctor.json > /dev/null || { cat doctor.json doctor.err; fail 'doctor in a job'; }
on_cluster srun -N4 -n4 --mpi=none "$lockstep" doctor --json > alone.json 2> alone.err && fail 'singletons are no problem'
jq -e '.checks[0].findings[0].found | test("4 processes .*MPI did not join them")' alone.json > /dev/null || { cat alone.json alone.err; fail 'singletons are not found'; }

# --- what cannot be trained, and a cap on restarts: FAILED, and not again ---
job=$(submitted hopeless --nodes 1 --set training.batch_size=8 --set data.train.file=none.h5)
until_true 60 'hopeless: does not end' is_state "$job" 'COMPLETED|FAILED'
is_state "$job" FAILED && restarted "$job" 0 || { show "runs/hopeless-$job"; fail 'a job without data'; }
job=$(submitted capped --nodes 1 --max-restarts 0 --set training.epochs=1000000)
until_true 100 'capped: makes no progress' has_rows "runs/capped-$job" 1
on_cluster scancel -b -s USR1 "$job"
until_true 60 'capped: does not end' is_state "$job" FAILED
grep -q 'given up after 0 restarts' "runs/capped-$job.out" || { show "runs/capped-$job"; fail 'no word about the cap'; }

# --- an array of two at the same time: run directories of their own; one is cancelled and stays so, the other is killed and goes on ---
job=$(submitted pair --nodes 2 --launcher srun --array 0-1 --set seed=%a --set training.epochs=1000000)
for task in 0 1; do until_true 100 "pair: task $task makes no progress" has_rows "runs/pair-${job}_$task" 2; done
for task in 0 1; do grep -q "seed: $task" "runs/pair-${job}_$task/config.yaml" || fail "task $task has another one's seed"; done
on_cluster scancel "${job}_0"
until_true 60 'pair: task 0 is not cancelled' is_state "${job}_0" CANCELLED
kill -9 "$(jq .pid "runs/pair-${job}_1/coordinator.json")"  # rank 0: the root namespace sees every process
until_true 60 'pair: task 1 is not requeued' restarted "${job}_1" 1
before=$(rows "runs/pair-${job}_1")
until_true 100 'pair: task 1 does not go on' has_rows "runs/pair-${job}_1" $((before + 11))
is_state "${job}_0" CANCELLED && ! grep -q 'back into the queue' "runs/pair-${job}_0.out" || fail 'a cancelled job came back'
on_cluster scancel "$job"
until_true 60 'pair: does not end' is_state "${job}_1" CANCELLED
echo 'slurm: jobs go on where they were, and end when they are told'

#!/usr/bin/env bash
# lockstep launch: a rank that is killed, a host that is lost, a failure that comes back at the same step, a signal.
set -euo pipefail
. "$LOCKSTEP_SOURCE/tests/support/fault_hosts.sh"
fault_hosts 3
launch() {  # launch NAME OPTIONS -- TRAIN ARGUMENTS: in the background, on h1 with ranks on all three hosts
  name=$1 hosts=3
  local options=()
  shift
  while [ "$1" != -- ]; do options+=("$1"); shift; done
  with_mpi_on_hosts timeout -k 5 200 "$lockstep" launch "${options[@]}" -- mpirun --host h1,h2,h3 -np 3 -x OMP_NUM_THREADS=1 \
    "$lockstep" train "${@:2}" --run-dir "runs/$name" --timeout 3 > "$name.txt" 2>&1 &
  launched=$!
}
# until_trained RANK LIFE: it has done an epoch in its LIFE-th life
until_trained() {
  local log
  log=$(printf 'runs/%s/logs/rank-%04d.log' "$name" "$1")
  until [ "$(awk '/ started on / { lives++ } / done after / && lives == '"$2"' { done = 1 } END { print done + 0 }' "$log" 2> /dev/null)" = 1 ]; do
    kill -0 $launched 2> /dev/null || fail "the job ended before rank $1 had trained in life $2"
  done
}
supervisor() { parent_of "$(parent_of "$(pid_of 0)")"; }  # of mpirun, of rank 0
ends() { code=0; wait $launched || code=$?; [ $code = "$1" ] || fail "exit code $code instead of $1"; }

# --- a rank is killed: the job goes on where it was ---
launch killed -- small.yaml --epochs 1000000
until_trained 1 1
kill -KILL "$(pid_of 1)"
until_trained 1 2
says "lockstep launch: the job has failed with exit code 137(: \[rank 1 on h2\]$([ $open_mpi = 4 ] || echo '| and left no diagnosis'))"   # says_killed tells why
says 'lockstep launch: restart 1 of 3'
says 'resuming from runs/killed/checkpoints/step-'

# --- then its host is lost: on with the two others; then a signal: 75 is passed on ---
ip -n "${hosts_prefix}hub" link set port2 down
until says_quietly 'restart 2 of 3'; do kill -0 $launched || fail 'no second restart'; done
says 'lockstep launch: h2 can start no process any more; going on with 2 ranks'
until [ "$(grep -c ' started on ' runs/killed/logs/rank-0000.log)" = 3 ]; do kill -0 $launched || fail 'the third life ended'; done
until grep -q 'rank 1 of 2 started on h3' runs/killed/logs/rank-0001.log; do kill -0 $launched || fail 'no rank on h3'; done
kill -USR1 "$(supervisor)"
ends 75
says 'interrupted by SIGUSR1'
ip -n "${hosts_prefix}hub" link set port2 up
until { on_host 2 bash -c 'exec 9<> /dev/tcp/10.77.0.1/9' 2>&1 || true; } | grep -q refused; do   # an answer: h1 is reached again
  [ $SECONDS -lt 300 ] || fail 'h2 does not reach h1 again'
done

# --- a failure at the same step, twice: no third time ---
awk 'BEGIN { print "a,y"; for (i = 0; i < 300; ++i) print (i == 200 ? "1e30" : i / 300) "," i / 600 }' > rows.csv
"$lockstep" data import csv rows.csv --target y data/rows.h5 > made.txt
printf 'data:\n  train: {file: data/rows.h5, group: train}\nmodel:\n  - Dense: {units: 1}\ntraining: {loss: mse, optimizer: {SGD: {learning_rate: 0.001}}, epochs: 3, batch_size: 30}\n' > nan.yaml
launch again -- nan.yaml
ends 1
says 'restart 1 of 3'
says 'it has failed at step [0-9]+ twice: running it again would not help'
! says_quietly 'restart 2 of 3' || fail 'it was run a third time'
# --- its mpirun is killed: the next start finds nothing of it, and what others have left stays ---
name=lost hosts=1
# session PID, segment: what Open MPI calls the folder of an mpirun, and shared memory of its ranks
case $open_mpi in
  4) segment=vader_segment.h1.0; session() { echo "$hosts_directory/h1/ompi.h1.0/pid.$1"; } ;;
  5) segment=sm_segment.h1.0; session() { echo "$hosts_directory/h1/prterun.h1.$1.0"; } ;;
esac
mkdir -p "$(session 1)"
on_host 1 touch "/dev/shm/$segment.10001.0"
with_mpi_on_hosts timeout -k 5 200 "$lockstep" launch --max-restarts 1 -- mpirun --host h1:2 -np 2 -x OMP_NUM_THREADS=1 \
  "$lockstep" train small.yaml --epochs 1000000 --run-dir runs/lost --timeout 3 > lost.txt 2>&1 &
launched=$!
until_trained 1 1
lost=$(parent_of "$(pid_of 0)")
[ -e "$(session "$lost")" ] || fail 'no session folder where this test looks for it'
[ "$(on_host 1 ls /dev/shm | grep -c "^$segment")" = 3 ] || fail 'no shared memory where this test looks for it'
kill -KILL "$lost"
until_trained 1 2
[ ! -e "$(session "$lost")" ] || fail 'the session folder of the lost mpirun is left'
[ -e "$(session 1)" ] || fail 'the session folder of another mpirun is gone'
[ "$(on_host 1 ls /dev/shm | grep -c "^$segment")" = 3 ] || fail "not two ranks' and another's: $(on_host 1 ls /dev/shm)"
on_host 1 test -e "/dev/shm/$segment.10001.0" || fail "another mpirun's shared memory is gone"
kill -USR1 "$(supervisor)"
ends 75
echo 'launch: all passed'

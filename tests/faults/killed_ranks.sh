#!/usr/bin/env bash
# kill -9 of each rank in turn, one on each of three hosts: one message that names it, and nothing is left.
set -euo pipefail
. "$LOCKSTEP_SOURCE/tests/support/fault_hosts.sh"
fault_hosts 3
for victim in 0 1 2; do
  job "killed-rank-$victim" 3
  pid=$(pid_of $victim)
  happened
  kill -KILL "$pid"
  all_gone 60
  [ $code != 0 ] || fail 'exit code 0'
  says_killed $victim "h$((victim + 1))" "$pid"
done

# --- two ranks of one host: the other one sees it at once, in the memory that they share ---
name=neighbour
mpirun_hosts --host h1:2 -np 2 -x OMP_NUM_THREADS=1 "$lockstep" train small.yaml --epochs 1000000 --run-dir runs/neighbour --set checkpoint.every_epochs=0 > neighbour.txt 2>&1 &
launched=$! hosts=2
until all_train; do kill -0 $launched || fail 'the job ended'; done
pids="$(pid_of 0) $(pid_of 1)" pid=$(pid_of 1)
happened
kill -KILL "$pid"
all_gone 60
says_once "rank 1 on h1 \(pid $pid\) has died: killed by signal 9"

# --- a crash leaves a line in its log, and the message tells it ---
job crashed 2
pid=$(pid_of 1)
happened
kill -SEGV "$pid"
all_gone 60
grep -qE 'crashed: SIGSEGV after step [0-9]+, ' runs/crashed/logs/rank-0001.log || fail 'no line in the log'

#!/usr/bin/env bash
# Ranks that are silent, which MPI never notices: stopped, and behind a link that is cut. The deadline is three seconds beyond the slowest recent step.
set -euo pipefail
. "$LOCKSTEP_SOURCE/tests/support/fault_hosts.sh"
fault_hosts 2

for victim in 1 0; do
  job "stopped-rank-$victim" 2
  pid=$(pid_of $victim)
  happened
  kill -STOP "$pid"
  all_gone 60
  [ $code != 0 ] || fail 'exit code 0'
  says "^\[rank $victim on h$((victim + 1))\] rank $victim on h$((victim + 1)) \(pid $pid\) has not been heard for .*stopped.*deadline 3 s"
done

# --- stopped beside another rank of its host: that one sees what it is ---
name=stopped-neighbour
mpirun_hosts --host h1:2 -np 2 -x OMP_NUM_THREADS=1 "$lockstep" train small.yaml --epochs 1000000 --run-dir runs/$name --timeout 3 --set checkpoint.every_epochs=0 > $name.txt 2>&1 &
launched=$! hosts=2
until all_train; do kill -0 $launched || fail 'the job ended'; done
pids="$(pid_of 0) $(pid_of 1)" pid=$(pid_of 1)
happened
kill -STOP "$pid"
all_gone 60
says_once "rank 1 on h1 \(pid $pid\) is stopped \(SIGSTOP, or Ctrl-Z\)"

# --- the link to a host is cut: both sides end ---
job cut-link 2
happened
ip -n "${hosts_prefix}hub" link set port2 down
all_gone 60
ip -n "${hosts_prefix}hub" link set port2 up
[ $code != 0 ] || fail 'exit code 0'
says_once '^\[rank 1 on h2\] rank 1 on h2 .* has not been heard for .*the network is down'
grep -q 'the job ends: rank 0 on h1' runs/cut-link/logs/rank-0001.log || fail 'the cut host does not say why it ended'

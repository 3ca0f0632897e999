#!/usr/bin/env bash
# A rank that the kernel kills because its cgroup has no memory left, as on a node of a batch system: the message says that, too.
set -euo pipefail
. "$LOCKSTEP_SOURCE/tests/support/fault_hosts.sh"
name=memory
if [ -d /sys/fs/cgroup/memory ]; then  # version 1
  group=/sys/fs/cgroup/memory/lockstep-$$ limit=memory.limit_in_bytes usage=memory.usage_in_bytes
else
  group=/sys/fs/cgroup/lockstep-$$ limit=memory.max usage=memory.current
fi
mkdir "$group" 2> refused.txt && [ -w "$group/$limit" ] || { rmdir "$group" 2> /dev/null || true; echo "SKIPPED: no cgroup with a memory limit can be made here: $(cat refused.txt)"; exit 77; }
[ ! -e "$group/memory.swap.max" ] || echo 0 > "$group/memory.swap.max"
trap 'hosts_down; rmdir "$group" || true; rm -rf "$work"' EXIT
fault_hosts 1

( echo $BASHPID > "$group/cgroup.procs"
  mpirun_hosts --host h1:2 -np 2 -x OMP_NUM_THREADS=1 "$lockstep" train small.yaml --epochs 1000000 --run-dir runs/memory --set checkpoint.every_epochs=0 > memory.txt 2>&1 ) &
launched=$! hosts=2
until all_train; do kill -0 $launched || fail 'the job ended'; done
pids="$(pid_of 0) $(pid_of 1)" pid=$(pid_of 1)
echo 1000 > "/proc/$pid/oom_score_adj"  # the first that the kernel takes
happened
echo $(($(cat "$group/$usage") + (32 << 20))) > "$group/$limit"
( echo $BASHPID > "$group/cgroup.procs"; echo 900 > /proc/$BASHPID/oom_score_adj; exec tail /dev/zero ) 2> tail.txt & # takes memory until it is killed itself
eater=$!
all_gone 60
wait $eater || true
says_once "^\[rank 1 on h1\] rank 1 on h1 \(pid $pid\) has died: killed by signal 9, most likely because its host ran out of memory \(out-of-memory kills of this job's cgroup: [1-9][0-9]*, 0 when it started\)"

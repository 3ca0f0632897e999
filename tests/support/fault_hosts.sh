# Sourced by tests/faults/*.sh: jobs on hosts of network namespaces (virtual_hosts.sh) that something happens to. As root these
# tests never skip: they fail aloud where there are no namespaces.
#
#   job NAME HOSTS ARGUMENTS...     a training that nothing but a fault ends: 1 rank on each of h1, h2, ..; until every rank has done a step
#   pid_of RANK                     as the rank itself has written it to its log
#   happened                        the fault has: the clock starts
#   all_gone SECONDS                every process of the job ends within; prints after how many seconds it had
#   says_killed RANK HOST PID       one message of ours names the rank, or that of mpirun: Open MPI 5 gives ranks a quarter of a second for theirs
#   fails                           the job's exit code: not 0; Open MPI 5 ends with 0 where it has lost an orted, and says that
#   says TEXT                       the job's output holds it; says_once: in exactly one line of ours
. "$LOCKSTEP_SOURCE/tests/support/virtual_hosts.sh"
[ "$(id -u)" = 0 ] || { echo 'SKIPPED: network namespaces need root; nothing was tested'; exit 77; }
why=$(hosts_possible) || { echo "FAILED: $why; nothing was tested." >&2; exit 1; }
. "$LOCKSTEP_SOURCE/tests/support/command.sh"
trap 'hosts_down; rm -rf "$work"' EXIT
fail() { echo "FAILED: $*" >&2; [ ! -e "$name.txt" ] || tail -40 "$name.txt" >&2; tail -n 5 runs/"$name"/logs/* >&2 || true; exit 1; }
name=none timeout=3

fault_hosts() {
  hosts_up "$work/hosts" "$1"
  garments 1100 103 211
}

job() {
  name=$1 hosts=$2
  local list=h1 i
  for i in $(seq 2 "$hosts"); do list+=,h$i; done
  mpirun_hosts --host "$list" -np "$hosts" -x OMP_NUM_THREADS=1 -x TMPDIR \
    "$lockstep" train small.yaml --epochs 1000000 --run-dir "runs/$name" --timeout "$timeout" --set checkpoint.every_epochs=0 "${@:3}" > "$name.txt" 2>&1 &
  launched=$!
  until all_train; do
    kill -0 $launched 2> /dev/null || fail 'the job ended before every rank had done a step'
    [ $SECONDS -lt "${limit:=100}" ] || fail 'not every rank has done a step'
  done
  pids=$(for i in $(seq 0 $((hosts - 1))); do pid_of "$i"; done)
}
all_train() { [ "$(grep -lE 'epoch 1 of .* done' "runs/$name"/logs/rank-*.log 2> /dev/null | wc -l)" = "$hosts" ]; }
pid_of() { sed -nE 's/.* started on .*, pid ([0-9]+)$/\1/p' "$(printf 'runs/%s/logs/rank-%04d.log' "$name" "$1")" | tail -1; }
parent_of() { ps -o ppid= -p "$1" | tr -d ' '; }
happened() { start=${EPOCHREALTIME/[.,]/}; }
since() { local micro=$((${EPOCHREALTIME/[.,]/} - start)); printf '%d.%02d' $((micro / 1000000)) $((micro / 10000 % 100)); }

running() {  # of the job: what is not a zombie
  local pid
  for pid in $pids; do [ ! -e "/proc/$pid" ] || [ "$(ps -o stat= -p "$pid" | cut -c1)" = Z ] || echo "$pid"; done
  kill -0 $launched 2> /dev/null && echo $launched || true
}
all_gone() {
  local left
  while left=$(running); [ -n "$left" ]; do
    [ "$(since | cut -d. -f1)" -lt "$1" ] || fail "after $1 s there still run: $(ps -o pid,stat,args -p "$(tr '\n' ',' <<< "$left" | sed 's/,$//')")"
    timeout 0.1 tail --pid="${left%%$'\n'*}" -f /dev/null || true
  done
  code=0
  wait $launched || code=$?
  printf '%-34s exit code %3d, all processes gone after %5.2f s\n' "$name" $code "$(since)"
}
says_killed() {
  if [ $open_mpi = 5 ] && ! grep -qE '^\[rank [0-9]+ on ' "$name.txt"; then
    tr '\n' ' ' < "$name.txt" | grep -qF "process rank $1 with PID $3 on node $2 exited on signal 9 (Killed)" || fail 'nobody names the rank'
  else
    says_once "^\[rank $1 on $2\] rank $1 on $2 \(pid $3\) has (died: killed by signal 9|not been heard)"
    says '(Its last step was|The last step that was heard of was) [0-9]+'
  fi
}
fails() { [ $code != 0 ] || { [ $open_mpi = 5 ] && says 'PRTE has lost communication with a remote daemon'; } || fail 'exit code 0'; }
says_quietly() { grep -qE -- "$1" "$name.txt"; }
says() { grep -qE -- "$1" "$name.txt" || fail "no '$1' in the output"; }
says_once() { [ "$(grep -cE '^\[rank [0-9]+ on ' "$name.txt")" = 1 ] || fail 'not exactly one message'; says "$1"; }

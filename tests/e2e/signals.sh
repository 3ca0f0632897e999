#!/usr/bin/env bash
# SIGUSR1, SIGTERM, SIGINT, SIGHUP and SIGXCPU, to mpirun, to a rank or to lockstep launch, at any time: a checkpoint, exit code 75, and the
# resumed run ends with the weights of the one that was not interrupted. A second signal: gone at once.
set -euo pipefail
. "$LOCKSTEP_SOURCE/tests/support/command.sh"
job=
trap '[ -z "$job" ] || kill -KILL $job 2> /dev/null || true; rm -rf "$work"' EXIT

garments 320 5680 211
forever=(train small.yaml --epochs 1000000 --set checkpoint.every_epochs=0)

# start NAME RANKS: a job in the background that nothing but a signal ends
start() { name=$1; timeout -k 5 100 mpirun --oversubscribe -np "$2" "$lockstep" "${forever[@]}" --run-dir "runs/$1" > "$1.txt" 2>&1 & job=$!; }
# until_status FILTER: the job's status.json makes the filter true
until_status() {
  until "$lockstep" status "runs/$name" --json > status.json 2> status.txt && jq -e "$1" status.json > now.txt; do
    kill -0 $job 2> now.txt || { cat "$name.txt"; fail "$name: the job ended before $1"; }
  done
}
# ends CODE: the job does, with this exit code
ends() { local code=0; wait $job || code=$?; job=; [ $code = "$1" ] || { cat "$name.txt"; fail "$name: exit code $code instead of $1"; }; }
ranks_known='.global_step > 0 and all(.ranks[]; .pid > 0)'
mpirun_of() { ps -o ppid= -p "$(jq ".ranks[0].pid" status.json)" | tr -d ' '; }

# --- to mpirun, and to one rank ---
for case in mpirun:USR1 2:USR1 0:TERM 1:TERM 1:INT 1:HUP 0:XCPU; do
  to=${case%:*} signal=${case#*:}
  start "$to-$signal" 3
  until_status "$ranks_known"
  if [ "$to" = mpirun ]; then kill -"$signal" "$(mpirun_of)"; else kill -"$signal" "$(jq ".ranks[$to].pid" status.json)"; fi
  ends 75
  grep -q "interrupted by SIG$signal (rank .*) after a checkpoint" "$name.txt" || { cat "$name.txt"; fail "$case: it does not say what it did"; }
  [ "$to" = mpirun ] || grep -q "(rank $to)" "$name.txt" || { cat "$name.txt"; fail "$case: it does not say which rank"; }
  [ "$(ls "runs/$name/checkpoints")" ] || fail "$case: no checkpoint"
  holds '.[0].ended | startswith("interrupted")' "runs/$name/result.json"
done

# --- while it validates ---
start validating 2
until_status '.phase == "validating"'
kill -USR1 "$(mpirun_of)"
ends 75

# --- before the first step: as soon as the process takes signals ---
name=early
"$lockstep" "${forever[@]}" --run-dir runs/early > early.txt 2>&1 & job=$!
# A shell blocks signals before it becomes the program.
held() { [ "$(readlink /proc/$job/exe)" = "$(readlink -f "$lockstep")" ] && [ $((0x$(awk '/^SigBlk/ { print $2 }' /proc/$job/status) & 0x200)) != 0 ]; }
until held; do kill -0 $job || fail 'early: it ended'; done
kill -USR1 $job
ends 75
[ "$(ls runs/early/checkpoints)" = step-00000001 ] || fail "early: checkpoints $(ls runs/early/checkpoints)"

# --- go on: the weights of a run that was not interrupted ---
"$lockstep" train --resume runs/early --epochs 2 > resumed.txt 2>&1 || { cat resumed.txt; fail 'resume after a signal'; }
"$lockstep" train small.yaml --epochs 2 --run-dir runs/straight > straight.txt
holds '.[0].weights_digest == .[1].weights_digest' runs/straight/result.json runs/early/result.json

# --- one rank: the limit of CPU time, the end of the terminal; under nohup it stays ---
code=0
(ulimit -S -t 1; exec timeout -k 5 100 "$lockstep" "${forever[@]}" --run-dir runs/cpu) > cpu.txt 2>&1 || code=$?
[ $code = 75 ] || { cat cpu.txt; fail "the limit of CPU time: exit code $code"; }
grep -q 'interrupted by SIGXCPU (rank 0) after a checkpoint' cpu.txt || { cat cpu.txt; fail 'the limit of CPU time: not told'; }
pids() { jq -r '.ranks[].pid' status.json; }
gone() { local pid; for pid in "$@"; do until [ ! -e "/proc/$pid" ]; do timeout 0.1 tail --pid="$pid" -f /dev/null || true; done; done; }
name=hangup
script -qc "exec $(printf '%q ' "$lockstep" "${forever[@]}" --run-dir runs/hangup)" script.log > hangup.txt < /dev/null & job=$!
until_status "$ranks_known"
kill -KILL $job
wait $job 2> /dev/null || true
job=
gone $(pids)
holds '.[0].ended | startswith("interrupted by SIGHUP")' runs/hangup/result.json
name=nohup
nohup "$lockstep" "${forever[@]}" --run-dir runs/nohup > nohup.txt 2>&1 & job=$!
until_status "$ranks_known"
kill -HUP $job
step=$(jq .global_step status.json)
until_status ".global_step > $step + 100"
kill -USR1 $job
ends 75
grep -q 'interrupted by SIGUSR1' nohup.txt || { cat nohup.txt; fail 'nohup: SIGHUP was not ignored'; }

# --- lockstep launch passes them on, and its job does not outlive it ---
launched() { name=$1; timeout -k 5 100 "$lockstep" launch -- mpirun --oversubscribe -np 2 \
  "$lockstep" "${forever[@]}" --run-dir "runs/$1" > "$1.txt" 2>&1 & job=$!; }
launch_of() { ps -o ppid= -p "$(mpirun_of)" | tr -d ' '; }
for signal in HUP XCPU; do
  launched "launch-$signal"
  until_status "$ranks_known"
  kill -"$signal" "$(launch_of)"
  ends 75
  grep -q "lockstep launch: SIG$signal: the job is asked for a checkpoint" "$name.txt" || { cat "$name.txt"; fail "$name: not told"; }
done
launched launch-killed
until_status "$ranks_known"
mpirun=$(mpirun_of)
kill -KILL "$(launch_of)"
ends 137
gone "$mpirun" $(pids)
[ "$(ls runs/launch-killed/checkpoints)" ] || fail 'launch was killed: no checkpoint'

# --- a second signal: at once, although the run cannot stop in good order (a rank is stopped) ---
start twice 2
until_status "$ranks_known"
kill -STOP "$(jq '.ranks[1].pid' status.json)"
victim=$(jq '.ranks[0].pid' status.json)
for signal in XCPU XCPU HUP; do kill -$signal "$victim"; timeout 0.3 tail --pid="$victim" -f /dev/null || true; done
[ -e "/proc/$victim" ] || fail 'SIGXCPU or SIGHUP was taken for a second signal'
while kill -USR1 "$victim" 2> now.txt && [ -e "/proc/$victim" ]; do timeout 0.3 tail --pid="$victim" -f /dev/null || true; done
ends 138
grep -q 'a second signal' twice.txt || { cat twice.txt; fail 'it does not say why it left'; }
launched launch-twice
until_status "$ranks_known"
kill -STOP "$(jq '.ranks[1].pid' status.json)"
supervisor=$(launch_of)
kill -USR1 "$supervisor"
until grep -q 'is asked for a checkpoint' launch-twice.txt; do kill -0 $job; done
until [ "$(grep -c 'SIGUSR1 received' runs/launch-twice/logs/rank-0000.log)" = 1 ]; do kill -0 $job; done
timeout 0.5 tail --pid="$supervisor" -f /dev/null || true   # launchers deliver some signals twice: 0.2 s
kill -USR1 "$supervisor"
ends 138
grep -q 'a second signal: the ranks' launch-twice.txt || { cat launch-twice.txt; fail 'launch does not tell of the second signal'; }
gone $(pids)
echo 'signals: all passed'

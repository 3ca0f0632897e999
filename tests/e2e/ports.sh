#!/usr/bin/env bash
# Ranks of one host listen nowhere beyond the loopback. Where a user wants TCP, whoever connects and sends one byte is named, and doctor
# warns of the ports.
set -euo pipefail
. "$LOCKSTEP_SOURCE/tests/support/command.sh"
job=
trap '[ -z "$job" ] || { kill $job; wait $job; } 2> /dev/null || true; rm -rf "$work"' EXIT
garments 1100 103 211
export OMP_NUM_THREADS=1
unset OMPI_MCA_btl OMPI_MCA_btl_tcp_if_include

endless() {  # endless NAME: a job of two ranks; until both have done an epoch
  name=$1
  timeout -k 5 100 mpirun --oversubscribe -np 2 "$lockstep" train small.yaml --epochs 1000000 --run-dir "runs/$name" --timeout 3 \
    --set checkpoint.every_epochs=0 > "$name.txt" 2>&1 &
  job=$!
  until [ "$(grep -lE 'epoch 1 of .* done' "runs/$name"/logs/rank-*.log 2> /dev/null | wc -l)" = 2 ]; do
    kill -0 $job 2> /dev/null || { cat "$name.txt"; fail 'the job ended before both ranks had done an epoch'; }
  done
}
pid_of() { sed -nE 's/.* started on .*, pid ([0-9]+)$/\1/p' "$(printf 'runs/%s/logs/rank-%04d.log' "$name" "$1")"; }
ports_of() { ss -ltnpH | grep -F "pid=$(pid_of "$1")," | awk '{ print $4 }' | grep -vF 127.0.0.1 || true; }  # ADDRESS:PORT of a rank

# --- nothing is open; a list of what MPI must not use goes together with that ---
for exclude in '' '^openib'; do
  [ -z "$exclude" ] || export OMPI_MCA_btl=$exclude
  endless "closed$exclude"
  for rank in 0 1; do [ -z "$(ports_of $rank)" ] || fail "rank $rank listens on $(ports_of $rank) with btl '$exclude'"; done
  [ -n "$(ss -ltnpH | grep -F "pid=$(pid_of 0),")" ] || fail 'ss does not show the coordinator: this test sees nothing'
  "$lockstep" stop "runs/$name" > stop.txt
  wait $job || { cat "$name.txt"; fail 'a stopped job is no failure'; }
done
unset OMPI_MCA_btl
on 2 train small.yaml --epochs 1 --run-dir runs/memory > memory.txt 2>&1
OMPI_MCA_btl=self,vader,tcp on 2 train small.yaml --epochs 1 --run-dir runs/listed > listed.txt 2>&1
holds '.[0].weights_digest == .[1].weights_digest' runs/memory/result.json runs/listed/result.json

# --- the user's own list stays: one byte, and the diagnosis names who sent it ---
export OMPI_MCA_btl=self,vader,tcp
endless listening
port=$(ports_of 1 | grep -oE '^0\.0\.0\.0:[0-9]+$' | cut -d: -f2)
[ -n "$port" ] || fail 'rank 1 does not listen, though its user wants TCP'
exec 9<> "/dev/tcp/127.0.0.1/$port"
printf x >&9
from=$(ss -tnH "dport = :$port" | awk '{ print $4 }' | head -1)
code=0
wait $job || code=$?
exec 9>&-
job=
[ $code = 1 ] || { cat listening.txt; fail "exit code $code"; }
[ "$(grep -cE '^\[rank [0-9] on ' listening.txt)" = 1 ] || { cat listening.txt; fail 'not exactly one message'; }
grep -qE "^\[rank 1 on .*\] rank 1 .* has not moved for .*: its main thread is inside MPI and waits for bytes from $from, which has connected to its port $port" listening.txt ||
  { cat listening.txt; fail "the message does not name $from and port $port"; }

# --- doctor warns of the ports, and the option that it names closes them ---
on 2 doctor --json > open.json 2> doctor.txt || true
holds '.[0].checks[] | select(.check == "ports") | .findings | length == 1 and (.[0].fix | contains("--mca btl ^tcp,ofi"))' open.json
timeout 200 mpirun --mca btl ^tcp,ofi --oversubscribe -np 2 "$lockstep" doctor --json > shut.json 2> doctor.txt || true
holds '.[0].checks[] | select(.check == "ports") | .findings == []' shut.json
echo 'ports: all passed'

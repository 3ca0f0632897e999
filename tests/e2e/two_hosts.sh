#!/usr/bin/env bash
# Four ranks on two hosts: the same curve as one rank, the same evaluation, and rank 0 hears the ranks of the other host, over TLS.
set -euo pipefail
. "$LOCKSTEP_SOURCE/tests/support/virtual_hosts.sh"
why=$(hosts_possible) || { echo "SKIPPED: $why; nothing was tested on two hosts"; exit 77; }
. "$LOCKSTEP_SOURCE/tests/support/command.sh"
trap 'hosts_down; rm -rf "$work"' EXIT

two_hosts() { mpirun_hosts --host h1:2,h2:2 -np 4 -x OMP_NUM_THREADS=1 "$@"; }

hosts_up "$work/hosts" 2
garments 1100 103 211

# --- the curve of one rank, whatever carries the gradients ---
"$lockstep" train small.yaml --epochs 3 --run-dir runs/one > one.txt
for allreduce in auto ring halving-doubling mpi; do
  two_hosts "$lockstep" train small.yaml --epochs 3 --run-dir runs/$allreduce --allreduce $allreduce --trace $allreduce.json > $allreduce.txt 2>&1 ||
    { cat $allreduce.txt; fail "train on two hosts, $allreduce"; }
  carried=${allreduce/auto/factors}
  grep -q "allreduce $carried" $allreduce.txt || { cat $allreduce.txt; fail "the table does not say $carried"; }
  holds ".[0] | .hosts == 2 and .ranks == 4 and .allreduce == \"$carried\"" runs/$allreduce/result.json
  paste -d, runs/one/history.csv runs/$allreduce/history.csv | tr -d '\r' | awk -F, '
    function near(a, b) { return (a - b) ^ 2 <= (1e-4 * a) ^ 2 }
    NR > 1 && !(near($3, $8) && near($5, $10)) { print; bad = 1 } END { exit bad || NR != 4 }' || fail "another curve on two hosts, $allreduce"
  # Factors are summed in one order wherever the ranks are; sums over ranks are not.
  [ $allreduce != auto ] || holds '.[0].weights_digest == .[1].weights_digest' runs/one/result.json runs/auto/result.json
  holds 'def near($a; $b): ($a - $b | fabs) <= 1e-4 * ($a | fabs); near(.[0].final.test.loss; .[1].final.test.loss)' runs/one/result.json runs/$allreduce/result.json
done
# --- the trace has one clock, as exactly as its labels say: no rank ends a step before every other has begun it ---
holds '.[0].traceEvents | ([.[] | select(.name == "process_labels") | .args.labels | capture("^clock within (?<ns>[0-9]+) ns").ns | tonumber] | max / 1000) as $inexact |
  [.[] | select(.name == "step")] | group_by(.args.step) | length == 105 and all(length == 4 and ([.[].ts] | max) < ([.[] | .ts + .dur] | min) + $inexact)' auto.json
holds '.[0].traceEvents | [.[] | select(.name == "process_labels") | .args.labels | startswith("clock within 0 ns")] == [true, true, false, false]' auto.json

# --- gradients, summed by what is measured to be fastest, beside backward: the start-up table tells which ---
for progress in thread poll; do
  two_hosts "$lockstep" train small.yaml --epochs 3 --run-dir runs/$progress --exchange gradients --progress $progress > $progress.txt 2>&1 ||
    { cat $progress.txt; fail "train on two hosts, progress $progress"; }
  chosen=$(sed -n 's/^training .* allreduce //p' $progress.txt)
  [[ $chosen =~ ^(ring|recursive-doubling|halving-doubling)(\ to\ .*\ above)?$ ]] || { cat $progress.txt; fail "the table says '$chosen'"; }
  holds ".[0].allreduce == \"$chosen\"" runs/$progress/result.json
  holds 'def near($a; $b): ($a - $b | fabs) <= 1e-4 * ($a | fabs); near(.[0].final.test.loss; .[1].final.test.loss)' runs/one/result.json runs/$progress/result.json
done
"$lockstep" evaluate runs/one --json > one.json
two_hosts "$lockstep" evaluate runs/one --json > four.json
cmp one.json four.json || fail 'evaluate differs on two hosts'

# --- the same bits with sums in a tree, which large batches of a small layer call for, wherever the ranks are ---
reproducible() { mpirun_hosts --host "$1" -np "$2" -x OMP_NUM_THREADS=1 "$lockstep" train small.yaml --reproducible --batch-size 288 --epochs 2 --run-dir "runs/tree$2" > tree.txt 2>&1 || { cat tree.txt; fail "reproducible training on $1"; }; }
"$lockstep" train small.yaml --reproducible --batch-size 288 --epochs 2 --run-dir runs/tree1 > tree1.txt
grep -q 'exchange       dense: tree, dense_1: tree, dense_2: tree (reproducible on any hosts)' tree1.txt || { cat tree1.txt; fail 'the table does not say tree'; }
reproducible h1:2,h2:1 3
reproducible h1:1,h2:4 5
for ranks in 3 5; do holds '.[0].weights_digest == .[1].weights_digest' runs/tree1/result.json runs/tree$ranks/result.json; done

# --- another pml than ob1 may reach ranks of its own host over TCP, too ---
over_ofi() { mpirun_hosts --host h1:4,h2:4 -np 8 -x OMP_NUM_THREADS=1 --mca pml cm --mca mtl ofi --mca mtl_ofi_provider_include 'tcp;ofi_rxm,sockets' "$@"; }
if ! over_ofi "$lockstep" train small.yaml --epochs 1 --run-dir runs/ofi --allreduce ring > ofi.txt 2>&1; then
  grep -qE 'No components were able to be opened in the pml framework|PML cm cannot be selected' ofi.txt || { cat ofi.txt; fail 'train over libfabric'; }
  echo 'no pml cm over TCP here: ranks of a host that reach each other over TCP were not tested'
fi

# --- a job that runs until it is told to stop: its status shows a row per rank, those of the other host as well ---
two_hosts "$lockstep" train small.yaml --epochs 1000000 --run-dir runs/long --set checkpoint.every_epochs=0 > long.txt 2>&1 &
job=$!
heard='.phase == "training" and [.ranks[] | .host] == ["h1", "h1", "h2", "h2"] and all(.ranks[]; .age != null and .age < 30 and .step > 0 and .pid > 0)'
until on_host 1 "$lockstep" status runs/long --json > status.json 2> status.err && jq -e "$heard" status.json > heard.txt; do
  kill -0 $job 2> /dev/null || { cat long.txt; fail 'the job ended before every rank was heard'; }
  [ $SECONDS -lt 100 ] || { cat status.json status.err; fail 'not every rank was heard'; }
done
for rank in 0 1 2 3; do grep -q "h$((rank / 2 + 1))" <(on_host 1 "$lockstep" status runs/long) || fail "no row of rank $rank"; done

# --- MPI's own ports answer ranks of other hosts alone, whatever other users of this host send them ---
pid=$(jq '.ranks[1].pid' status.json)
ports=$(on_host 1 ss -ltnpH | grep -F "pid=$pid," | awk '{ print $4 }' | grep -oE '^0\.0\.0\.0:[0-9]+$' | cut -d: -f2)
[ -n "$ports" ] || fail 'rank 1 has no port where this test looks for it'
for address in 127.0.0.1 10.77.0.1; do
  ! on_host 1 timeout 1 bash -c "exec 9<> /dev/tcp/$address/$ports" 2> connect.txt || fail "MPI's port $ports answers $address"
done

# --- what rank 0's host answers on its network is TLS, with the token ---
jq -r .certificate runs/long/coordinator.json > certificate.pem
jq -r .token runs/long/coordinator.json > token
remote=$(jq -r '.remote[0]' runs/long/coordinator.json)
[[ $remote == 10.77.0.1:* ]] || fail "remote address '$remote'"
on_host 2 "$lockstep" status "$remote" --certificate certificate.pem --token-file token --json > remote.json || fail 'no answer over TLS'
holds '.[0].ranks | length == 4' remote.json
! on_host 2 "$lockstep" status "$remote" --insecure --token-file token > plain.txt 2>&1 || fail 'an answer in plain text'
tr '0-9a-f' 'a-f0-9' < token > other
! on_host 2 "$lockstep" status "$remote" --certificate certificate.pem --token-file other > refused.txt 2>&1 || fail 'another token was taken'
grep -q 'token' refused.txt || { cat refused.txt; fail 'the refusal does not name the token'; }
on_host 2 "$lockstep" stop runs/long > stop.txt || { cat stop.txt; fail 'stop from the other host'; }
wait $job || { cat long.txt; fail 'a stopped job is no failure'; }
holds '.[0].ended == "stopped on request"' runs/long/result.json
echo 'two hosts: the same curve, and every rank is heard'

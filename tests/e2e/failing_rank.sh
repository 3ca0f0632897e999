#!/usr/bin/env bash
# A rank that fails ends the whole job within seconds: one message with rank and host, an exit code that is not 0, no process left.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
host=$(hostname)

die() {
  echo "FAILED: $1" >&2
  cat "$folder/output" >&2
  exit 1
}

# fails FAILURE ALGORITHM RANKS CODE MESSAGE: the job ends with this code, and this is the only message of ours.
fails() {
  local failure=$1 algorithm=$2 ranks=$3 code=$4 message=$5 seen=0 rank pid
  echo "$failure, $algorithm, $ranks ranks"
  rm -f "$folder"/pid.*
  timeout -k 5 60 mpirun --oversubscribe -np "$ranks" "$LOCKSTEP_BIN/failing_rank" "$failure" "$algorithm" "$folder" >"$folder/output" 2>&1 || seen=$?
  [ "$seen" = "$code" ] || die "exit code $seen instead of $code"
  [ "$(grep -c '\[rank [0-9]* on ' "$folder/output")" = 1 ] || die "not exactly one message"
  grep -qF "$message" "$folder/output" || die "no '$message'"
  for ((rank = 0; rank < ranks; rank++)); do
    pid=$(cat "$folder/pid.$rank")
    timeout 10 tail --pid="$pid" -f /dev/null || die "rank $rank still runs as process $pid"
  done
}

for algorithm in shared ring mpi; do
  fails error $algorithm 3 75 "[rank 1 on $host] lost at step 5"
  fails agreed $algorithm 3 2 "[rank 1 on $host] no file"
done
fails exception shared 2 1 "[rank 1 on $host] index 7"
fails number shared 2 1 "[rank 1 on $host] an exception of unknown type"

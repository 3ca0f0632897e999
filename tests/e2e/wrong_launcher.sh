#!/usr/bin/env bash
# A launcher that cannot do what it is told is not told again; and processes started by a launcher that MPI does not know would each train alone and overwrite each other's files: they refuse to run.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# refuses VARIABLE=VALUE...: what the launcher leaves in the environment of each of its 4 processes.
refuses() {
  local seen=0
  env "$@" "$LOCKSTEP_BIN/failing_rank" none ring "$folder" >"$folder/output" 2>&1 || seen=$?
  if [ "$seen" != 2 ] || ! grep -qE "^\[rank [01] on $(hostname)\] the launcher has started 4 processes" "$folder/output"; then
    echo "FAILED: $*: exit code $seen" >&2
    cat "$folder/output" >&2
    exit 1
  fi
}

refuses SLURM_PROCID=1 SLURM_STEP_NUM_TASKS=4  # srun --mpi=none
refuses PMI_RANK=1 PMI_SIZE=4                  # the mpiexec of MPICH
env SLURM_PROCID=0 SLURM_NTASKS=4 "$LOCKSTEP_BIN/failing_rank" none ring "$folder"  # no launcher: a command in a batch script

# launched TEXT COMMAND...: lockstep launch ends at once and says so.
lockstep=$LOCKSTEP_BIN/lockstep
cd "$folder"
launched() {
  local seen=0 text=$1
  shift
  timeout 100 "$lockstep" launch -- "$@" train "$LOCKSTEP_SOURCE/configs/quickstart.yaml" --run-dir run >output 2>&1 || seen=$?
  if [ "$seen" = 0 ] || [ "$seen" = 124 ] || grep -q 'restart' output || ! grep -q -- "$text" output; then
    echo "FAILED: $*: exit code $seen" >&2
    cat output >&2
    exit 1
  fi
}
nothing='no rank has come to train .*: running it again would not help'
launched "$nothing" mpirun --oversubscribe -np 2 no-such-program     # mpirun 4.1 ends with 134, as if by SIGABRT
launched "$nothing" mpirun --oversubscribe -np 2 ./no/such/program
launched "$nothing" mpirun --no-such-option -np 2 "$lockstep"
launched "$nothing" mpirun --host "$(hostname):1" -np 2 "$lockstep"  # more ranks than slots
launched 'cannot run no-such-mpirun' no-such-mpirun -np 2 "$lockstep"
echo 'wrong launchers: all passed'

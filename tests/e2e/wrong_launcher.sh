#!/usr/bin/env bash
# Processes started by a launcher that MPI does not know would each train alone and overwrite each other's files: they refuse to run.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# refuses VARIABLE=VALUE...: what the launcher leaves in the environment of each of its 4 processes.
refuses() {
  local seen=0
  env "$@" "$LOCKSTEP_BIN/failing_rank" none ring "$folder" >"$folder/output" 2>&1 || seen=$?
  if [ "$seen" != 2 ] || ! grep -qF "[rank 0 on $(hostname)] the launcher has started 4 processes" "$folder/output"; then
    echo "FAILED: $*: exit code $seen" >&2
    cat "$folder/output" >&2
    exit 1
  fi
}

refuses SLURM_PROCID=1 SLURM_STEP_NUM_TASKS=4  # srun --mpi=none
refuses PMI_RANK=1 PMI_SIZE=4                  # the mpiexec of MPICH
env SLURM_PROCID=0 SLURM_NTASKS=4 "$LOCKSTEP_BIN/failing_rank" none ring "$folder"  # no launcher: a command in a batch script

# Sourced by tests that run the command as a user does: a scratch folder, which goes when the test ends, and what they have in common.
#
#   $lockstep, $work                the command; the scratch folder, which is the current one
#   fail TEXT                       ends the test
#   on RANKS ARGUMENTS...           the command on so many ranks
#   refuse CODE TEXT COMMAND...     the command ends with this exit code and says this, and nothing of HDF5's own
#   $open_mpi                       the version of Open MPI: 4 or 5
#   holds FILTER FILE...            the jq filter is true of all the files' documents, as an array
#   garments TRAIN VALIDATION TEST  data/garments.h5 with so many rows, and small.yaml, which is configs/quickstart.yaml on them
set -euo pipefail
lockstep=$LOCKSTEP_BIN/lockstep
open_mpi=$(mpirun --version | sed -nE '1s/.*Open MPI\) ([0-9]+)\..*/\1/p')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() { echo "FAILED: $*" >&2; exit 1; }
on() { timeout 200 mpirun --oversubscribe -np "$1" "$lockstep" "${@:2}"; }
refuse() {
  local code=$1 text=$2 rc=0
  shift 2
  "$@" > refused.txt 2>&1 || rc=$?
  [ "$rc" = "$code" ] || { cat refused.txt; fail "exit code $rc, expected $code: $*"; }
  grep -qF -- "$text" refused.txt || { cat refused.txt; fail "no '$text' from: $*"; }
  ! grep -q HDF5-DIAG refused.txt || { cat refused.txt; fail "HDF5 prints: $*"; }
}
holds() { jq -es "$1" "${@:2}" > /dev/null || { head -c 4000 "${@:2}"; fail "not true of ${*:2}: $1"; }; }
garments() {
  "$lockstep" data make garments data/garments.h5 --train $(($1 + $2)) --test "$3" > made.txt
  sed -e "s/rows: \[0, 55000\]/rows: [0, $1]/; s/rows: \[55000, 60000\]/rows: [$1, $(($1 + $2))]/" "$LOCKSTEP_SOURCE/configs/quickstart.yaml" > small.yaml
}

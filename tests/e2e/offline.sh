#!/usr/bin/env bash
# Tests that need programs from pip's registry are skipped, with a reason, where it cannot be reached: an index at a port where nobody listens, a
# cache that cannot be written, and LOCKSTEP_OFFLINE=1, which asks none.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset "${!PIP_@}"
export XDG_CACHE_HOME=$work/cache PIP_CONFIG_FILE=/dev/null PIP_INDEX_URL=http://127.0.0.1:9/simple
# skipped REASON COMMAND...
skipped() {
  local reason=$1 code=0
  shift
  timeout 100 "$@" > "$work/output" 2>&1 || code=$?
  [ "$code" = 77 ] && grep -q "^SKIPPED: .*$reason" "$work/output" || { cat "$work/output"; echo "FAILED: exit code $code of $*" >&2; exit 1; }
}
if python3 -c 'import ensurepip' 2> /dev/null; then
  skipped 'keras jax' bash "$LOCKSTEP_SOURCE/tests/e2e/keras/keras_interop.sh"
  grep -qE 'ERROR: .*keras' "$work/output" || { cat "$work/output"; echo 'FAILED: pip does not say what is missing' >&2; exit 1; }
fi
XDG_CACHE_HOME=/proc/nowhere skipped 'keras jax' bash "$LOCKSTEP_SOURCE/tests/e2e/keras/keras_interop.sh"
export LOCKSTEP_OFFLINE=1
skipped 'keras jax' bash "$LOCKSTEP_SOURCE/tests/e2e/keras/keras_interop.sh"
skipped 'grpcio' bash "$LOCKSTEP_SOURCE/tests/e2e/grpc_clients.sh"
echo 'offline: tests are skipped, and say why'

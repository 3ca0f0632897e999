# Sourced by tests that run Python programs of others.
#
#   python_environment NAME PACKAGE...   $python: one with these packages of pip, in a virtual environment in the user's cache, made once and again
#                                        when the packages change; where it cannot be made the test ends, skipped
#   use_jax                              Keras computes with JAX; what that compiles is kept beside the environments, as it is most of such a
#                                        test's time
#   LOCKSTEP_OFFLINE=1                   nothing is fetched: such tests are skipped unless their environment is there
environments=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/lockstep-tests
python_environment() {
  local name=$1 log
  shift
  environment=$environments/$name-$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  log=$(mktemp)
  if ! (mkdir -p "$(dirname "$environment")" && exec 9> "$environment.lock" && flock 9 && { environment_has "$@" || make_environment "$@"; }) > "$log" 2>&1; then
    tail -3 "$log"
    rm "$log"
    echo "SKIPPED: no environment with $*: it takes python3-venv, and pip must reach its registry once (not LOCKSTEP_OFFLINE=1)"
    exit 77
  fi
  rm "$log"
  python=$environment/bin/python
}
environment_has() { [ "$(cat "$environment/packages" 2> /dev/null)" = "$*" ]; }
make_environment() {
  [ "${LOCKSTEP_OFFLINE:-0}" != 1 ] || return 1
  rm -rf "$environment"
  python3 -m venv "$environment" && timeout 400 "$environment/bin/pip" install --quiet --retries 1 --timeout 15 "$@" || return 1
  echo "$*" > "$environment/packages"
}
use_jax() {
  local processor
  processor=$(grep -m 1 -E '^(flags|Features)' /proc/cpuinfo | cksum | tr ' ' -)  # compiled for this one
  export KERAS_BACKEND=jax XLA_FLAGS=--xla_backend_optimization_level=0
  export JAX_COMPILATION_CACHE_DIR=$environments/jax-$processor JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0 JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES=-1
}

# Sourced by tests that run Python programs of others.
#
#   python_environment NAME PACKAGE...   $python: one with these packages of pip, in a virtual environment in the user's cache, made once and again
#                                        when the packages change; where it cannot be made the test ends, skipped
#   LOCKSTEP_OFFLINE=1                   nothing is fetched: such tests are skipped unless their environment is there
python_environment() {
  local name=$1 log
  shift
  environment=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/lockstep-tests/$name-$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
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

#!/usr/bin/env bash
# kill -9 of a host's orted and of mpirun: no rank outlives its launcher. Who reads the output of mpirun learns nothing any more; the logs tell it.
set -euo pipefail
. "$LOCKSTEP_SOURCE/tests/support/fault_hosts.sh"
fault_hosts 3
job killed-orted 3
victim=$(parent_of "$(pid_of 1)")
happened
kill -KILL "$victim"
all_gone 60
fails

job killed-mpirun 3
victim=$(parent_of "$(pid_of 0)")
happened
kill -KILL "$victim"
all_gone 60
fails

#!/usr/bin/env bash
# Limits of the process and its host: each ends the command with one message that names the resource, the limit and the option.
set -euo pipefail
. "$LOCKSTEP_SOURCE/tests/support/command.sh"
export lockstep
garments 1100 103 211
train="$lockstep train small.yaml --epochs 1 --verbose 0 --run-dir run"
two="mpirun --oversubscribe -np 2"

# told PATTERN COMMAND...: fails with this message, once, from one rank, and with none of a library's
told() {
  local pattern=$1
  shift
  attempt "$*"
  expect_told "$pattern" "$*"
}
# attempt COMMAND: its output is in told.txt, its exit code in $rc
attempt() {
  rc=0
  rm -rf run
  timeout -k 5 60 bash -c "$1" > told.txt 2>&1 || rc=$?
}
expect_told() {
  local pattern=$1
  shift
  [ $rc = 1 ] || [ $rc = 2 ] || { cat told.txt; fail "exit code $rc of $*"; }
  [ "$(grep -cE "$pattern" told.txt)" = 1 ] || { cat told.txt; fail "not told once: $pattern: $*"; }
  [ "$(grep -cE '^(\[rank|lockstep:)' told.txt)" = 1 ] || { cat told.txt; fail "not one message: $*"; }
  ! grep -qE 'bad_alloc|temporarily unavailable|assertion|terminate called|help file|MPI_ABORT' told.txt ||
    { cat told.txt; fail "a library speaks: $*"; }
}

# --- memory ---
told 'ulimit -v allows 390.6 MiB of address space, of which .* left; a run with the coordinator .*enabled=false.* ulimit -v unlimited' \
  "ulimit -v 400000; $train"
told 'ulimit -v allows 439.5 MiB of address space' "$two bash -c 'ulimit -v 450000; $train'"
told 'a model of [0-9]+ parameters (and batch 32 )?needs about .* ulimit -v allows 585.9 MiB of address space, of which .* left \(ulimit -v unlimited\)' \
  "ulimit -v 600000; $train --set coordinator.enabled=false --set model.3.Dense.units=120000"
told "layer 'dense', weight 'kernel': the initializer Orthogonal needs about 0.9 GiB of memory for the shape .784, 150000.; ulimit -v allows .* left .ulimit -v unlimited.. Take another initializer" \
  "ulimit -v 1000000; $train --set coordinator.enabled=false --set model.3.Dense.units=150000 --set model.3.Dense.kernel_initializer=orthogonal"
(ulimit -v 600000; rm -rf run; $train --set coordinator.enabled=false > small.txt 2>&1) ||
  { cat small.txt; fail 'the option does not help'; }

# a table of 200 kB that unpacks to 200 MB
head -c 200000000 /dev/zero | gzip > bomb.csv.gz
told 'bomb.csv.gz, gzip data that unpack to more than [0-9]+ bytes, needs about [0-9.]+ GiB of memory.*Is it the right file' \
  "ulimit -v 150000; $lockstep data import csv bomb.csv.gz --target y bomb.h5"

# a model file of 200 kB that unpacks to 200 MB
python3 -c 'import zipfile; zipfile.ZipFile("bomb.keras", "w", zipfile.ZIP_DEFLATED).writestr("config.json", b" " * 200_000_000)'
told 'bomb.keras: member config.json, [0-9]+ bytes in the file and 200000000 when it is unpacked, needs about 0.6 GiB.*Is it a Keras model file' \
  "ulimit -v 500000; $lockstep summary bomb.keras"

# --- files ---
told 'File too large.*; ulimit -f allows files of 0.1 MiB: ulimit -f unlimited' \
  "ulimit -f 100; $lockstep data make garments new.h5 --train 1000 --test 10"
told 'training is over .*File too large.*ulimit -f allows files of 0.2 MiB: ulimit -f unlimited' "ulimit -f 200; $train"
told 'ulimit -f allows files of 0.2 MiB, MPI needs one of about (4|16).0 MiB in /dev/shm; ulimit -f unlimited' \
  "$two bash -c 'ulimit -f 200; $train'"
told 'ulimit -n allows 12 open files, at least 17 are needed; ulimit -n 4096' "ulimit -n 12; $train"
told 'ulimit -n allows 22 open files, at least 23 are needed; ulimit -n 4096' "$two bash -c 'ulimit -n 22; $train'"
told 'ulimit -n allows 28 open files, at least 29 are needed; ulimit -n 4096' "$two bash -c 'ulimit -n 28; $train'"
works() { rm -rf run; timeout -k 5 60 bash -c "$*" > works.txt 2>&1 || { cat works.txt; fail "a limit that is no obstacle: $*"; }; }
works "mpirun --oversubscribe -np 8 bash -c 'ulimit -n 60; $train --threads 1'"
works "$two bash -c 'ulimit -S -n 20; $train'"
works "$two bash -c 'ulimit -v 1000000; $train'"  # malloc's arenas would take more
works "ulimit -d 300000; $train --threads 1"
# data of many files: one descriptor each where rows stream, one in all where they are read into memory
"$lockstep" data make garments one.h5 --train 3 --test 1 > made.txt
mkdir many plain
h5repack -l /train/x:CHUNK=3x28x28 -f /train/x:GZIP=1 -l /train/y:CHUNK=3 -f /train/y:GZIP=1 one.h5 many/1.h5
cp one.h5 plain/1.h5
for i in {2..120}; do
  cp many/1.h5 many/$i.h5
  cp one.h5 plain/$i.h5
done
sed -e '/validation:/d; /test:/d; s/, rows: [^}]*//' small.yaml > many.yaml
for data in 'many/*.h5 --set data.memory=100000' 'many/*.h5' 'plain/*.h5'; do
  rm -rf run
  (ulimit -n 256; set -f; timeout 60 ${train/small/many} --set checkpoint.monitor=loss --data $data) > many.txt 2>&1 || { cat many.txt; fail "120 files: $data"; }
done
cat > hold.py <<'PY'
import fcntl, subprocess, sys
held = open(sys.argv[1], 'r+b')
fcntl.flock(held, fcntl.LOCK_EX)
sys.exit(subprocess.call(sys.argv[2:]))
PY
told 'data/garments.h5: another process has it open for writing.*export HDF5_USE_FILE_LOCKING=FALSE' \
  "python3 hold.py data/garments.h5 $train"
rm -rf run
HDF5_USE_FILE_LOCKING=FALSE python3 hold.py data/garments.h5 $train > held.txt 2>&1 || { cat held.txt; fail 'the option does not help'; }
cc -shared -fPIC -o faulty.so "$LOCKSTEP_SOURCE/tests/programs/faulty_calls.c" -ldl
LD_PRELOAD=$PWD/faulty.so FAULT=flock_fails ASAN_OPTIONS=verify_asan_link_order=0 \
  "$lockstep" data make garments unlocked.h5 --train 100 --test 10 > unlocked.txt 2>&1 ||
  { cat unlocked.txt; fail 'no file without locks'; }

# --- processes ---
if [ "$(id -u)" = 0 ] && command -v setpriv > /dev/null && chmod -R a+rwX "$work" && chmod a+x "$work" &&
  setpriv --reuid 54321 --clear-groups "$lockstep" --version > /dev/null 2>&1; then
  told 'only [0-9]+ of the [0-9]+ threads that are needed can be started: .*ulimit -u allows this user 12 processes.*--threads 1, --set coordinator.enabled=false' \
    "mkdir -m 777 -p away; cd away; ulimit -u 12; exec setpriv --reuid 54321 --clear-groups $lockstep train ../small.yaml --data ../data/garments.h5 --run-dir run"
else
  echo 'NOT COMPLETE: no other user; ulimit -u was not looked at'
fi
group=/sys/fs/cgroup/pids/lockstep-$$
[ -d /sys/fs/cgroup/pids ] || group=/sys/fs/cgroup/lockstep-$$
if mkdir "$group" 2> /dev/null && [ -w "$group/pids.max" ]; then
  trap 'rmdir "$group"; rm -rf "$work"' EXIT
  echo 12 > "$group/pids.max"
  told "only [0-9]+ of the [0-9]+ threads .* cgroup $group allows 12 processes and threads \(pids.max.*--threads 1" \
    "echo \$\$ > $group/cgroup.procs; exec $train"
else
  rmdir "$group" 2> /dev/null || true
  echo 'NOT COMPLETE: no cgroup with pids.max can be made here'
fi

# --- /dev/shm, loopback ---
unshare -mn true 2> /dev/null || { echo 'NOT COMPLETE: no namespaces here; /dev/shm and loopback were not looked at'; exit 0; }
small_shm() { echo "exec unshare -m bash -c 'mount -t tmpfs -o size=$1 tmpfs /dev/shm && $two $train ${2:-}'"; }
works "$(small_shm 1m '--allreduce ring')"
works "$(small_shm 20m '--allreduce ring --set model.3.Dense.units=3000')"
works "export OMPI_MCA_btl=self,tcp; $(small_shm 1m '--allreduce ring')"
short='/dev/shm of [^ ]+ has [0-9.]+ MiB free(, of which MPI may take [0-9.]+ MiB)?; a model on 2 ranks of a host .--allreduce ring goes without. needs [0-9.]+ MiB of it; mount'
told "$short" "$(small_shm 6m '--set model.3.Dense.units=3000')"
# What a run needs is counted, and taken before the first step: at no size does a rank die of SIGBUS. The ranks share one copy of the
# weights where their cores are near each other; where they are far, each has its own: so what is needed is read from the message.
for wide in '--set model.3.Dense.units=1500 --set model.4.Dense.units=1500 --set training.optimizer=adam --batch-size 1024' \
  '--set model.3.Dense.units=3000 --exchange gradients' '--set model.3.Dense.units=3000 --reproducible'; do
  told "${short/ .--allreduce ring goes without./.*}" "$(small_shm 9m "$wide")"
  need=$(sed -nE 's/.* needs ([0-9]+)\.[0-9] MiB of it; .*/\1/p' told.txt)
  mpi=$([ "$open_mpi" = 4 ] && echo 8 || echo 32)
  for size in 20 $((need / 2 + mpi)) $((need + mpi - 4)); do
    attempt "$(small_shm ${size}m "$wide")"
    # A measurement may find the cores near now that were far, and the run then needs less.
    [ $rc = 0 ] || expect_told "${short/ .--allreduce ring goes without./.*}" "a /dev/shm of $size MiB"
  done
  works "$(small_shm $((2 * need + mpi))m "$wide")"
done
told 'coordinator: nothing can connect to 127.0.0.1: .*ip link set lo up.*coordinator.listen=unix,.*coordinator.enabled=false' "exec unshare -n $train"
works "exec unshare -n $train --set coordinator.listen=unix"
echo 'limits: each is told once'

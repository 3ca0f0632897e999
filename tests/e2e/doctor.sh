#!/usr/bin/env bash
# lockstep doctor: a sound job is told so; each thing it looks for is brought about once and found, with its ranks and its severity.
set -euo pipefail
. "$LOCKSTEP_SOURCE/tests/support/command.sh"
. "$LOCKSTEP_SOURCE/launch/mpi_environment"
# LD_PRELOAD below; the limit on core dumps is looked at
export ASAN_OPTIONS=${ASAN_OPTIONS:-}:verify_asan_link_order=0:disable_coredump=0 TSAN_OPTIONS=${TSAN_OPTIONS:-}:disable_coredump=0

# examined NAME CODE COMMAND...: runs a `lockstep doctor --json`, COMMAND being a program or an exported function; what it says goes to NAME.json
examined() {
  local name=$1 code=$2 seen=0
  shift 2
  timeout 120 bash -c '"$@"' examined "$@" > "$name.json" 2> "$name.err" || seen=$?
  [ $seen = "$code" ] || { cat "$name.json" "$name.err"; fail "$name: exit code $seen, expected $code"; }
  [ $open_mpi = 4 ] || sed -i 's/\x00//g' "$name.json"  # the mpirun of Open MPI 5 adds one where MPI warns
  jq -e .checks "$name.json" > /dev/null 2>&1 || { cat "$name.json" "$name.err"; fail "$name: no report"; }
}
# finds NAME CHECK SEVERITY RANKS PATTERN: among NAME's findings; RANKS as JSON
finds() {
  jq -e --arg check "$2" --arg severity "$3" --argjson ranks "$4" --arg pattern "$5" '[.checks[] | select(.check == $check) | .findings[] |
    select(.severity == $severity and .ranks == $ranks and (.found | test($pattern)) and .effect != "" and .fix != "")] | length > 0' "$1.json" > /dev/null ||
    { jq '[.checks[] | select(.findings != [])]' "$1.json"; fail "$1: no $3 of $2 for ranks $4: $5"; }
}
# finds_nothing NAME CHECK: but a disk that other tests keep busy may be slow
finds_nothing() {
  jq -e --arg check "$2" '[.checks[] | select(.check == $check)] | length > 0 and
    all(.[].findings[]; .found | test("^writing 1 MiB to disk takes"))' "$1.json" > /dev/null ||
    { jq '[.checks[] | select(.findings != [])]' "$1.json"; fail "$1: $2 has findings, or was not looked at"; }
}
two() { mpirun --oversubscribe -np 2 "$lockstep" doctor --json "$@"; }
# one_of_two ENVIRONMENT ARGUMENTS...: the second of two ranks has something in its environment that the first has not. (The mpirun of Debian 13
# crashes when it is given two programs.)
one_of_two() {
  local with=$1
  shift
  mpirun --oversubscribe -np 2 bash -c 'with=$0; [ "$OMPI_COMM_WORLD_RANK" = 1 ] || with=; exec env $with "$lockstep" doctor --json "$@"' "$with" "$@"
}
export -f two one_of_two
export lockstep

garments 1100 103 211
cc -shared -fPIC -o faulty.so "$LOCKSTEP_SOURCE/tests/programs/faulty_calls.c" -ldl
faulty() { echo "LD_PRELOAD=$PWD/faulty.so FAULT=$1"; }

# --- a sound job ---
examined sound 0 two small.yaml
jq -e '.problems == 0 and .job.ranks == 2 and .job.hosts == 1 and ([.checks[].check] | length) >= 14' sound.json > /dev/null || { cat sound.json; fail 'a sound job'; }
for check in launch version attach clock hosts network ports proxy files data stale; do finds_nothing sound $check; done
[ ! -e runs ] || fail 'the doctor left a folder'
"$lockstep" doctor > text.txt || { cat text.txt; fail 'without a launcher'; }
grep -q '^lockstep doctor: 1 rank on 1 host' text.txt && grep -qE '^ok +version' text.txt && grep -q '^0 problems, ' text.txt || { cat text.txt; fail 'the report'; }

# --- launchers that MPI does not know ---
examined srun 1 env SLURM_PROCID=0 SLURM_STEP_ID=0 SLURM_STEP_NUM_TASKS=4 "$lockstep" doctor --json
finds srun launch problem '[]' '4 processes .*MPI did not join'
env SLURM_PROCID=1 SLURM_STEP_ID=0 SLURM_STEP_NUM_TASKS=4 "$lockstep" doctor > second.txt && fail 'the second process is content'
[ ! -s second.txt ] || fail 'every process speaks'
examined pmi2 1 env SLURM_STEP_ID=0 PMI_RANK=0 PMI_SIZE=4 "$lockstep" doctor --json
finds pmi2 launch problem '[]' PMI-2
examined fewer 0 env SLURM_NTASKS=4 "$lockstep" doctor --json
finds fewer launch warning '[]' '1 of the 4 tasks'

# --- programs, libraries, instruction sets ---
examined isa 1 one_of_two ONEDNN_MAX_CPU_ISA=SSE41
finds isa version problem '[]' 'ISA differs: .*rank 1'
examined mpi 1 one_of_two "$(faulty mpi)"
finds mpi version problem '[]' 'MPI differs: Open MPI v[45].* on rank 0 .*; Open MPI v6.0.3 on rank 1'
finds mpi version problem '[1]' 'built with Open MPI v[45].*runs with Open MPI v6.0.3'
examined hdf5 1 one_of_two "$(faulty hdf5)"
finds hdf5 version problem '[]' 'HDF5 differs: .*1.14.3 on rank 1'
cp "$lockstep" other
echo >> other
examined program 1 mpirun --oversubscribe -np 2 bash -c \
  '[ "$OMPI_COMM_WORLD_RANK" = 1 ] || exec "$lockstep" doctor --json; export LD_LIBRARY_PATH="$LOCKSTEP_BIN/../lib"; exec ./other doctor --json'
finds program version problem '[]' 'program differs'

# --- cores: Slurm's word for how many there are keeps this independent of the machine ---
examined crowd 1 env OMPI_MCA_mpi_yield_when_idle=0 mpirun -np 3 --oversubscribe --mca mpi_yield_when_idle 0 -x SLURM_CPUS_ON_NODE=2 "$lockstep" doctor --json
if jq -e '[.checks[] | select(.check == "cores") | .findings[] | select(.severity == "problem")] | length > 0' crowd.json > /dev/null; then
  finds crowd cores problem '[0,1,2]' '3 ranks on the (1 core|2 cores)'
else
  fail 'a crowd was not found'
fi
examined yielding 0 mpirun -np 3 --oversubscribe --mca mpi_yield_when_idle 1 -x SLURM_CPUS_ON_NODE=2 "$lockstep" doctor --json
finds yielding cores warning '[0,1,2]' '3 ranks on the (1 core|2 cores)'
examined threads 1 env OMP_NUM_THREADS=64 SLURM_CPUS_ON_NODE=2 "$lockstep" doctor --json
finds threads cores problem '[0]' '64 threads \(OMP_NUM_THREADS=64\) on [12] core'
if [ "$(nproc)" -ge 2 ]; then
  examined bound 1 mpirun -np 1 --bind-to core "$lockstep" doctor --json
  finds bound cores problem '[0]' 'may use 1 of the [0-9]+ cores'
  jq -e '[.checks[].findings[].fix | select(test("--map-by ppr:1:node:PE=[0-9]+ --bind-to core"))] | length == 1' bound.json > /dev/null || fail 'no option for more cores'
  examined idle 0 env OMP_NUM_THREADS=1 SLURM_CPUS_ON_NODE=2 "$lockstep" doctor --json
  finds idle cores warning '[0]' '1 thread \(OMP_NUM_THREADS=1\) on 2 cores'
else
  echo 'NOT COMPLETE: one core; binding to one of several was not looked at'
fi

# --- cross-memory attach; limits; proxies ---
if [ $open_mpi = 4 ]; then
  examined denied 1 env OMPI_MCA_btl_vader_single_copy_mechanism=cma "$LOCKSTEP_BIN/deny_cma" bash -c two
  finds denied attach problem '[0,1]' 'process_vm_readv: Operation not permitted'
else
  examined denied 0 "$LOCKSTEP_BIN/deny_cma" bash -c two
  finds_nothing denied attach
  holds '.[0].checks[] | select(.check == "attach") | .summary == "the kernel denies cross-memory attach, and Open MPI does without"' denied.json
fi
examined spared 0 env OMPI_MCA_btl_vader_single_copy_mechanism=none "$LOCKSTEP_BIN/deny_cma" bash -c two
finds_nothing spared attach
examined descriptors 1 mpirun --oversubscribe -np 2 bash -c 'ulimit -n 26; exec "$0" doctor --json' "$lockstep"
finds descriptors limits problem '[0]' '26 open files'
if ! grep -q '^|' /proc/sys/kernel/core_pattern && (ulimit -c unlimited) 2> /dev/null; then
  examined dumps 0 bash -c 'ulimit -c unlimited; two'
  finds dumps limits warning '[0,1]' 'core dumps'
fi
examined proxied 0 env -u no_proxy -u NO_PROXY http_proxy=http://proxy:3128 https_proxy=http://user:secret@proxy:3128 "$lockstep" doctor --json
finds proxied proxy warning '[0]' 'http_proxy, https_proxy'
! grep -q secret proxied.json || fail 'a password in the report'
examined direct 0 env no_proxy=localhost,127.0.0.1 http_proxy=http://proxy:3128 "$lockstep" doctor --json
finds_nothing direct proxy

# --- clocks ---
examined ahead 0 one_of_two "$(faulty clock_ahead)"
finds ahead clock warning '[0,1]' 'clock 100 s ahead of'
examined behind 1 one_of_two "$(faulty clock_behind)"
finds behind clock problem '[0,1]' 'clock 172800 s behind'

# --- the file system of the run directory ---
echo > plain
examined nowhere 1 two --run-dir plain/runs
finds nowhere files problem '[0]' 'making a folder in plain/runs: .*Not a directory'
examined fsync 1 env $(faulty fsync_fails) "$lockstep" doctor --json
finds fsync files problem '[0]' 'cannot sync it to disk: Input/output error'
examined slow 0 env $(faulty fsync_slow) "$lockstep" doctor --json
finds slow files warning '[0]' 'writing 1 MiB to disk takes [1-9]'
examined rename 1 env $(faulty rename) "$lockstep" doctor --json
finds rename files problem '[0]' 'was missing [1-9][0-9]* times'
examined lock 1 env $(faulty flock_fails) "$lockstep" doctor --json
finds lock files problem '[0]' 'flock fails: No locks available'
examined blind 0 one_of_two "$(faulty flock_blind)"
finds blind files warning '[1]' 'a lock \(flock\) that rank 0 holds is not seen'
examined late 0 one_of_two "$(faulty late)"
finds late files warning '[1]' 'only after half a second'
ls -A runs > left.txt 2> /dev/null && [ -s left.txt ] && fail "the doctor left $(cat left.txt)"

# --- the configuration, its data and its checkpoints ---
examined typo 1 two small.yaml --set trainin.epochs=1
finds typo config problem '[]' 'trainin'
examined absent 1 two small.yaml --set data.train.file=data/none.h5
finds absent data problem '[0,1]' 'training: data/none.h5'
ln -s garments.h5 data/hangs.h5
for seconds in 3 9 27; do  # other tests may keep ranks from starting in 3 s
  examined hung 1 env $(faulty open_hangs) mpirun --oversubscribe -np 2 \
    "$lockstep" doctor --json small.yaml --set data.test.file=data/hangs.h5 --timeout $seconds
  ! grep -qF 'data: opening' hung.json || break
done
finds hung hang problem '[]' "no end after $seconds s: data: opening data/hangs.h5"
grep -q "rank 1 on .*no end after $seconds s: data: opening data/hangs.h5" hung.err || { cat hung.err; fail 'the rank that hangs is not named'; }
examined crumbs 0 two small.yaml --set training.batch_size=8
finds crumbs data warning '[]' 'a batch of 8 makes 1 grains of 8 rows for 2 ranks'
h5repack -l /train/x:CHUNK=600x28x28 -f /train/x:GZIP=1 data/garments.h5 data/large_chunks.h5
examined windows 1 two small.yaml --set data.train.file=data/large_chunks.h5 --set data.memory=60K
finds windows data problem '[]' '/train/x is in chunks of 600 rows.*each row is decompressed about [0-9]+ times'
examined large 0 mpirun --oversubscribe --mca mpi_yield_when_idle 1 -np 4 "$lockstep" doctor --json small.yaml --set data.train.file=data/large_chunks.h5
finds large data warning '[]' 'chunks of 600 rows, where a rank reads 275'
h5repack -l /train/x:CHUNK=1x1x28 data/garments.h5 data/small_chunks.h5
examined small 0 two small.yaml --set data.train.file=data/small_chunks.h5
finds small data warning '[]' 'in 30800 chunks of 28 bytes'
repack=$(jq -r '.checks[] | select(.check == "data") | .findings[0].fix' small.json)
${repack/NEW_FILE/data/mended.h5}
examined mended 0 two small.yaml --set data.train.file=data/mended.h5
finds_nothing mended data
examined quota 1 env $(faulty quota) "$lockstep" doctor --json small.yaml
finds quota space problem '[0]' 'Disk quota exceeded.*checkpoints need 6.5 MiB'
mkdir -p runs/killed/checkpoints/.partial-step-00000012
touch -d '1 hour ago' runs/killed/checkpoints/.partial-step-00000012
examined leftovers 0 "$lockstep" doctor --json
finds leftovers stale warning '[0]' '1 half-written file .*runs/killed/checkpoints/.partial-step-00000012'

# --- what needs file systems and hosts of its own ---
. "$LOCKSTEP_SOURCE/tests/support/virtual_hosts.sh"
why=$(hosts_possible) || { echo "NOT COMPLETE: $why; small file systems and several hosts were not looked at"; exit 0; }
trap 'hosts_down; rm -rf "$work"' EXIT
mkdir -p disk
wide='--set model.3.Dense.units=3000'
examined full 1 unshare -m bash -c "mount -t tmpfs -o size=2m tmpfs disk && two small.yaml --run-dir disk/runs"
finds full space problem '[0]' 'disk/runs has [12]\.[0-9] MiB free.*checkpoints need'
finds full space warning '[0]' 'in memory'
examined shm 1 unshare -m bash -c "mount -t tmpfs -o size=20m tmpfs /dev/shm && two small.yaml $wide"
finds shm shared problem '[0,1]' 'MiB free in /dev/shm, where 2 ranks need about [3-9][0-9] MiB'
examined dead_jobs 0 unshare -m bash -c "mount -t tmpfs tmpfs /dev/shm && touch -d '1 hour ago' /dev/shm/vader_segment.dead && two"
finds dead_jobs shared warning '[0]' '1 files of dead jobs .*vader_segment.dead'
examined rdma 0 unshare -m bash -c 'mount -t tmpfs tmpfs /sys/class && mkdir -p /sys/class/infiniband/mlx5_0 && ulimit -l 64 && exec "$0" doctor --json' "$lockstep"
finds rdma limits warning '[0]' '64 KiB of memory may be locked'

hosts_up "$work/hosts" 2
export hosts_directory
two_hosts() { mpirun_hosts --host h1:1,h2:1 -np 2 "$@" "$lockstep" doctor --json; }
all_networks() { mpirun_hosts --mca btl_tcp_if_include "$1" --host h1:1,h2:1 -np 2 "$lockstep" doctor --json; }
export -f on_host with_mpi_on_hosts mpirun_hosts two_hosts all_networks
examined pair 0 two_hosts
jq -e '.job.hosts == 2' pair.json > /dev/null || fail 'two hosts'
for check in hosts network files clock; do finds_nothing pair $check; done
mkdir -p runs
on_host 2 mount -t tmpfs tmpfs runs
examined apart 1 two_hosts
on_host 2 umount runs
finds apart files problem '[1]' 'is not seen there'

on_host 2 hostname h1
examined namesakes 1 two_hosts
# finds_names NAME RANKS PATTERN: a problem of host names, with which MPI itself fails in Open MPI 5
finds_names() {
  case $open_mpi in
    4) finds "$1" hosts problem "$2" "$3" ;;
    5) finds "$1" launch problem '[]' 'each host of a job needs one name of its own' ;;
  esac
}
finds_names namesakes '[0,1]' '2 different machines are called h1'
on_host 2 hostname elsewhere
examined nameless 1 two_hosts
finds nameless hosts problem '[0,1]' 'the name elsewhere has no address'
on_host 2 hostname h2
cp hosts/hosts hosts.right
sed 's/^10.77.0.2 h2/127.0.1.1 h2/' hosts.right > hosts/hosts
examined loopback 1 two_hosts
finds loopback hosts problem '[0]' 'h2, another host, has a loopback address'
cat hosts.right > hosts/hosts
cp hosts/h1.pid hosts/ghost.pid  # mpirun takes h1 for two hosts
mkdir -p hosts/ghost
examined ghost 1 mpirun_hosts --host h1:1,ghost:1 -np 2 "$lockstep" doctor --json
finds_names ghost '[]' 'MPI sees 2 hosts, there is 1'
# A name server that never answers: the neighbour's address is known, and nobody has it.
on_host 1 ip neigh add 10.77.0.99 lladdr 02:00:00:00:00:99 dev eth0
echo 'nameserver 10.77.0.99' > resolv.conf
touch /etc/resolv.conf
on_host 1 mount --bind resolv.conf /etc/resolv.conf
on_host 2 hostname elsewhere
examined nameserver 1 two_hosts
finds nameserver hosts problem '[0]' 'looking up elsewhere takes longer than 5 s'
on_host 2 hostname h2

# Networks that Open MPI would use: those of its own options.
# bridge HOST NAME ADDRESS: as containers and virtual machines leave them
bridge() { on_host "$1" ip link add "$2" type bridge && on_host "$1" ip addr add "$3" dev "$2" && on_host "$1" ip link set "$2" up; }
bridge 2 extra 10.99.0.2/24
examined uneven 0 all_networks 10.77.0.0/24,10.99.0.0/24
finds uneven network warning '[1]' 'only 1 of 2 hosts are on 10.99.0.0/24'
examined chosen 0 two_hosts
finds_nothing chosen network
on_host 2 ip link del extra
for host in 1 2; do bridge $host docker0 172.17.0.1/16; done
# MPI's ranks may connect to themselves by an address that both hosts have. They hang then, or Open MPI 5 ends them.
code=0
timeout 120 bash -c 'all_networks 10.77.0.0/24,172.17.0.0/16' > mpi.json 2> mpi.err || code=$?
if [ $code = 75 ] && grep -q MPI_ERR_PROC_FAILED mpi.err; then
  echo 'NOT COMPLETE: MPI ended ranks that share an address before the doctor could look'
else
  examined doubled 1 bash -c "cat mpi.json; cat mpi.err >&2; exit $code"
  if grep -q '"no end after 30 s: MPI_Init"' doubled.json; then
    finds doubled launch problem '[]' MPI_Init
  else
    finds doubled network problem '[0,1]' 'docker0 172.17.0.1 is the address of several hosts'
  fi
fi
for host in 1 2; do on_host $host ip link del docker0; done
on_host 2 ip addr flush dev eth0
on_host 2 ip addr add 10.77.0.2/32 dev eth0
on_host 2 ip route add 10.77.0.1/32 dev eth0
examined routed 1 mpirun_hosts --mca btl_tcp_if_include eth0 --mca oob_tcp_if_include eth0 --host h1:1,h2:1 -np 2 "$lockstep" doctor --json
finds routed network problem '[]' 'no network that all hosts are on'
echo 'doctor: everything it looks for is found'

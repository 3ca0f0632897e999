#!/usr/bin/env bash
# lockstep submit and the batch script it writes, without Slurm: sbatch, scontrol, mpirun and srun are small scripts that tell what they were asked.
# (tests/faults/slurm.sh has the real ones.)
set -euo pipefail
. "$LOCKSTEP_SOURCE/tests/support/command.sh"
config=$LOCKSTEP_SOURCE/configs/quickstart.yaml

has() { grep -qxF -- "$2" "$1" || { cat "$1"; fail "$1 has no line '$2'"; }; }
says() { grep -qE -- "$2" "$1" || { cat "$1"; fail "$1 does not say '$2'"; }; }
# refused CODE PATTERN COMMAND...
refused() {
  local code=$1 pattern=$2 seen=0
  shift 2
  "$@" > refused.txt 2>&1 || seen=$?
  [ $seen = "$code" ] || { cat refused.txt; fail "$*: exit code $seen, expected $code"; }
  says refused.txt "$pattern"
}

# --- the script ---
sed '/^#SBATCH/d' "$LOCKSTEP_SOURCE/launch/slurm/train.sbatch" > plain.txt
"$lockstep" submit "$config" --dry-run > default.sbatch
diff <(sed '/^#SBATCH/d; /^lockstep=/d; /^runs=/d; /^arguments=/d' default.sbatch) <(sed '/^lockstep=/d; /^runs=/d; /^arguments=/d' plain.txt) || fail 'submit changed more than values'
[ ! -e runs ] || fail '--dry-run wrote something'
"$lockstep" submit "$config" --nodes 4 --ntasks-per-node 2 --cpus-per-task 8 --time 1-12 --partition long --account bio --array 0-9%2 --launcher srun \
  --max-restarts 3 --set seed=%a --set "name=it's" --dry-run -- --mem 4G --exclusive > full.sbatch
for line in '#SBATCH --nodes=4' '#SBATCH --ntasks-per-node=2' '#SBATCH --cpus-per-task=8' '#SBATCH --time=1-12' '#SBATCH --partition=long' '#SBATCH --account=bio' \
  '#SBATCH --array=0-9%2' '#SBATCH --mem 4G' '#SBATCH --exclusive' '#SBATCH --signal=B:USR1@120' '#SBATCH --output=runs/%x-%A_%a.out' launcher=srun max_restarts=3 \
  "lockstep=$(readlink -f "$lockstep")" "arguments=($config --set seed=%a --set 'name=it'\\''s')"; do
  has full.sbatch "$line"
done
[ "$(grep -c '^#SBATCH --nodes' full.sbatch)" = 1 ] || fail 'two lines about nodes'
"$lockstep" submit "$config" --time 2 --dry-run > short.sbatch
has short.sbatch '#SBATCH --signal=B:USR1@30'  # a quarter of the limit
refused 2 'no option of sbatch' "$lockstep" submit "$config" --dry-run -- 4G
refused 2 'expected minutes' "$lockstep" submit "$config" --time soon --dry-run
refused 2 "submit: --array '0-9; x': a blank cannot stand" "$lockstep" submit "$config" --array '0-9; x' --dry-run
refused 2 "submit: the configuration's name 'a b': a blank" "$lockstep" submit "$config" --set 'name=a b' --dry-run
refused 2 'a line break or another control character cannot stand' "$lockstep" submit "$config" --partition $'long\n#SBATCH --uid=0' --dry-run
refused 2 'a line break or another control character cannot stand' "$lockstep" submit "$config" --dry-run -- $'--comment=a\nrm x'
"$lockstep" submit "$config" --dry-run -- '--comment=two words' > words.sbatch
has words.sbatch "#SBATCH '--comment=two words'"
refused 2 'nodes' "$lockstep" submit "$config" --nodes 0 --dry-run
refused 2 'trainin' "$lockstep" submit "$config" --set trainin.epochs=1 --dry-run
refused 2 'none.yaml' "$lockstep" submit none.yaml --dry-run

# --- no sbatch: the script stays, and its place is told ---
nowhere=$(mktemp -d -p "$work")
for tool in bash sh; do ln -s "$(command -v $tool)" "$nowhere/$tool"; done
refused 1 'no sbatch on this machine. The script is runs/quickstart-[0-9-]+\.sbatch' env PATH="$nowhere" "$lockstep" submit "$config"

# --- submitted ---
mkdir bin
tool() { cat > "bin/$1"; chmod +x "bin/$1"; }
tool sbatch <<< '#!/usr/bin/env bash
echo "$*" > sbatch.txt
[ ! -e no ] || { echo "sbatch: error: invalid partition specified" >&2; exit 1; }
echo "4711;cluster"'
export PATH=$work/bin:$PATH
"$lockstep" submit "$config" --nodes 4 > submitted.txt
says submitted.txt '^submitted job 4711$'
says submitted.txt 'tail -F runs/quickstart-4711.out'
says sbatch.txt '^--parsable runs/quickstart-[0-9-]+\.sbatch$'
[ -f "$(sed 's/--parsable //' sbatch.txt)" ] || fail 'the script is not where sbatch was told'
touch no
refused 1 'invalid partition' "$lockstep" submit "$config"

# --- what the job does. mpirun and srun note their arguments, then act as `behaviour` says; scontrol notes that the job was requeued. ---
for launcher in mpirun srun; do
  tool $launcher <<< '#!/usr/bin/env bash
echo "$(basename "$0") $* threads $OMP_NUM_THREADS" >> calls.txt
trap "echo USR1 >> signals.txt; code=75" USR1
code=0
. ./behaviour
exit $code'
done
tool scontrol <<< '#!/usr/bin/env bash
if [ "$1" = requeue ]; then echo "$2" >> requeued.txt; kill -TERM $PPID; else cat reason.txt; fi'
mkfifo started never go
export SLURM_JOB_ID=12 SLURM_JOB_NAME=quickstart SLURM_JOB_NODELIST=h1 SLURM_CPUS_PER_TASK=8 SLURM_NTASKS_PER_NODE=2
wait_for_signal='echo > started; until [ -s signals.txt ]; do read -r -t 0.05 <> never || true; done'  # a read ends, so that traps run

# job NAME EXPECTED_CODE EXPECTED_REQUEUES BEHAVIOUR [SIGNAL...]: runs the script; signals are sent once the launcher has started
job() {
  local name=$1 code=$2 requeues=$3 seen=0 pid
  printf '%s\n' "$4" > behaviour
  shift 4
  rm -f calls.txt signals.txt requeued.txt
  : > requeued.txt
  timeout 60 bash "${script:-default.sbatch}" > "$name.txt" 2>&1 &
  pid=$!
  if [ $# -gt 0 ]; then
    read -r < started
    local shell
    shell=$(pgrep -P $pid)  # of timeout
    kill -"$1" "$shell"
    [ $# = 1 ] || { until [ -s signals.txt ]; do :; done; kill -"$2" "$shell"; }
    [ "$1" != TERM ] || echo > go
  fi
  wait $pid || seen=$?
  [ "$(wc -l < requeued.txt)" = "$requeues" ] || { cat "$name.txt"; fail "$name: requeued $(wc -l < requeued.txt) times, expected $requeues"; }
  [ "$requeues" != 0 ] || [ $seen = "$code" ] || { cat "$name.txt"; fail "$name: exit code $seen, expected $code"; }
}
running='JobState=RUNNING Reason=None Dependency=(null)'
echo "$running" > reason.txt
job done 0 0 'code=0'
has calls.txt "mpirun --map-by ppr:2:node:PE=8 --bind-to core --mca oob_tcp_keepalive_time 10 --mca oob_tcp_keepalive_intvl 5 --mca oob_tcp_keepalive_probes 3 $(readlink -f "$lockstep") train $config --run-dir runs/quickstart-12 --continue threads 8"
job again 75 1 'code=75'
has requeued.txt 12
job killed 137 1 'code=137'
job failed 1 0 'code=1'
job usage 2 0 'code=2'
job missing 127 0 'code=127'
export SLURM_RESTART_COUNT=9
job tenth 75 1 'code=75'
SLURM_RESTART_COUNT=10
job capped 75 0 'code=75'
says capped.txt 'given up after 10 restarts'
unset SLURM_RESTART_COUNT

job signalled 75 1 "$wait_for_signal" USR1
has signals.txt USR1
# A second one is not passed on: lockstep would leave without a checkpoint.
job twice 75 1 "$wait_for_signal; for i in 1 2 3 4; do read -r -t 0.05 <> never || true; done" USR1 USR1
[ "$(wc -l < signals.txt)" = 1 ] || fail "the launcher got $(wc -l < signals.txt) signals"
echo 'JobState=COMPLETING Reason=TimeLimit Dependency=(null)' > reason.txt
job limit 1 1 'echo > started; read -r < go; code=1' TERM
echo 'JobState=CANCELLED Reason=None Dependency=(null)' > reason.txt
job cancelled_late 75 0 'code=75'  # the signal to the shell comes after the ranks have left
job cancelled 75 0 'echo > started; read -r < go; code=75' TERM

echo "$running" > reason.txt

# --- srun; tasks of an array have their own run directories, however often they are requeued ---
for task in 3 4; do
  script=full.sbatch SLURM_ARRAY_JOB_ID=20 SLURM_ARRAY_TASK_ID=$task job array$task 0 0 'code=0'
  has calls.txt "srun --mpi=pmix --kill-on-bad-exit=0 --wait=10 --cpu-bind=cores $(readlink -f "$lockstep") train $config --set seed=$task --set name=it's --run-dir runs/quickstart-20_$task --continue threads 8"
done

# --- the template itself ---
bash "$LOCKSTEP_SOURCE/launch/slurm/train.sbatch" some.yaml --epochs 3 > template.txt
says calls.txt 'lockstep train some.yaml --epochs 3 --run-dir runs/quickstart-12 --continue threads 8$'
echo 'submit: the script is right, and goes on when it should'

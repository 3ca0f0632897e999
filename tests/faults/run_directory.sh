#!/usr/bin/env bash
# A run directory that is not what it was: checkpoints that cannot be listed or are gone, files of another kind, left-overs, a directory
# that is renamed or taken by another run while the run goes on.
. "$LOCKSTEP_SOURCE/tests/support/command.sh"
fail() { echo "FAILED: $*" >&2; [ ! -e out.txt ] || cat out.txt >&2; exit 1; }
train() { on 1 train small.yaml --threads 1 "$@" > out.txt 2>&1; }
files() { (cd "$1" && find . -type f ! -name .lock ! -name log.txt -exec sha256sum {} + | sort); }

garments 320 32 32
gcc -O1 -shared -fPIC -o faulty_calls.so "$LOCKSTEP_SOURCE/tests/programs/faulty_calls.c" -ldl
train --epochs 2 --run-dir a || fail "a run"
files a > a.before
unchanged() { files a | cmp - a.before || fail "the run has changed"; }

# --- checkpoints that cannot be seen are no reason to start anew ---
listing() { LD_PRELOAD=$PWD/faulty_calls.so FAULT=stale_listing timeout 100 "$lockstep" "$@"; }
refuse 1 'a/checkpoints: cannot list it: Stale file handle' listing train small.yaml --run-dir a --continue --epochs 3
refuse 1 'a/checkpoints: cannot list it: Stale file handle' listing train --resume a --epochs 3
refuse 1 'a/checkpoints: cannot list it: Stale file handle' listing evaluate a
unchanged
mv a/checkpoints away
refuse 1 'a holds no checkpoint to go on from, although it has trained' on 1 train small.yaml --run-dir a --continue --epochs 3
mkdir a/checkpoints  # a mount point
mv a/model.keras a/result.json .
refuse 1 'although it has trained (log.txt tells of one); is a/checkpoints on a file system that is not mounted?' \
  on 1 train --resume a --epochs 3
rmdir a/checkpoints
mv away a/checkpoints
mv model.keras result.json a
unchanged
train --run-dir a --continue --epochs 3 || fail "with its checkpoints again"
grep -q 'resuming from a/checkpoints/step-00000020 ' out.txt || fail "a resume after all this"

# --- no file ---
mkfifo fifo
cp -r a b
rm b/config.yaml b/coordinator.json
mkfifo b/config.yaml b/coordinator.json
refuse 2 'fifo: is a FIFO; expected a regular file' timeout 20 "$lockstep" train fifo
refuse 2 'fifo: is a FIFO; expected a regular file' timeout 20 "$lockstep" train small.yaml --data fifo --run-dir none
refuse 2 'fifo: is a FIFO; expected a regular file' timeout 20 "$lockstep" evaluate fifo
refuse 2 'b/config.yaml: is a FIFO' timeout 20 "$lockstep" train --resume b --epochs 4
refuse 2 '/dev/zero: is a device' timeout 20 "$lockstep" data import csv /dev/zero --target y out.h5
refuse 2 'fifo: is a FIFO' timeout 20 "$lockstep" launch -- mpirun --hostfile fifo "$lockstep" train small.yaml
refuse 2 'b/coordinator.json: is a FIFO' timeout 20 "$lockstep" status b

# --- mode, left-overs, sums over all starts ---
[ "$(stat -c %a a)" = 700 ] || fail "others may enter the run directory"
train --run-dir c --epochs 1 --set run_dir_mode=0750 && [ "$(stat -c %a c)" = 750 ] || fail "run_dir_mode"
refuse 2 "'run_dir_mode' must be an octal mode" on 1 train small.yaml --set run_dir_mode=rwx --run-dir none
mkdir own own-mode
chmod 2775 own own-mode
train --run-dir own --epochs 1 && [ "$(stat -c %a own)" = 2775 ] || fail "the mode of a directory that was there is changed"
train --run-dir own-mode --epochs 1 --set run_dir_mode=0750 && [[ "$(stat -c %a own-mode)" = *750 ]] || fail "run_dir_mode of a directory that was there"
touch c/history.csv.partial-999999 c/.coordinator.json.999999 c/notes.partial
mkdir c/checkpoints/.partial-step-00000001
train --run-dir c --epochs 1 --continue || fail "a finished run with left-overs"
[ ! -e c/history.csv.partial-999999 ] && [ ! -e c/.coordinator.json.999999 ] && [ ! -e c/checkpoints/.partial-step-00000001 ] && [ -e c/notes.partial ] || fail "left-overs stay"
holds '.[0] | .steps == 30 and .samples == 960 and .last_start.steps == 10 and .last_start.samples == 320 and .seconds > .last_start.seconds' a/result.json

# --- renamed, or locked by another, while the run goes on ---
# lose DIRECTORY COMMAND...: exit code of a run without end in this directory, once the command has run.
lose() {
  on 1 train small.yaml --threads 1 --epochs 1000000 --run-dir "$1" > out.txt 2>&1 &
  local job=$! rc=0
  until compgen -G "$1/checkpoints/step-*" > now.txt; do kill -0 $job 2> now.txt || fail "the run ended early"; done
  "${@:2}"
  wait $job || rc=$?
  [ $rc = 1 ] || fail "exit code $rc of a run that has lost its directory, expected 1"
}
lose d mv d moved
[ "$(grep -c "the run directory d was renamed to $work/moved while the run went on: it ends and writes nothing more; go on with it by --resume $work/moved" out.txt)" = 1 ] ||
  fail "not told, or not once"
[ ! -e d ] && [ ! -e moved/result.json ] || fail "what is left of a renamed run"
epochs=$(($(wc -l < moved/history.csv) + 1))
train --run-dir moved --continue --epochs $epochs || fail "a resume of the renamed run"
lose e rm e/.lock
[ "$(grep -c 'e/.lock was removed or replaced while the run went on, so that another run may write there: this one ends' out.txt)" = 1 ] \
  || fail "not told of another lock"
[ ! -e e/result.json ] || fail "written without the lock"
echo "run directory: all passed"

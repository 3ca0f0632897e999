#!/usr/bin/env bash
# A disk that becomes full while a run trains: a warning, then the run goes on to its last epoch and ends with exit code 1, naming path, needed and
# free bytes; what was saved before is whole, and with room again the run goes on from there. The disk is a small tmpfs in a mount namespace.
set -euo pipefail
if [ "${1:-}" != inside ]; then
  unshare -m true 2> /dev/null || { echo "no mount namespaces here (needs root)"; exit 77; }
  exec unshare -m bash "$0" inside
fi
. "$LOCKSTEP_SOURCE/tests/support/command.sh"
trap 'umount "$work/disk" 2> /dev/null || true; rm -rf "$work"' EXIT
fail() { echo "FAILED: $*" >&2; cat run.txt >&2; exit 1; }
on() { timeout 200 mpirun --oversubscribe -np "$1" "$lockstep" train "${@:2}"; }

mkdir disk
mount -t tmpfs -o size=4m tmpfs disk
garments 1200 100 100
train() { on 2 small.yaml --epochs 6 --set checkpoint.keep=10 --run-dir "$1" --continue > run.txt 2>&1; }  # 1.07 MB a checkpoint: three find room

launched() { timeout 200 "$lockstep" launch -- mpirun --oversubscribe -np 2 "$lockstep" train small.yaml --epochs 6 --set checkpoint.keep=10 --run-dir "$1" > run.txt 2>&1; }

train roomy || fail "with room"
rc=0
train disk/run || rc=$?
[ $rc = 1 ] || fail "exit code $rc of a run on a full disk, expected 1"
grep -q 'Epoch 6/6' run.txt || fail "training did not survive"
grep -q 'warning: no checkpoint of step [0-9]*: disk/run/checkpoints.*: No space left on device; a checkpoint needs [0-9]* bytes, [0-9]* are free' run.txt || fail "no warning"
grep -q '\[rank 0 on .*\] training is over (all 6 epochs done), but not all of it is on disk: no checkpoint of step [0-9]*: disk/run.*needs [0-9]* bytes, [0-9]* are free' run.txt ||
  fail "no error at the end"
[ "$(grep -c 'not all of it is on disk' run.txt)" = 1 ] || fail "the error is told more than once"
# Told again by whoever starts it again, by hand or by lockstep launch: a run whose model is on no disk is not done.
for again in train launched; do
  rc=0
  $again disk/run || rc=$?
  [ $rc = 1 ] || fail "exit code $rc of a run that has lost its result, started again by $again, expected 1"
  ! grep -q 'done before' run.txt || fail "a lost result is taken for one, by $again"
done
[ ! -e disk/run/model.keras ] && jq -e '.ended | startswith("all 6 epochs done, but not all of it is on disk: ")' disk/run/result.json > /dev/null || fail "what result.json says"
mount -o remount,size=40m disk
train disk/run || fail "with room again"
grep -q 'resuming from disk/run/checkpoints/step-' run.txt || fail "nothing was left to resume from"
! grep -q 'skipped a checkpoint' run.txt || fail "a damaged checkpoint was left"
[ "$(jq -r .weights_digest disk/run/result.json)" = "$(jq -r .weights_digest roomy/result.json)" ] || fail "other weights"
cmp disk/run/history.csv roomy/history.csv || fail "another history"

# --- answers that find no room: an error, no file, and nothing from HDF5 at the end ---
mkdir tiny
mount -t tmpfs -o size=16k tmpfs tiny
trap 'umount "$work/tiny" "$work/disk" 2> /dev/null || true; rm -rf "$work"' EXIT
for name in x.h5 x.csv; do
  rc=0
  "$lockstep" predict roomy --data data/garments.h5 --group train --proba --out tiny/$name > run.txt 2>&1 || rc=$?
  [ $rc = 1 ] || fail "exit code $rc of predict to $name on a full disk, expected 1"
  grep -q "tiny/$name.*No space left on device" run.txt || fail "predict to $name does not say what is wrong"
  ! grep -qi 'infinite loop' run.txt || fail "HDF5 cannot close"
  [ -z "$(ls -A tiny)" ] || fail "left behind: $(ls tiny)"
done
# --- a kill before the model was saved, with the result of an earlier Lockstep that wrote it first; and one between model and result ---
for lost in model.keras result.json; do
  cp roomy/$lost before
  rm roomy/$lost
  train roomy || fail "without $lost"
  ! grep -q 'done before' run.txt && [ -s roomy/$lost ] || fail "$lost is lost for ever"
  [ "$lost" = result.json ] || [ "$(unzip -p roomy/model.keras model.weights.h5 | sha256sum)" = "$(unzip -p before model.weights.h5 | sha256sum)" ] || fail "another model"
done
[ "$(jq -r .weights_digest before)" = "$(jq -r .weights_digest roomy/result.json)" ] || fail "another result"
rm roomy/model.keras
on 2 --resume roomy > run.txt 2>&1 && [ -s roomy/model.keras ] || fail "--resume does not bring a lost model back"
rc=0
on 2 --resume roomy > run.txt 2>&1 || rc=$?
[ $rc = 2 ] && grep -q 'all 6 epochs of roomy are done' run.txt || fail "exit code $rc of --resume of a whole run"
train roomy && grep -q 'all 6 epochs done before' run.txt || fail "a whole run is not left alone"
echo "full disk: all passed"

#!/usr/bin/env bash
# One run on 4, then 3, then 5, then 1 ranks, stopped each time in the middle of an epoch: the digest and history of the run on two ranks that went
# through. Then what a resume says about damaged checkpoints and about what would change the last bits.
set -euo pipefail
. "$LOCKSTEP_SOURCE/tests/support/command.sh"

garments 1200 100 100
common=(train small.yaml --set checkpoint.keep=100 --batch-size 50 --epochs 4 --set 'training.optimizer={SGD: {learning_rate: 0.02, momentum: 0.9}}')
on 2 "${common[@]}" --run-dir straight > straight.txt || fail "the run that goes through"
digest=$(jq -r .weights_digest straight/result.json)

# 24 steps an epoch. Each part trains to the end, and what it has written beyond the step named here is taken away, as if it had been killed then.
step=0
for part in 4:13 3:31 5:80 1:96; do
  ranks=${part%:*} to=${part#*:}
  on "$ranks" "${common[@]}" --run-dir parts --continue --set checkpoint.every_epochs=0 --set checkpoint.every_steps=$to > part.txt 2> part.err ||
    { cat part.txt part.err; fail "on $ranks ranks"; }
  [ $step = 0 ] || grep -q "resuming from parts/checkpoints/step-$(printf %08d $step) " part.txt || { cat part.txt; fail "on $ranks ranks: not from step $step"; }
  ! grep -q warning part.err || { cat part.err; fail "a warning on $ranks ranks"; }
  [ "$ranks" = 1 ] || rm -r parts/result.json parts/model.keras
  for checkpoint in parts/checkpoints/step-*; do
    [ "$((10#${checkpoint##*-}))" -le "$to" ] || rm -r "$checkpoint"
  done
  step=$to
done
[ "$(jq -r .weights_digest parts/result.json)" = "$digest" ] || fail "4, 3, 5 and 1 ranks end with other weights"
cmp straight/history.csv parts/history.csv || fail "4, 3, 5 and 1 ranks end with another history"
echo "4, 3, 5, 1 ranks: $digest"

# --- damaged checkpoints: each is named with its damage, and an older one is taken ---
truncate -s -7 parts/checkpoints/step-00000096/model.weights.h5
printf '\377' | dd of=parts/checkpoints/step-00000080/model.weights.h5 bs=1 seek=9000 conv=notrunc status=none
rm parts/checkpoints/step-00000031/manifest.json
rm parts/result.json
on 2 "${common[@]}" --run-dir parts --continue > part.txt 2> part.err || { cat part.txt part.err; fail "resume beside damaged checkpoints"; }
for text in '000096/model.weights.h5: expected' '000080/model.weights.h5: damaged' '000031/manifest.json: cannot open'; do
  grep -qF "$text" part.err || { cat part.err; fail "no '$text'"; }
done
grep -q 'resuming from parts/checkpoints/step-00000013 ' part.txt || { cat part.txt; fail "not the newest whole checkpoint"; }
[ "$(jq -r .weights_digest parts/result.json)" = "$digest" ] || fail "other weights after damaged checkpoints"

# --- what changes the last bits is named ---
rm parts/result.json
rm -r parts/checkpoints/step-000000{24,48,72,96}
on 2 "${common[@]}" --run-dir parts --continue --exchange gradients > part.txt 2> part.err || { cat part.txt part.err; fail "resume with gradients"; }
grep -q "exchange was 'dense: factors, .*' when the checkpoint was made and is 'gradients by .* on 2 ranks' now" part.err || { cat part.err; fail "another exchange is not told"; }

# --- never two writers: a run directory in use is refused (here by a process that has nothing else) ---
cp -r straight busy
rm busy/result.json
exec 9> busy/.lock
flock 9
echo "process 1 on elsewhere" > busy/.lock
rc=0
on 1 "${common[@]}" --run-dir busy --continue > part.txt 2> part.err || rc=$?
[ $rc = 2 ] && grep -q 'busy is in use by process 1 on elsewhere' part.err || { cat part.txt part.err; fail "two writers (exit code $rc)"; }
echo "resume: all passed"

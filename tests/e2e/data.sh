#!/usr/bin/env bash
# lockstep data make, import, show and fetch as a user types them.
set -euo pipefail
. "$LOCKSTEP_SOURCE/tests/support/command.sh"

# expect TEXT COMMAND...: succeeds and prints TEXT
expect() {
  local text=$1 out; shift
  out=$("$@" 2>&1) || fail "$* said: $out"
  grep -qF -- "$text" <<<"$out" || fail "'$text' is missing in the output of $*: $out"
}
nothing_left() { [ -z "$(find . -name "$1*")" ] || fail "left behind: $(find . -name "$1*")"; }

# --- make ---
expect 'lockstep data show g.h5' "$lockstep" data make garments g.h5 --train 300 --test 50 --seed 7
expect '/test/x  uint8 (50, 28, 28)' "$lockstep" data make garments again.h5 --train 300 --test 50 --seed 7
cmp g.h5 again.h5 || fail 'the same seed made different files'
"$lockstep" data make garments other.h5 --train 300 --test 50 --seed 8 >other.txt
! cmp -s g.h5 other.h5 || fail 'another seed made the same file'
OMP_NUM_THREADS=1 "$lockstep" data make garments single.h5 --train 300 --test 50 --seed 7 >single.txt
cmp g.h5 single.h5 || fail 'the number of threads changed the file'
refuse 2 '--force' "$lockstep" data make garments g.h5
cmp g.h5 again.h5 || fail 'a refused command changed the file'
expect g.h5 "$lockstep" data make garments g.h5 --train 300 --test 50 --seed 7 --force
refuse 2 '--train: must be a whole number of at least 1' "$lockstep" data make garments x.h5 --train 0
refuse 2 '--seed: must be' "$lockstep" data make garments x.h5 --seed -1
touch a_file
refuse 1 'cannot make the directory' "$lockstep" data make garments a_file/x.h5
expect '/valid/x  float32 (3870, 8)' "$lockstep" data make housing h.h5
refuse 2 'sum to' "$lockstep" data make housing x.h5 --split train=0.5,test=0.4
nothing_left x.h5

# --- show ---
"$lockstep" data show g.h5 >shown.txt
grep -qE '/train/x +\(300, 28, 28\) +uint8 +contiguous' shown.txt || fail 'shape, type and layout are not shown'
expect '0 T-shirt/top' "$lockstep" data show g.h5
LC_ALL=C "$lockstep" data show g.h5 --rows 3 --split test --png sheet.png >ascii.txt
! grep -qP '[^\x00-\x7F]' ascii.txt || fail 'a C locale got more than ASCII'
grep -q 'First 3 rows of /test/x' ascii.txt || fail 'no picture'
[ "$(head -c 8 sheet.png | od -An -tx1 | tr -d ' \n')" = 89504e470d0a1a0a ] || fail 'sheet.png is no PNG'
LC_ALL=C.UTF-8 "$lockstep" data show g.h5 --rows 1 >shades.txt
grep -q '[░▒▓█]' shades.txt || fail 'no Unicode shades in a UTF-8 locale'
expect 'Population' "$lockstep" data show h.h5
expect 'MedHouseVal' "$lockstep" data show h.h5 --split valid
refuse 1 'not an HDF5 file' "$lockstep" data show sheet.png
refuse 1 'No such file' "$lockstep" data show none.h5
refuse 2 'one of: /test, /train' "$lockstep" data show g.h5 --split nope
refuse 1 'no images' "$lockstep" data show h.h5 --png x.png

# --- import idx ---
printf '\0\0\010\003\0\0\0\002\0\0\0\002\0\0\0\002abcdefgh' >images
printf '\0\0\010\001\0\0\0\002\001\0' >labels
gzip -k images
expect '/train/x  uint8 (2, 2, 2)' "$lockstep" data import idx images.gz labels i.h5 --class-names dark,light
expect '1 light' "$lockstep" data show i.h5
expect '/b/y  uint8 (2)' "$lockstep" data import idx images labels images labels i.h5 --splits a,b --force
printf '\0\0\010\001\0\0\0\002\002\001' >letters
refuse 1 'if the labels begin with 1: --first-label 1' "$lockstep" data import idx images letters x.h5 --class-names a,b
expect '/train/y  uint8 (2)' "$lockstep" data import idx images letters letters.h5 --class-names a,b --first-label 1
printf 'x' >>labels
refuse 1 'trailing bytes' "$lockstep" data import idx images labels x.h5
head -c 20 images.gz >cut.gz
refuse 1 'cut short' "$lockstep" data import idx cut.gz labels x.h5
refuse 2 'pairs' "$lockstep" data import idx images labels
nothing_left x.h5

# --- import csv ---
printf 'name,size,weight,kind\r\n"a, ""b""",1,2.5,cat\r\nb,2,3.5,dog\r\nc,3,4.5,cat\r\nd,4,5.5,dog\r\n' >pets.csv
expect '/train/x  float32 (3, 2)' "$lockstep" data import csv pets.csv --target kind --drop name --split train=0.75,test=0.25 p.h5
expect '1 dog' "$lockstep" data show p.h5
printf 'a,b,c\n1,2,3\n4,5,6\n' >numbers.csv
expect '/train/y  float32 (2, 2)' "$lockstep" data import csv numbers.csv --target c --target a two.h5
refuse 1 "line 2, column 'name'" "$lockstep" data import csv pets.csv --target kind x.h5
printf 'a,b\n1,2\n3,\n' >hole.csv
refuse 1 "line 3, column 'b': missing value" "$lockstep" data import csv hole.csv --target a x.h5
nothing_left x.h5
printf ';place;value;kind\n0;bay;1,5;None\n1;;2,5;NA\n2;inland;3,5;None\n' >wild.csv
refuse 1 '--one-hot place' "$lockstep" data import csv wild.csv --target kind x.h5
expect 'place      feature          words, one-hot' "$lockstep" data import csv wild.csv --target kind --classes --one-hot place --impute mean --explain w.h5
expect '1 None' "$lockstep" data show w.h5
printf 'kind;value;place\nNA;7,5;inland\n' | gzip >next.csv.gz
expect 'another order' "$lockstep" data import csv next.csv.gz --like w.h5 n.h5
expect '1 None' "$lockstep" data show n.h5
expect '/train/x  float32 (4, 3)' "$lockstep" data import csv wild.csv next.csv.gz --target kind --classes --one-hot place --impute mean both.h5
refuse 2 'leave these out' "$lockstep" data import csv next.csv.gz --like w.h5 --target kind x.h5
refuse 2 'does not say how it was read' "$lockstep" data import csv next.csv.gz --like i.h5 x.h5
printf 'a\ty\n1,234\t0\n5,678\t1\n' >comma.csv
refuse 1 "comma.csv, line 2, column 'a': '1,234' may be 1.234 or 1234" "$lockstep" data import csv comma.csv --target y x.h5
expect 'MISSING  EXAMPLE' "$lockstep" data import csv comma.csv --target y --thousands , --explain comma.h5
expect '1234' "$lockstep" data show comma.h5
printf 'a;y\n1,5;NA\n2,5;low\n' >noted.csv
expect 'numbers have a decimal comma' "$lockstep" data import csv noted.csv --target y noted.h5
expect "'NA' is a class, not a missing value" "$lockstep" data import csv noted.csv --target y noted.h5 --force
cp noted.csv day2.csv
refuse 2 'day2.csv is no HDF5 file, and is not replaced' "$lockstep" data import csv noted.csv day2.csv --target y --force
cmp noted.csv day2.csv || fail 'an input was replaced'
printf 'place;value\ninland;3,5\n' >rows.csv
expect 'rows.csv: no column kind: the rows go to /test/x in their order, without targets' "$lockstep" data import csv rows.csv --like w.h5 rows.h5
expect '/test/x' "$lockstep" data show rows.h5
printf 'a,b\ncaf\351,1\n' >old.csv
refuse 1 'old.csv, line 2: byte 0xe9 is not UTF-8' "$lockstep" data import csv old.csv --target b x.h5
expect '/train/x  float32 (1, 1)' "$lockstep" data import csv old.csv --target b --ordinal a --encoding latin-1 latin.h5
printf '6,148,1\n1,85,0\n' >bare.csv
refuse 1 '--no-header' "$lockstep" data import csv bare.csv --target c3 x.h5
expect '/train/x  float32 (2, 2)' "$lockstep" data import csv bare.csv --target c3 --no-header bare.h5

# --- import images, and files of formats that are converted elsewhere ---
mkdir -p photos/train/cat photos/train/dog photos/test/dog
cp sheet.png photos/train/cat/1.png
cp sheet.png photos/train/dog/2.PNG
cp sheet.png photos/test/dog/3.png
echo 'a note' >photos/train/cat/note.txt
expect '/train/x  uint8 (2, 10, 12)' "$lockstep" data import images photos photos.h5 --size 10x12
expect '1 files that do not end in .png' "$lockstep" data import images photos photos.h5 --size 10x12 --color --force
expect '1 dog' "$lockstep" data show photos.h5
expect '/test/x  uint8 (1, 10, 12, 3)' "$lockstep" data import images photos photos.h5 --size 10x12 --color --force
head -c 100 sheet.png >photos/train/cat/cut.png
refuse 1 'cut.png: not a whole PNG' "$lockstep" data import images photos x.h5
refuse 2 'expected HEIGHTxWIDTH' "$lockstep" data import images photos x.h5 --size 10
printf 'PAR1....PAR1' >table.parquet
refuse 1 'it is a Parquet file' "$lockstep" data show table.parquet
refuse 1 "pandas.read_parquet('table.parquet').to_csv" "$lockstep" data import csv table.parquet --target y x.h5

nothing_left x.h5

# --- fetch: never from the internet ---
mkdir fake
head -c 100 /dev/zero >fake/train-images-idx3-ubyte.gz
refuse 1 'cut short' "$lockstep" data fetch fashion_mnist x.h5 --from fake
refuse 1 'cut short' "$lockstep" data fetch fashion_mnist x.h5 --from "file://$work/fake"
refuse 1 'found none of' "$lockstep" data fetch california_housing x.h5 --from fake
refuse 2 'no such directory' "$lockstep" data fetch fashion_mnist x.h5 --from nowhere
refuse 2 'fashion_mnist' "$lockstep" data fetch mnist x.h5
nothing_left x.h5
if [ -n "${LOCKSTEP_DATA:-}" ]; then
  expect '/train/x  uint8 (60000, 28, 28)' "$lockstep" data fetch fashion_mnist fashion.h5 --from "$LOCKSTEP_DATA/fashion-mnist"
  expect '9 Ankle boot' "$lockstep" data show fashion.h5 --rows 1
  expect '/train/x  float32 (11610, 8)' "$lockstep" data fetch california_housing california.h5 --from "$LOCKSTEP_DATA/california-housing"
  cp "$LOCKSTEP_DATA/california-housing/cal_housing.data" fake/cal_housing.data
  chmod u+w fake/cal_housing.data
  printf '9' | dd of=fake/cal_housing.data bs=1 seek=1000 conv=notrunc status=none
  refuse 1 'sha256' "$lockstep" data fetch california_housing x.h5 --from fake
else
  echo 'SKIPPED: LOCKSTEP_DATA is not set, the real Fashion-MNIST and California housing files were not fetched'
fi

# --- files that name classes and columns are matched by name ---
awk 'BEGIN { srand(3); print "age,dose,y" > "ordered.csv"; print "dose,age,y" > "turned.csv"
  for (i = 0; i < 200; ++i) { a = rand(); d = rand(); y = 2 * a - d; print a "," d "," y > "ordered.csv"; print d "," a "," y > "turned.csv" } }'
"$lockstep" data import csv ordered.csv --target y --split train=1 ordered.h5 > made.txt
"$lockstep" data import csv turned.csv --target y --split test=1 turned.h5 > made.txt
cat > matched.yaml <<END
model: [{Dense: {units: 1}}]
training: {loss: mse, optimizer: {Adam: {learning_rate: 0.05}}, epochs: 20, batch_size: 16}
data: {train: {file: ordered.h5, group: train}, test: {file: turned.h5, group: test}}
END
"$lockstep" train matched.yaml --run-dir runs/matched > matched.txt
grep -qF 'note: turned.h5: its columns take the order of ordered.h5' matched.txt || { cat matched.txt; fail 'nothing is said of the order'; }
jq -e '.final | .test.loss / .train.loss - 1 | fabs < 0.5' runs/matched/result.json > scores.txt || fail 'the test columns are in another order'
sed 's/dose/rate/' turned.csv > unknown.csv
"$lockstep" data import csv unknown.csv --target y --split test=1 unknown.h5 > made.txt
refuse 2 'expected the features of ordered.h5, which are age, dose; found rate, age; missing: dose; unknown: rate' \
  "$lockstep" train matched.yaml --set data.test.file=unknown.h5 --run-dir runs/unknown

# --- names belong to the model: evaluate, predict, resume and convert go by them ---
awk 'BEGIN { srand(7); split("cat dog fox", kinds, " "); split("-3 3 0", x, " "); split("0 0 4", y, " ")
  split("train.csv 1 2 3,test.csv 2 3 3,day1.csv 1 2 2,day2.csv 2 3 3", files, ",")
  for (f = 1; f <= 4; ++f) {
    split(files[f], part, " "); print "a,b,kind" > part[1]
    for (i = 0; i < 120; ++i) { k = part[2 + i % 3]; print x[k] + rand() / 2 "," y[k] + rand() / 2 "," kinds[k] > part[1] }
  } }'
for name in train test day1 day2; do "$lockstep" data import csv $name.csv --target kind $name.h5 > made.txt; done
cat > animals.yaml <<END
model: [{Dense: {units: 8, activation: relu}}, {Dense: {units: 3, activation: softmax}}]
training: {loss: sparse_categorical_crossentropy, metrics: [accuracy, {accuracy: {name: right}}], optimizer: {Adam: {learning_rate: 0.05}}, epochs: 6, batch_size: 16}
data: {train: {file: train.h5, group: train}}
END
for ranks in 1 3; do
  on $ranks train animals.yaml --run-dir runs/animals$ranks > trained.txt 2>&1 || { cat trained.txt; fail 'the animals are not trained'; }
  on $ranks evaluate runs/animals$ranks --data test.h5 --group train --json > scores.json 2> said.txt
  holds '.[0] | .accuracy > 0.95 and .right == .accuracy' scores.json
  grep -qF 'note: test.h5: its class indices take the order of runs/animals' said.txt || { cat said.txt; fail 'nothing is said of the classes'; }
  on $ranks train animals.yaml --set 'data.train.file=day*.h5' --run-dir runs/days$ranks > trained.txt 2>&1
  on $ranks evaluate runs/days$ranks/model.keras --data train.h5 --group train --json > scores.json 2> said.txt
  holds '.[0].accuracy > 0.95' scores.json
done
holds '.[0].names | .class_names == ["cat", "dog", "fox"] and .feature_names == ["a", "b"] and .csv_import.targets == ["kind"]' runs/animals1/result.json
for model in runs/animals1 runs/animals1/model.keras; do
  expect 'classes:   cat, dog, fox' "$lockstep" summary $model
  expect "tables:    separator ','" "$lockstep" summary $model
done
"$lockstep" convert runs/animals1/model.keras animals.h5 > made.txt
"$lockstep" convert animals.h5 again.keras > made.txt
for model in animals.h5 again.keras; do
  "$lockstep" evaluate $model --data test.h5 --group train --json > scores.json 2> said.txt
  holds '.[0].accuracy > 0.95' scores.json
done
printf 'b,a,kind\n0.2,-3,cat\n4.1,0.1,owl\n' > birds.csv
"$lockstep" data import csv birds.csv --target kind --split test=1 --seed 3 birds.h5 > made.txt
refuse 2 'birds.h5: expected classes of runs/animals1, which are cat, dog, fox; found cat, owl; unknown: owl' "$lockstep" evaluate runs/animals1 --data birds.h5 --group test
expect 'warning: birds.h5 has classes that runs/animals1 does not have: owl' "$lockstep" predict runs/animals1 --data birds.h5 --group test
"$lockstep" predict runs/animals1 --data birds.h5 --out birds.out.csv > made.txt 2> said.txt
for note in 'its columns take the order of runs/animals1' "rows of group '/test'"; do grep -qF "note: birds.h5: $note" said.txt || { cat said.txt; fail "no '$note'"; }; done
[ "$(sed 1d birds.out.csv | cut -d, -f2- | sort | tr '\n' ' ')" = '0,cat 2,fox ' ] || { cat birds.out.csv; fail 'a row of a file with other classes'; }
sed -E 's/^([^,]*),([^,]*)/\2,\1/' train.csv > turned_train.csv
"$lockstep" data import csv turned_train.csv --target kind turned_train.h5 > made.txt
"$lockstep" train --resume runs/animals1 --epochs 7 --set data.train.file=turned_train.h5 > resumed.txt 2>&1 || { cat resumed.txt; fail 'resume'; }
grep -qF 'note: turned_train.h5: its columns take the order of the checkpoint' resumed.txt || { cat resumed.txt; fail 'the resume says nothing of the order'; }
refuse 2 'expected classes of the checkpoint, which are cat, dog, fox; found cat, owl' \
  "$lockstep" train --resume runs/animals1 --epochs 8 --set data.train.file=birds.h5 --set data.train.group=test
# a checkpoint of an earlier version names nothing
old=$(ls -d runs/animals3/checkpoints/step-* | tail -1)
cp -r "$old" old
jq 'del(.lockstep)' old/config.json > config.json
mv config.json old/config.json
jq --arg sum "$(sha256sum old/config.json | cut -d' ' -f1)" --argjson bytes "$(stat -c %s old/config.json)" '.files["config.json"] = {bytes: $bytes, sha256: $sum}' old/manifest.json > manifest.json
mv manifest.json old/manifest.json
"$lockstep" evaluate old --data train.h5 --group train --json > scores.json
holds '.[0].accuracy > 0.95' scores.json
"$lockstep" predict old --data turned_train.h5 --group train --out bare_run.csv > made.txt
head -1 bare_run.csv | grep -qx 'row,class,name' || fail 'predict by a checkpoint without names'
# training data without names: the other data must agree
sed 's/cat/0/; s/dog/1/; s/fox/2/' train.csv > numbers.csv
"$lockstep" data import csv numbers.csv --target kind nameless.h5 > made.txt
cat > nameless.yaml <<END
model: [{Dense: {units: 3, activation: softmax}}]
training: {loss: sparse_categorical_crossentropy, epochs: 1, batch_size: 16}
data: {train: {file: nameless.h5, group: train}, validation: {file: train.h5, group: train}, test: {file: test.h5, group: train}}
END
"$lockstep" train nameless.yaml --run-dir runs/bare > trained.txt 2>&1
grep -qF 'note: test.h5: its class indices take the order of nameless.h5 and train.h5' trained.txt || { cat trained.txt; fail 'validation and test data are not compared'; }

# --- predict takes what people have ---
printf 'who;b;a\n"a; ""b""";0,2;-3,1\nsecond\tone;4,1;0,2\n' > new.csv
for ranks in 1 3; do
  on $ranks predict runs/animals1 --data new.csv --id who --proba --out new$ranks.csv > made.txt 2> said.txt || { cat said.txt; fail 'predict of a table'; }
  grep -qF "note: new.csv: read with separator ';' and decimal sign ','" said.txt || { cat said.txt; fail 'nothing is said of the separator'; }
  on $ranks train matched.yaml --run-dir runs/matched$ranks > trained.txt 2>&1
  on $ranks predict runs/matched$ranks --data turned.csv --out values$ranks.csv > made.txt 2> said.txt
  grep -qF "note: turned.csv: column 'y' is the target; it is left out" said.txt || { cat said.txt; fail 'nothing is said of the target'; }
  rm -f direct.csv
  "$lockstep" predict runs/matched$ranks --data ordered.h5 --group train --out direct.csv > made.txt 2>&1
  cut -d, -f2 direct.csv | sort > direct.txt
  cut -d, -f2 values$ranks.csv | sort | cmp - direct.txt || fail 'the answers to a table and to its data file differ'
done
cmp new1.csv new3.csv || fail 'the number of ranks changes answers to a table'
head -1 new1.csv | grep -qx 'who,class,name,cat,dog,fox' || { cat new1.csv; fail 'the names of the answers'; }
head -1 values1.csv | grep -qx 'row,y' || { cat values1.csv; fail 'the name of the target'; }
sed -n 2p new1.csv | grep -q '^"a; ""b""",0,cat,' || { cat new1.csv; fail 'the first answer'; }
sed -n 3p new1.csv | grep -q $'^second\tone,2,fox,' || { cat new1.csv; fail 'the second answer'; }
gzip -k new.csv
"$lockstep" predict runs/animals1 --data new.csv.gz --id who --out new.h5 > made.txt 2>&1
expect '/who' "$lockstep" data show new.h5
"$lockstep" predict runs/animals1 --data new.csv --id who --rows 1:2 > shown.txt 2>&1
grep -q 'row 1 .*fox' shown.txt && ! grep -q 'row 0' shown.txt || { cat shown.txt; fail 'rows of a table'; }
refuse 2 'expected rows 5 to 7' "$lockstep" predict runs/animals1 --data new.csv --id who --rows 5:7
refuse 1 'its columns are not those of runs/animals1: unknown: who (--id COLUMN' "$lockstep" predict runs/animals1 --data new.csv
refuse 2 "there is no column 'id'" "$lockstep" predict runs/animals1 --data new.csv --id who --id id --out none.csv
refuse 2 'new.csv has no groups' "$lockstep" predict runs/animals1 --data new.csv --id who --group test
refuse 2 'cannot have a column of this name' "$lockstep" predict runs/animals1 --data new.csv --id class --out none.csv
refuse 1 'nowhere.csv' "$lockstep" predict runs/animals1 --data nowhere.csv --out none.csv
nothing_left none.csv
python3 - << 'PY'
import struct, zipfile
with zipfile.ZipFile("new.npz", "w") as archive:
    for name, kind, shape, data in (("x", "<f8", "(2, 2)", struct.pack("<4d", -3, 0.2, 0.1, 4.1)), ("who", "|S2", "(2,)", b"n1n2")):
        header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
        archive.writestr(name + ".npy", b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + data)
PY
for ranks in 1 3; do
  on $ranks predict runs/animals1 --data new.npz --id who --out npz$ranks.csv > made.txt 2>&1
  [ "$(cat npz$ranks.csv)" = $'who,class,name\nn1,0,cat\nn2,2,fox' ] || { cat npz$ranks.csv; fail 'rows of NumPy'; }
done
refuse 2 "there is no array 'id'" "$lockstep" predict runs/animals1 --data new.npz --id id
printf 'rooms,place,size,price\n3,bay,big,5\n,inland,small,3\n2,bay,small,4\n5,inland,big,9\n' > holes.csv
"$lockstep" data import csv holes.csv --target price --one-hot place --ordinal size --impute median holes.h5 > made.txt
"$lockstep" train matched.yaml --set data.train.file=holes.h5 --set data.test.file=holes.h5 --set data.test.group=train --epochs 2 --run-dir runs/holes > trained.txt 2>&1
printf 'size,house,place,rooms\nbig,h2,bay,3\nsmall,h1,inland,\n' > houses.csv
"$lockstep" predict runs/holes --data houses.csv --id house --out houses.out.csv > made.txt 2>&1
"$lockstep" predict runs/holes --out holes.out.csv > made.txt 2>&1
[ "$(cut -d, -f1 houses.out.csv | tr '\n' ' ')" = 'house h2 h1 ' ] || { cat houses.out.csv; fail 'ids of the houses'; }
cmp <(sed 1d houses.out.csv | cut -d, -f2) <(sed -n 2,3p holes.out.csv | cut -d, -f2) || { cat houses.out.csv holes.out.csv; fail 'rows are not encoded and filled as in training'; }
sed 's/bay/moon/' houses.csv > moon.csv
refuse 1 "column 'place' holds 'moon', which is no word of runs/holes" "$lockstep" predict runs/holes --data moon.csv --id house
printf 'rooms,place,size,price\n3,bay,big,5\n2,inland,huge,3\n' > huge.csv
"$lockstep" data import csv huge.csv --target price --one-hot place --ordinal size huge.h5 > made.txt
refuse 2 "huge.h5: the numbers in column 'size' stand for the words big, huge, but in runs/holes for big, small" "$lockstep" evaluate runs/holes --data huge.h5 --group train

# --- what acts on the numbers is said, and what is seldom meant ---
cat > seen.yaml <<END
model: [Flatten: {}, Dense: {units: 10}]
training: {loss: sparse_categorical_crossentropy, epochs: 1, batch_size: 30, validation_split: 0.1, class_weight: {0: 2, 11: 3}}
data: {train: {file: g.h5, group: train}}
END
"$lockstep" train seen.yaml --run-dir runs/seen > seen.txt 2> warnings.txt
grep -qF 'validation: the last 30 rows of the training data (validation_split 0.1)' seen.txt || { cat seen.txt; fail 'no validation split'; }
grep -qE 'rows of each class: 0 \(T-shirt/top\): [0-9]+, 1 \(Trouser\): ' seen.txt || { cat seen.txt; fail 'no class counts'; }
grep -qF "expects probabilities, but the last activation is linear; take softmax, or from_logits: true" warnings.txt ||
  { cat warnings.txt; fail 'no word of the logits'; }
grep -qF 'training.class_weight gives class 11 a weight, but none of the 270 training rows is of it' warnings.txt ||
  { cat warnings.txt; fail 'no word of class 11'; }

# --- the help of every command teaches by example ---
for command in 'make garments' 'make housing' 'import idx' 'import csv' 'import npz' 'import npy' 'import images' 'import hdf5' show fetch; do
  # shellcheck disable=SC2086
  expect 'Example' "$lockstep" data $command --help
done

# --- files of h5py, and ours read by h5py (interoperability) ---
if python3 -c 'import h5py' 2>/dev/null; then
  python3 - <<'PY'
import h5py, numpy as np
with h5py.File("py.h5", "w") as f:
    f.create_dataset("train/x", data=np.arange(24, dtype=">i2").reshape(4, 6), chunks=(2, 3), compression="gzip", shuffle=True)
    f["train/y"] = np.array([True, False, True, True])
    f.attrs["class_names"] = ["no", "yes"]
with h5py.File("lzf.h5", "w") as f:
    f.create_dataset("train/x", data=np.zeros((4, 6)), compression="lzf")
    f["train/y"] = np.array([468629, 111298, 330000, 250000])
x = np.random.default_rng(0).normal(size=(300, 4)).astype("f4")
y = (x[:, 0] > 0).astype("i4")
with h5py.File("strings.h5", "w") as f:
    f["train/x"], f["train/y"] = x, np.array([b"no", b"yes"])[y]
    f["test/x"] = x[:9]
    f.create_dataset("test/y", data=[["no", "yes"][i] for i in y[:9]], dtype=h5py.string_dtype())
with h5py.File("matlab.h5", "w", userblock_size=512) as f:
    f["X"], f["y"] = x.T.astype("f8"), y[None, :].astype("f8") + 1
with h5py.File("times.h5", "w") as f:
    f["train/x"], f["train/y"] = np.arange(1_700_000_000, 1_700_000_300).reshape(300, 1), y
    f["train/a"], f["train/b"] = x[:, 0], x[:, 1:]
with h5py.File("g.h5") as f:
    assert f["train/x"].shape == (300, 28, 28) and f["train/x"].dtype == np.uint8
    assert list(f.attrs["class_names"])[9] == "Ankle boot", f.attrs["class_names"]
    assert (np.bincount(f["train/y"][:]) == 30).all()
PY
  expect 'yes' "$lockstep" data show strings.h5
  cat > wild.yaml <<END
model: [{Dense: {units: 2, activation: softmax}}]
training: {loss: sparse_categorical_crossentropy, metrics: [accuracy], optimizer: {Adam: {learning_rate: 0.05}}, epochs: 10, batch_size: 20}
data: {train: {file: strings.h5, group: train}, test: {file: strings.h5, group: test}}
END
  expect 'rows of each class: 0 (no): 1' "$lockstep" train wild.yaml --run-dir runs/strings
  jq -e '.final.test.accuracy > 0.8' runs/strings/result.json >scores.txt || fail 'strings are no classes'
  cat > matlab.yaml <<END
model: [{Dense: {units: 2, activation: softmax}}]
training: {loss: sparse_categorical_crossentropy, metrics: [accuracy], optimizer: {Adam: {learning_rate: 0.05}}, epochs: 10, batch_size: 20}
data: {transpose: true, first_label: 1, train: {file: matlab.h5, features: X, truth: y}}
END
  refuse 2 'the last axes fit (300)' "$lockstep" train matlab.yaml --set data.transpose=false --run-dir runs/reversed
  refuse 1 'data.first_label: 1' "$lockstep" train matlab.yaml --set data.first_label=0 --run-dir runs/from_one
  "$lockstep" train matlab.yaml --run-dir runs/matlab >matlab.txt
  jq -e '.final.train.accuracy > 0.8' runs/matlab/result.json >scores.txt || fail 'axes in reverse are not read'
  "$lockstep" predict runs/matlab --out labels.csv > made.txt
  cut -d, -f3 labels.csv | sort -u | paste -sd, | grep -qx '1,2,name' || { cat labels.csv; fail "the file's labels do not name the classes"; }
  expect '/test/x  float64 (60, 4)' "$lockstep" data import hdf5 matlab.h5 --features X --target y --transpose --first-label 1 \
    --split train=0.8,test=0.2 --seed 3 rows.h5 --force
  python3 - <<'PY'
import h5py, numpy as np
with h5py.File("matlab.h5") as f, h5py.File("rows.h5") as g:
    x, y = f["X"][:].T, f["y"][0] - 1
    for split in "train", "test":
        for row, label in zip(g[split]["x"][:], g[split]["y"][:]):
            assert y[np.flatnonzero((x == row).all(1))[0]] == label
PY
  expect '297 of 300 distinct values become equal' "$lockstep" data show times.h5
  sed 's/strings.h5, group: train/times.h5, group: train/; s/, test: .*/}/' wild.yaml >times.yaml
  "$lockstep" train times.yaml --run-dir runs/times >times.txt 2>warnings.txt || true
  grep -qF '297 of 300 distinct values become equal to others as float32' warnings.txt || { cat warnings.txt; fail 'no word of lost values'; }
  "$lockstep" train times.yaml --set 'data.train.features=[a, b]' --run-dir runs/variables >variables.txt
  jq -e '.final.train.accuracy > 0.8' runs/variables/result.json >scores.txt || fail 'several variables are not read'
  python3 - <<'PY'
import numpy as np
x, y = np.arange(12, dtype="f8").reshape(3, 4), np.array(["no", "yes", "no"])
np.savez_compressed("a.npz", x_train=np.asfortranarray(x), y_train=y, x_test=x[:1], y_test=y[:1])
np.savez("o.npz", x=np.array([1, "a"], dtype=object), y=y)
np.save("x.npy", x)
np.save("y.npy", y)
PY
  expect '/test/x  float64 (1, 4)' "$lockstep" data import npz a.npz a.h5
  expect '1 yes' "$lockstep" data show a.h5
  refuse 1 'Python objects' "$lockstep" data import npz o.npz x.h5
  refuse 2 "no array 'z'" "$lockstep" data import npz o.npz --arrays train=z,y x.h5
  expect '/train/x  float64 (3, 4)' "$lockstep" data import npy x.npy y.npy pair.h5
  nothing_left x.h5
  refuse 1 'compressed with the filter lzf' "$lockstep" data show lzf.h5
  python3 -c 'import h5py; f = h5py.File("lzf.h5", "a"); x = f["train/x"][:]; del f["train/x"]; f["train/x"] = x'
  expect 'COLUMN     MIN    MEAN     MAX     STD' "$lockstep" data show lzf.h5  # prices are no classes
  expect 'gzip(4)' "$lockstep" data show py.h5
  expect '1 yes' "$lockstep" data show py.h5
else
  echo 'SKIPPED: h5py is not installed, files were not exchanged with it'
fi
echo 'data: all commands behave'

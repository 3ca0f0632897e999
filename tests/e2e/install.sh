#!/usr/bin/env bash
# cmake --install, then a project outside the tree that knows nothing but the prefix: it builds the README's program with the README's CMake lines,
# includes every installed header, and runs on drawn data, alone and on two ranks.
set -euo pipefail
build=$(dirname "$LOCKSTEP_BIN")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "FAILED: $*" >&2; exit 1; }
# block LANGUAGE: the README's code block of that language
block() { awk -v open="\`\`\`$1" '$0 == open { on = 1; next } /^```$/ { on = 0 } on' "$LOCKSTEP_SOURCE/README.md"; }

cmake --install "$build" --prefix "$work/first" > "$work/install.txt"
mv "$work/first" "$work/prefix"  # an installation may be moved
prefix=$work/prefix
! grep -rlF "$LOCKSTEP_SOURCE" "$prefix/include" "$prefix"/lib*/cmake "$prefix/share" || fail 'an installed file names the source tree'
version=$(cd / && "$prefix/bin/lockstep" --version)
[ "$version" = "$("$LOCKSTEP_BIN/lockstep" --version)" ] || fail "the installed command says: $version"
for file in CHANGELOG.md CITATION.cff; do
  grep -qE "^(## |version: )$version\$" "$LOCKSTEP_SOURCE/$file" || fail "$file does not know version $version"
done
! ldd "$prefix/bin/lockstep" | grep -F "$build" || fail 'the installed command loads the library of the build tree'

(cd / && "$prefix/bin/lockstep" submit "$prefix/share/lockstep/configs/quickstart.yaml" --nodes 4 --dry-run) > "$work/script"
grep -qx '#SBATCH --nodes=4' "$work/script" || fail 'no batch script'

# A client in another language finds what it is generated from, and needs no other file for that.
mkdir "$work/stubs"
protoc -I "$prefix/share/lockstep" --python_out="$work/stubs" coordinator.proto || fail 'coordinator.proto is not installed or not complete'

# --- the example is the README's, word for word ---
block cpp > "$work/readme.cpp"
sed -n '/^#include/,$p' "$LOCKSTEP_SOURCE/launch/examples/fashion_mnist.cpp" | cmp - "$work/readme.cpp" || fail "launch/examples/fashion_mnist.cpp is not the README's program"

# --- the project: the same program with the numbers of a small data set ---
mkdir -p "$work/project"
cd "$work/project"
sed -e "s/55'000/1'100/g; s/60'000/1'203/; s/\.epochs = 30/.epochs = 2/" "$work/readme.cpp" > program.cpp
grep -q "1'100, 1'203" program.cpp && grep -q 'epochs = 2,' program.cpp || fail 'the README program has other numbers than this test replaces'
cp "$LOCKSTEP_SOURCE/launch/examples/california_housing.cpp" housing.cpp
(cd "$prefix/include/lockstep" && find . -name '*.h' | sort | sed 's|^\./\(.*\)|#include <\1>|') > headers.cpp
g++ -std=c++20 -I "$prefix/include/lockstep" -M program.cpp | tr ' ' '\n' | sed -n "s|^$prefix/include/lockstep/||p" | sort > needed.txt
(cd "$prefix/include/lockstep" && find . -type f | sed 's|^\./||' | sort) | diff needed.txt - ||
  fail 'installed headers (>) are not those that <lockstep.h> needs (<)'
{
  echo 'cmake_minimum_required(VERSION 3.25)'
  echo 'project(outside LANGUAGES CXX)'
  echo 'add_executable(program program.cpp headers.cpp)'
  block cmake
  echo 'add_executable(housing housing.cpp)'
  echo 'target_link_libraries(housing PRIVATE lockstep::lockstep)'
} > CMakeLists.txt
flags='-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror'
[ -z "${LOCKSTEP_SANITIZE:-}" ] || flags+=" -fsanitize=$LOCKSTEP_SANITIZE"
cmake -G Ninja -S . -B out -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_CXX_FLAGS="$flags" > configure.txt || { cat configure.txt; fail 'configure'; }
cmake --build out > build.txt || { cat build.txt; fail 'build'; }
ninja -C out -t deps > deps.txt
grep -qF "$prefix/include/lockstep/core/training/sequential.h" deps.txt || fail 'the program was not built from the installed headers'
! grep -F "$LOCKSTEP_SOURCE/" deps.txt || fail 'the program was built with a file of the source tree'
! grep -vF "$prefix/" deps.txt | grep -E '/(openmpi|oneapi|hdf5|grpc|grpcpp|google|yaml-cpp|nlohmann|fmt)/' || fail 'an installed header needs the headers of another library'

# --- it trains: alone, and on two ranks the same numbers ---
"$prefix/bin/lockstep" data make garments data/fashion_mnist.h5 --train 1203 --test 211 > made.txt
"$prefix/bin/lockstep" data make housing small.h5 --rows 1200 > made.txt
# trains NAME RESULT COMMAND...: ends well and prints its scores; the line goes to NAME.scores
trains() {
  local name=$1 result=$2; shift 2
  "$@" > "$name.raw" 2>&1 || { cat "$name.raw"; fail "$*"; }
  tr -d '\0' < "$name.raw" > "$name.txt"  # Open MPI 5 puts some between lines of different ranks
  grep -E "$result" "$name.txt" > "$name.scores" || { cat "$name.txt"; fail "no scores from $*"; }
}
trains one '^test loss [0-9.]+, accuracy 0\.[0-9]+$' out/program
[ -s fashion_mnist.keras ] || fail 'no model was saved'
rm fashion_mnist.keras
trains two '^test loss ' timeout 100 mpirun --oversubscribe -np 2 out/program data/fashion_mnist.h5
cmp one.scores two.scores || fail "one rank: $(cat one.scores); two: $(cat two.scores)"
"$prefix/bin/lockstep" evaluate fashion_mnist.keras --data data/fashion_mnist.h5 --group test > evaluate.txt || fail 'the saved model cannot be evaluated'
trains housing '^RMSE: training [0-9.]+, test [0-9.]+$' timeout 100 mpirun --oversubscribe -np 2 out/housing small.h5

# --- the same program without CMake, by pkg-config and the README's command, and it trains to the same scores ---
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
[ "$(pkg-config --modversion lockstep)" = "$version" ] || fail 'lockstep.pc does not know the version'
build_command=$(grep '^g++ .*pkg-config' "$LOCKSTEP_SOURCE/README.md") || fail 'the README has no command with pkg-config'
mkdir by_hand && cp program.cpp by_hand
(cd by_hand && eval "${build_command/g++/g++ $flags}") || fail "the README's command does not build: $build_command"
LD_LIBRARY_PATH=$prefix/lib trains by_hand '^test loss ' by_hand/program
cmp one.scores by_hand.scores || fail "with pkg-config: $(cat by_hand.scores)"

if out/program none.h5 > none.txt 2>&1; then fail 'a missing file was no error'; fi
grep -q 'rank 0 on .*none.h5' none.txt || { cat none.txt; fail 'the missing file is not named'; }
echo 'install: a project outside the tree builds, runs, and knows nothing but the prefix'

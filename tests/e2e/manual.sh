#!/usr/bin/env bash
# What `cmake --install` installs beside the command: a manual page in which every command and option of --help stands, and a completion that bash asks.
set -euo pipefail
. "$LOCKSTEP_SOURCE/tests/support/command.sh"

cmake --install "$(dirname "$LOCKSTEP_BIN")" --prefix "$work/prefix" > install.txt
page=$work/prefix/share/man/man1/lockstep.1
completion=$work/prefix/share/bash-completion/completions/lockstep
[ -s "$page" ] && [ -s "$completion" ] || { cat install.txt; fail 'no manual page or no completion was installed'; }

# --- the page: no warning, and nothing of --help is missing ---
grep -qF "Lockstep $("$lockstep" --version)" "$page" || fail 'the page does not know the version'
if command -v groff > /dev/null; then
  for width in 60n 120n; do
    groff -man -Tutf8 -ww -rLL=$width "$page" 2> warnings.txt > page.txt || fail 'groff cannot read the page'
    [ ! -s warnings.txt ] || { cat warnings.txt; fail "groff warns of the page, $width wide"; }
  done
  grep -q -- '--resume' page.txt || fail 'the page has no option'
fi
if command -v mandoc > /dev/null; then mandoc -T lint -W error "$page" || fail 'mandoc finds errors in the page'; fi

# shown HELP PATTERN: the first words of the lines of that part of a --help
shown() { sed -n "/^$2:/,/^\$/{s/^  \([^ ][^ ]*\).*/\1/p}" "$1"; }
# look_up COMMAND...: this command and those below it
look_up() {
  local file="help $*.txt" command=$* name
  "$lockstep" "$@" --help > "$file"
  awk -v command="lockstep${command:+ $command}" '/^\.S[SH] /{ on = ($0 == ".SS " command || (command == "lockstep" && $0 == ".SH OPTIONS")); next } on' plain.txt > part.txt
  [ -s part.txt ] || fail "the page has no section of lockstep $command"
  for name in $(shown "$file" Options | tr ',' ' '); do
    grep -qE "^(-h, )?$name([ ,]|\$)" part.txt || fail "option $name of lockstep $command is not in the page"
    options=$((options + 1))
  done
  for name in $(shown "$file" Positionals); do grep -qE "^$name( |\$)" part.txt || fail "argument $name of lockstep $command is not in the page"; done
  for name in $(shown "$file" Subcommands); do look_up "$@" "$name"; done
  commands=$((commands + 1))
}
sed -e 's/\\-/-/g; s/\\f.//g; s/\\&//g' "$page" > plain.txt
commands=0 options=0
look_up
[ $commands -ge 25 ] && [ $options -ge 100 ] || fail "only $commands commands and $options options were found in --help"

# --- the completion: what bash would offer behind these words ---
# offers WORDS... : the last one is where the cursor is; one offer a line
offers() {
  bash --norc -uc '
    . "$1"; shift
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    complete -p lockstep | grep -q _lockstep || exit
    _lockstep lockstep "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
    printf "%s\n" "${COMPREPLY[@]}"' bash "$completion" "$@"
}
# asked EXPECTED WORDS...
asked() {
  local expected=$1 found; shift
  found=$(offers "$@" | sort | tr '\n' ' ')
  [ "$found" = "$expected " ] || fail "behind '$*' bash is offered '$found', expected '$expected'"
}
mkdir files && cd files
touch small.yaml 'two words.yaml' data.h5
[ "$(offers lockstep '' | sort)" = "$("$lockstep" --help | shown /dev/stdin Subcommands | sort)" ] || fail 'not the commands of --help'
[ "$(offers lockstep train - | sort)" = "$("$lockstep" train --help | shown /dev/stdin Options | tr ',' '\n' | sort)" ] || fail 'not the options of train --help'
asked 'status stop submit summary' lockstep s
asked 'csv hdf5 idx images npy npz' lockstep data import ''
asked '--seed --separator --split' lockstep data import csv --s
asked 'recursive-doubling ring' lockstep train small.yaml --allreduce r
asked 'ring' lockstep train --allreduce = ri
asked 'auto factors gradients' lockstep train --epochs = 3 --exchange =
asked 'small.yaml' lockstep train s
asked 'data.h5 small.yaml two words.yaml' lockstep train --set model.x = 3 --continue ''
asked 'data.h5' lockstep evaluate --data d
asked 'california_housing fashion_mnist' lockstep data fetch --force ''
asked 'data.h5' lockstep data fetch fashion_mnist d
asked 'data.h5' lockstep launch --max-restarts 3 -- mpirun lockstep d
echo "manual: $commands commands and $options options of --help stand in the page; bash completes them"

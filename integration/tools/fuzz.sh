#!/bin/sh
# Run every fuzz target of the module, one after the other, each for some
# seconds. Ends with the first that fails; its input stands under testdata/fuzz
# of its package.
#
# A target is ended by an interrupt and not by -fuzztime: that makes Go before
# 1.27 fail now and then with "context deadline exceeded", without an input
# (go.dev/issue/75804). Shortening what is new and long takes a second of a
# target's time, not a minute.
#
# usage: fuzz.sh SECONDS [PATTERN]     PATTERN: a part of a target's name
set -eu

seconds=${1:?usage: fuzz.sh SECONDS [PATTERN]}
pattern=${2:-}
go=${GO:-go}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

corpus=$("$go" env GOCACHE)/fuzz
grep -rl --include='*_test.go' '^func Fuzz' . | xargs -r -n1 dirname | sort -u >"$work/folders"
while read -r folder; do
	targets=$(grep -ho '^func Fuzz[A-Za-z0-9_]*' "$folder"/*_test.go | cut -d' ' -f2 | grep "$pattern" || :)
	[ -n "$targets" ] || continue
	"$go" test -c -fuzz . -o "$work/package.test" "$folder"
	package=$("$go" list "$folder")
	for target in $targets; do
		echo "fuzz $package $target"
		(cd "$folder" && timeout --foreground --preserve-status --signal=INT --kill-after=60 "$seconds" \
			"$work/package.test" -test.run '^$' -test.fuzz "^$target\$" -test.fuzzcachedir "$corpus/$package" \
			-test.fuzzminimizetime 1s) </dev/null
	done
done <"$work/folders"

package conf

import (
	"fmt"
	"slices"
	"strings"
)

// suggest returns `; did you mean "word"?` with the word that is nearest to got,
// or "" if none is near.
func suggest(got string, words []string) string { return didYouMean(nearest(got, words)) }

// unknownKey is the message about a key that is none of known.
func unknownKey(key string, known []string) string {
	return fmt.Sprintf("unknown key %q%s", key, didYouMean(nearest(key, known)))
}

func didYouMean(word string) string {
	if word == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", word)
}

// nearest returns the word that got probably is a misspelling or the beginning
// of, or "".
func nearest(got string, words []string) string {
	best, distance := "", 0
	for _, w := range words {
		d := editDistance(got, w)
		if best == "" || d < distance {
			best, distance = w, d
		}
	}
	// If more than a third of the letters differ, it is another word.
	if best != "" && distance <= len(best)/3 {
		return best
	}
	return onlyOne(words, func(w string) bool { return strings.HasPrefix(w, got+"_") })
}

// onlyOne returns the only word for which meant is true, or "".
func onlyOne(words []string, meant func(string) bool) string {
	i := slices.IndexFunc(words, meant)
	if i < 0 || slices.ContainsFunc(words[i+1:], meant) {
		return ""
	}
	return words[i]
}

// editDistance returns the number of insertions, deletions, replacements and
// swaps of neighbours that turn a into b (optimal string alignment). It ignores
// case.
func editDistance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	before, previous, current := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := 1; i <= len(a); i++ {
		current[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if lower(a[i-1]) == lower(b[j-1]) {
				cost = 0
			}
			current[j] = min(previous[j]+1, current[j-1]+1, previous[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				current[j] = min(current[j], before[j-2]+1)
			}
		}
		before, previous, current = previous, current, before
	}
	return previous[len(b)]
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

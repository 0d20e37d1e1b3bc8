package view

import (
	"fmt"
	"strings"
)

// diffContext is how many lines of a file are shown around a difference.
const diffContext = 3

// Diff prints how a file changes, as diff -u does.
func (v *View) Diff(name string, before, after []byte) {
	v.Out.printf("--- old/%s\n+++ new/%s\n", name, name)
	for _, line := range unifiedDiff(linesOf(before), linesOf(after)) {
		shown := lines(line)
		switch line[0] {
		case '+':
			shown = v.Out.paint(green, shown)
		case '-':
			shown = v.Out.paint(red, shown)
		case '@':
			shown = v.Out.paint(cyan, shown)
		}
		v.Out.println(shown)
	}
}

func linesOf(b []byte) []string {
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

// edit is one line of a comparison: ' ' in both, '-' in a only, '+' in b only.
type edit struct {
	kind byte
	text string
}

// unifiedDiff are the hunks that turn a into b.
func unifiedDiff(a, b []string) []string {
	edits := compareLines(a, b)
	var out []string
	lineA, lineB, at := 1, 1, 0
	for {
		first := at
		for first < len(edits) && edits[first].kind == ' ' {
			first++
		}
		if first == len(edits) {
			return out
		}
		start, end := max(first-diffContext, at), hunkEnd(edits, first)
		lineA, lineB = lineA+start-at, lineB+start-at
		countA, countB := 0, 0
		var hunk []string
		for _, e := range edits[start:end] {
			if e.kind != '+' {
				countA++
			}
			if e.kind != '-' {
				countB++
			}
			hunk = append(hunk, string(e.kind)+e.text)
		}
		out = append(out, fmt.Sprintf("@@ -%d,%d +%d,%d @@", lineA, countA, lineB, countB))
		out = append(out, hunk...)
		lineA, lineB, at = lineA+countA, lineB+countB, end
	}
}

// hunkEnd is where a hunk ends whose first change is given: after the context
// of the last change that is near the one before it.
func hunkEnd(edits []edit, first int) int {
	last := first
	for i := first; i < len(edits) && i-last <= 2*diffContext; i++ {
		if edits[i].kind != ' ' {
			last = i
		}
	}
	return min(last+1+diffContext, len(edits))
}

// compareLines compares by the longest common subsequence, after equal lines at
// both ends are set aside. Formatting seldom moves lines, so what remains is
// short; where it is not, the whole middle is replaced.
func compareLines(a, b []string) []edit {
	var head, tail []edit
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		head = append(head, edit{' ', a[0]})
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		tail = append([]edit{{' ', a[len(a)-1]}}, tail...)
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	const limit = 4 << 20 // cells of the table
	table := make([][]int32, 0)
	if len(a)*len(b) <= limit {
		table = make([][]int32, len(a)+1)
		for i := range table {
			table[i] = make([]int32, len(b)+1)
		}
		for i := len(a) - 1; i >= 0; i-- {
			for j := len(b) - 1; j >= 0; j-- {
				if a[i] == b[j] {
					table[i][j] = table[i+1][j+1] + 1
				} else {
					table[i][j] = max(table[i+1][j], table[i][j+1])
				}
			}
		}
	}
	i, j := 0, 0
	for i < len(a) && j < len(b) && len(table) > 0 {
		switch {
		case a[i] == b[j]:
			head = append(head, edit{' ', a[i]})
			i, j = i+1, j+1
		case table[i+1][j] >= table[i][j+1]:
			head = append(head, edit{'-', a[i]})
			i++
		default:
			head = append(head, edit{'+', b[j]})
			j++
		}
	}
	for ; i < len(a); i++ {
		head = append(head, edit{'-', a[i]})
	}
	for ; j < len(b); j++ {
		head = append(head, edit{'+', b[j]})
	}
	return append(head, tail...)
}

// Package docs holds the tests that keep the pages beside it true: what can be
// generated is generated from the same schemas that the program uses (make docs),
// and what is written by hand is compared with what the program exposes.
package docs

//go:generate go test . -run Written -update

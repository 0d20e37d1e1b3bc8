// Package simulation lets the real agent, with a real SQLite file and the four
// sandbox vendors, live through days of trouble that are drawn from a seed, in a
// bubble of testing/synctest. Package oracle judges what is left.
package simulation

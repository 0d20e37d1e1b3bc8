//go:build !race

package oracle_test

// usualSeeds is how many seeds the simulation runs where nobody says.
const usualSeeds = 200

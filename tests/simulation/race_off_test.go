//go:build !race

package simulation

// usualSeeds is how many seeds the simulation runs where nobody says.
const usualSeeds = 200

//go:build race

package simulation

// usualSeeds are fewer under the race detector, which takes several times as long.
const usualSeeds = 40

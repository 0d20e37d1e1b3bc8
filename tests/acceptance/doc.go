// Package acceptance drives the real binary as a user does: a directory, an
// environment, commands, and the four vendors at the other end of real HTTP.
package acceptance

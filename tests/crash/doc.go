// Package crash holds the tests that let the real program die at every named
// failpoint, let every database call fail once, and take away what a power cut
// would take away, and then compare vendors and state with package oracle.
package crash

// Package source is where a configuration comes from, and what keeps it whole
// once it is taken: a Snapshot answers the same to the same question, whatever
// becomes of the files, and can be kept beside the state for a later start.
//
// It reads files and notes beside the state, and asks git what they are a commit
// of. It knows no item, changes no state and evaluates nothing.
package source

import "context"

// Source is where configurations come from: a directory. (A Git repository is
// one, too, that brings its commits.)
type Source interface {
	// Fetch takes a snapshot of what there is now. Nothing is read before it is
	// asked for.
	Fetch(ctx context.Context) (*Snapshot, error)
	// Changed reports whether the snapshot that was fetched last would answer
	// otherwise, were it fetched now.
	Changed() bool
	// Watch has Woken told of changes to all that the last snapshot was asked for so
	// far. Changed does so too, for more is asked for while a configuration runs.
	Watch()
	// Woken is told when it may be worth asking Changed; nil where nothing tells.
	Woken() <-chan struct{}
	// Close ends the watching.
	Close() error
}

// Revision names the content of a snapshot.
type Revision struct {
	// ID is the commit, with +hash of what was read when that is dirty; without a
	// checkout the hash alone.
	ID string `json:"id"`
	// Commit, Author and Subject are of the Git commit; empty without a checkout.
	Commit  string `json:"commit,omitempty"`
	Author  string `json:"author,omitempty"`
	Subject string `json:"subject,omitempty"`
}

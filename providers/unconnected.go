package providers

import (
	"context"
	"time"

	"github.com/zclconf/go-cty/cty"
)

// unconnectedTo is the connection of an account whose credentials are missing, as err
// says: every call fails with it, and nobody is asked anything.
func unconnectedTo(config cty.Value, now func() time.Time, err error) *Connection {
	u := unconnected{now, &Error{Kind: Credentials, Err: err}}
	return &Connection{Poller: u, Puller: u, MinInterval: Duration(config, "min_interval", 0), Concurrency: 1}
}

type unconnected struct {
	now func() time.Time
	err error
}

// Poll implements Poller.
func (u unconnected) Poll(context.Context, Target) (Answer, error) { return Answer{At: u.now()}, u.err }

// Pull implements Puller.
func (u unconnected) Pull(context.Context, PullRequest) (Answer, error) {
	return Answer{At: u.now()}, u.err
}

package sqlite_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
)

// BenchmarkCallbacks commits tiny batches from many goroutines, each on disk
// when its Commit returns.
func BenchmarkCallbacks(b *testing.B) {
	for _, workers := range []int{64, 256} {
		b.Run(fmt.Sprintf("peer-%d", workers), func(b *testing.B) {
			peer := newGroupPeer(b)
			fanOut(b, workers, func(n int64) error {
				raw, r := benchCallback(n, n)
				return peer.commit(r.Key, raw.Body)
			})
		})
		b.Run(fmt.Sprintf("store-%d", workers), func(b *testing.B) {
			s := openBench(b)
			fanOut(b, workers, func(n int64) error {
				raw, r := benchCallback(n, n)
				return s.Commit(context.Background(), &state.Batch{Raws: []state.Raw{raw}, Records: []plan.Record{r}})
			})
		})
	}
}

func fanOut(b *testing.B, workers int, do func(n int64) error) {
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for range workers {
		wg.Go(func() {
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				if err := do(n); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	perSecond(b, b.N, "callbacks")
}

// groupPeer is the least that a server could do: one table, one writer that
// groups what waits.
type groupPeer struct{ queue chan groupEntry }

type groupEntry struct {
	key  string
	body []byte
	done chan error
}

func newGroupPeer(b *testing.B) *groupPeer {
	db := openPeer(b)
	if _, err := db.Exec(`CREATE TABLE callbacks (id INTEGER PRIMARY KEY, key TEXT UNIQUE, body BLOB)`); err != nil {
		b.Fatal(err)
	}
	p := &groupPeer{make(chan groupEntry, 1024)}
	insert, err := db.Prepare(`INSERT INTO callbacks (key, body) VALUES (?, ?) ON CONFLICT DO NOTHING`)
	if err != nil {
		b.Fatal(err)
	}
	go func() {
		for first := range p.queue {
			group := []groupEntry{first}
			for more := true; more; {
				select {
				case e, ok := <-p.queue:
					if more = ok; ok {
						group = append(group, e)
					}
				default:
					more = false
				}
			}
			tx, err := db.Begin()
			if err == nil {
				stmt := tx.Stmt(insert)
				for _, e := range group {
					if _, err = stmt.Exec(e.key, e.body); err != nil {
						break
					}
				}
				if err == nil {
					err = tx.Commit()
				} else {
					tx.Rollback()
				}
			}
			for _, e := range group {
				e.done <- err
			}
		}
	}()
	b.Cleanup(func() { close(p.queue) })
	return p
}

func (p *groupPeer) commit(key string, body []byte) error {
	e := groupEntry{key, body, make(chan error, 1)}
	p.queue <- e
	return <-e.done
}

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/state/sqlite"
)

// idleAgent measures an agent with many items: how long until it asks a vendor
// for the first time, and what it takes when all are settled.
func idleAgent(b *bench) error {
	n := 1_000_000
	if b.quick {
		n = 100_000
	}
	server, line, err := start(b.dir, "listening", 10*time.Second, b.self, "peer-fax")
	if err != nil {
		return err
	}
	defer server.stop()
	address := field(line, "at")
	dir := filepath.Join(b.dir, "plan-"+count(n)) // the measure of plans may have made it
	if _, err := os.Stat(filepath.Join(dir, "waybill.db")); err != nil {
		if dir, err = b.faxSite("agent", n); err != nil {
			return err
		}
		if _, _, err := timed(dir, b.waybill, "apply", "-auto-approve", "-refresh=false"); err != nil {
			return err
		}
	}
	begin := time.Now()
	agent, _, err := start(dir, "the agent runs", 5*time.Minute, b.waybill, "agent", "-var=endpoint=http://"+address)
	if err != nil {
		return err
	}
	for {
		_, asked, err := window(address)
		if err != nil || asked > 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	first := time.Since(begin)
	agent.stop()
	opened := time.Now()
	s, err := sqlite.Open(filepath.Join(dir, "waybill.db"), state.Owner{ID: "bench", PID: os.Getpid()}, sqlite.Options{})
	if err != nil {
		return err
	}
	open := time.Since(opened)
	if err := settleAll(s); err != nil {
		return err
	}
	b.add("first poll of an agent with "+count(n), seconds(first), "opening the database: "+seconds(open), "-", "3 s at 1M")

	small, err := b.faxSite("agent-small", 1)
	if err != nil {
		return err
	}
	without, _, err := resting(small, b)
	if err != nil {
		return err
	}
	with, busy, err := resting(dir, b)
	if err != nil {
		return err
	}
	b.add("agent at rest, "+count(n)+" settled", fmt.Sprintf("%s, %.1f %% of a core", size(with), 100*busy), "with one item: "+size(without),
		fmt.Sprintf("%.0f bytes an item", float64(with-without)/float64(n)), "300 bytes, 2 %")
	return nil
}

// resting starts an agent and returns its memory and its share of a core once it
// has nothing to do.
func resting(dir string, b *bench) (memory int64, busy float64, err error) {
	agent, _, err := start(dir, "the agent runs", 5*time.Minute, b.waybill, "agent")
	if err != nil {
		return 0, 0, err
	}
	defer agent.stop()
	time.Sleep(3 * time.Second)
	before, err := cpuOf(agent.Process.Pid)
	if err != nil {
		return 0, 0, err
	}
	const watched = 20 * time.Second // two comparisons of the files
	time.Sleep(watched)
	after, err := cpuOf(agent.Process.Pid)
	if err != nil {
		return 0, 0, err
	}
	memory, err = residentOf(agent.Process.Pid)
	return memory, float64(after-before) / float64(watched), err
}

// settleAll makes all items settled, as after their last read.
func settleAll(s *sqlite.Store) (err error) {
	defer func() {
		if closed := s.Close(); err == nil {
			err = closed
		}
	}()
	ctx := context.Background()
	batch := &state.Batch{}
	commit := func() error {
		defer func() { batch = &state.Batch{} }()
		return s.Commit(ctx, batch)
	}
	for item, err := range s.Items(ctx, state.ItemFilter{}) {
		if err != nil {
			return err
		}
		item.Settled, item.Outcome, item.Due = true, plan.Succeeded, time.Time{}
		item.ReadAt, item.FirstReadAt, item.ObservedAt = item.TrackedAt, item.TrackedAt, item.TrackedAt
		batch.Items = append(batch.Items, state.ItemWrite{Item: *item})
		if len(batch.Items) == 5000 {
			if err := commit(); err != nil {
				return err
			}
		}
	}
	return commit()
}

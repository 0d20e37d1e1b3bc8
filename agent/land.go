package agent

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
)

// spill keeps what a pull brought when the database cannot be written: one
// fsynced file an answer, in a 0700 directory beside the state.
type spill struct{ dir string }

// spilled is the first line of a spill file; the answer's bytes follow it.
type spilled struct {
	Intent   state.Intent `json:"intent"`
	Address  string       `json:"address"`
	Account  string       `json:"account"`
	ItemID   int64        `json:"item_id"`
	At       time.Time    `json:"at"`
	Status   int          `json:"status"`
	Complete bool         `json:"complete"`
	Size     int          `json:"size"`
}

// spillDir is where a state's spill files are.
func spillDir(statePath string) string { return statePath + ".spill" }

// write makes an answer durable in a file of its own.
func (s spill) write(intent state.Intent, raw state.Raw) error {
	if s.dir == "" {
		return errors.New("no spill directory")
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("make spill directory: %w", err)
	}
	header, err := json.Marshal(spilled{
		Intent: intent, Address: intent.Address.String(), Account: raw.Account, ItemID: raw.ItemID,
		At: raw.At, Status: raw.Status, Complete: raw.Complete, Size: len(raw.Body),
	})
	if err != nil {
		return fmt.Errorf("encode spill header: %w", err)
	}
	name := filepath.Join(s.dir, intent.ID+".answer")
	if err := writeDurably(name, slices.Concat(header, []byte("\n"), raw.Body)); err != nil {
		return fmt.Errorf("write spill file: %w", err)
	}
	return nil
}

// writeDurably writes a file whole or not at all: to a temporary name, fsync,
// rename, fsync of the directory.
func writeDurably(name string, content []byte) error {
	f, err := os.OpenFile(name+".tmp", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return errors.Join(err, os.Remove(name+".tmp"))
	}
	if err := os.Rename(name+".tmp", name); err != nil {
		return err
	}
	return syncDir(filepath.Dir(name))
}

func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// files are the spill files, oldest name first.
func (s spill) files() ([]string, error) {
	if s.dir == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read spill directory: %w", err)
	}
	var names []string
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".answer" {
			names = append(names, filepath.Join(s.dir, e.Name()))
		}
	}
	return names, nil
}

func readSpill(name string) (spilled, []byte, error) {
	content, err := os.ReadFile(name)
	if err != nil {
		return spilled{}, nil, fmt.Errorf("read spill file: %w", err)
	}
	reader := bufio.NewReader(bytes.NewReader(content))
	line, err := reader.ReadBytes('\n')
	if err != nil {
		return spilled{}, nil, fmt.Errorf("spill file %s has no header: %w", name, err)
	}
	var h spilled
	if err := json.Unmarshal(line, &h); err != nil {
		return spilled{}, nil, fmt.Errorf("spill file %s: %w", name, err)
	}
	body, err := io.ReadAll(reader)
	if err != nil {
		return spilled{}, nil, fmt.Errorf("read spill file: %w", err)
	}
	if h.Intent.Address, err = plan.ParseAddress(h.Address); err != nil {
		return spilled{}, nil, fmt.Errorf("spill file %s: %w", name, err)
	}
	return h, body, nil
}

// land makes an answer durable: in the state, else in a spill file, else it is
// tried again until one of them takes it. The answer exists nowhere else.
func (c *recorder) land(ctx context.Context, intent state.Intent, raw state.Raw) error {
	for wait := time.Second; ; wait = min(2*wait, 30*time.Second) {
		err := c.store.Commit(ctx, &state.Batch{Raws: []state.Raw{raw}})
		if err == nil {
			return nil
		}
		spillErr := c.spill.write(intent, raw)
		if spillErr == nil {
			c.backlog.Store(true)
			return fmt.Errorf("the state cannot be written; what %s brought is safe in %s and is taken in when it can: %w", intent.Address, c.spill.dir, err)
		}
		c.log.Error("what was pulled can be written nowhere; trying again: free some disk space now",
			"address", intent.Address.String(), "state", err, "spill", spillErr)
		select {
		case <-time.After(wait):
		case <-c.abandon:
			return fmt.Errorf("what %s brought could be written nowhere, a loss window is recorded at the next start: %w", intent.Address, errors.Join(err, spillErr))
		}
	}
}

// takeIn brings spill files and answers that were not derived into the state, if
// there may be any. While a pull is under way it does nothing and says so.
func (c *recorder) takeIn(ctx context.Context) error {
	if !c.backlog.Load() {
		return nil
	}
	if !c.pulling.TryLock() {
		return errPulling
	}
	defer c.pulling.Unlock()
	return c.finish(ctx)
}

var errPulling = errors.New("another pull is under way")

// finish does what an earlier process, or an earlier failure, left half done:
// spill files in, landed answers derived, and a loss window for every pull
// that was begun and of which nothing arrived. The caller holds pulling.
func (c *recorder) finish(ctx context.Context) error {
	intents, err := c.store.OpenIntents(ctx)
	if err != nil {
		return fmt.Errorf("read open pulls: %w", err)
	}
	open := make(map[int64]state.Intent, len(intents)) // one policy makes one pull at a time
	for _, intent := range intents {
		open[intent.ItemID] = intent
	}
	var landed []*state.Raw
	for raw, err := range c.store.Underived(ctx) {
		if err != nil {
			return fmt.Errorf("read landed answers: %w", err)
		}
		landed = append(landed, raw)
	}
	for _, raw := range landed {
		intent, ok := open[raw.ItemID]
		if !ok {
			intent = state.Intent{ItemID: raw.ItemID, Account: raw.Account, StartedAt: raw.At}
		}
		if _, err := c.derivePull(ctx, raw, &intent, 0); err != nil {
			return err
		}
		delete(open, raw.ItemID)
	}
	names, err := c.spill.files()
	if err != nil {
		return err
	}
	for _, name := range names {
		h, body, err := readSpill(name)
		if err != nil {
			return err
		}
		if intent, ok := open[h.ItemID]; ok && intent.ID == h.Intent.ID {
			raw := state.Raw{
				ID: c.store.NewRawID(), Kind: state.RawPull, Account: h.Account, ItemID: h.ItemID,
				At: h.At, Status: h.Status, Complete: h.Complete, Body: body,
			}
			if err := c.store.Commit(ctx, &state.Batch{Raws: []state.Raw{raw}}); err != nil {
				return fmt.Errorf("take in spill file %s: %w", name, err)
			}
			if _, err := c.derivePull(ctx, &raw, &intent, 0); err != nil {
				return err
			}
			delete(open, h.ItemID)
			c.log.Info("took in a spill file", "address", intent.Address.String(), "bytes", len(body))
		}
		// An intent that is over was taken in before, and only the removal was missed.
		if err := os.Remove(name); err != nil {
			return fmt.Errorf("remove spill file: %w", err)
		}
	}
	for _, intent := range open {
		if err := c.concludeLost(ctx, intent); err != nil {
			return err
		}
	}
	c.backlog.Store(false)
	return nil
}

// concludeLost records the loss window of a pull that was begun by a process that
// ended before an answer was on disk.
func (c *recorder) concludeLost(ctx context.Context, intent state.Intent) error {
	now := c.now()
	window := &plan.LossWindow{
		Address: intent.Address, Account: intent.Account, From: intent.StartedAt, To: now,
		Bound: int64(intent.Limit), Cause: plan.LossPull,
		Detail: "the process ended between the request and the answer",
	}
	items, err := c.store.ItemsByID(ctx, []int64{intent.ItemID})
	if err != nil {
		return fmt.Errorf("load %s: %w", intent.Address, err)
	}
	batch := &state.Batch{Concluded: []string{intent.ID}, LossWindows: []plan.LossWindow{*window}}
	if len(items) == 1 {
		item := items[0]
		t, err := c.catalog.typeOf(item.Address.Type)
		if err != nil {
			return err
		}
		item.Pulls.LossWindows++
		fields, err := rederive(t, item, plan.Tally{}, now)
		if err != nil {
			return err
		}
		batch.Items = []state.ItemWrite{{Item: *item}}
		batch.Events = []plan.Event{{At: now, ItemID: item.ID, Address: item.Address, Action: plan.Observe, Revision: c.revision, Changes: fields}}
	}
	if err := c.store.Commit(ctx, batch); err != nil {
		return fmt.Errorf("record the loss window of %s: %w", intent.Address, err)
	}
	c.metrics.losses(batch.LossWindows)
	c.log.Error("records may have been lost", "address", intent.Address.String(), "cause", window.Cause, "bound", window.Bound, "detail", window.Detail)
	return nil
}

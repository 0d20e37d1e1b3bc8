package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/durable"
	"github.com/waybill-dev/waybill/failpoint"
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
	Sum      string       `json:"sha256"` // of the answer's bytes
	Redacted bool         `json:"redacted,omitempty"`
	Digest   string       `json:"digest,omitempty"` // of the answer's bytes as they came, when redacted
}

const (
	spillExt   = ".answer"
	damagedExt = ".damaged" // of a spill file that cannot be understood
)

// spillDir is where a state's spill files are.
func spillDir(statePath string) string { return statePath + ".spill" }

// write makes an answer durable in a file of its own.
func (s spill) write(intent state.Intent, raw state.Raw) error {
	if s.dir == "" {
		return errors.New("no spill directory")
	}
	if failpoint.Fails("spill") {
		return errors.New("no space left on the device")
	}
	if err := durable.MakeDir(s.dir); err != nil {
		return fmt.Errorf("make spill directory: %w", err)
	}
	sum := sha256.Sum256(raw.Body)
	line := spilled{
		Intent: intent, Address: intent.Address.String(), Account: raw.Account, ItemID: raw.ItemID,
		At: raw.At, Status: raw.Status, Complete: raw.Complete, Size: len(raw.Body), Sum: hex.EncodeToString(sum[:]),
	}
	if raw.Redacted {
		line.Redacted, line.Digest = true, hex.EncodeToString(raw.Digest[:])
	}
	header, err := json.Marshal(line)
	if err != nil {
		return fmt.Errorf("encode spill header: %w", err)
	}
	failpoint.Hit(failpoint.SpillBegin)
	name := filepath.Join(s.dir, intent.ID+spillExt)
	if err := durable.Write(name, slices.Concat(header, []byte("\n"), raw.Body)); err != nil {
		return fmt.Errorf("write spill file: %w", err)
	}
	failpoint.Hit(failpoint.SpillEnd)
	return nil
}

// files are the spill files, and those that a process died over while writing
// them: in their names' order, so that a finished one stands before a partial one.
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
		if ext := filepath.Ext(e.Name()); ext == spillExt || ext == durable.Partial {
			names = append(names, filepath.Join(s.dir, e.Name()))
		}
	}
	return names, nil
}

// errDamaged is a spill file that does not say what it is of.
var errDamaged = errors.New("it has no readable header")

// readSpill reads a spill file as the answer that it keeps. One whose bytes are
// not those of its header is an answer that was cut off: what is whole in it is
// still worth having.
func readSpill(name string) (state.Intent, state.Raw, error) {
	content, err := os.ReadFile(name)
	if err != nil {
		return state.Intent{}, state.Raw{}, fmt.Errorf("read spill file: %w", err)
	}
	line, body, found := bytes.Cut(content, []byte("\n"))
	var h spilled
	if !found || json.Unmarshal(line, &h) != nil {
		return state.Intent{}, state.Raw{}, errDamaged
	}
	if h.Intent.Address, err = plan.ParseAddress(h.Address); err != nil {
		return state.Intent{}, state.Raw{}, errDamaged
	}
	sum := sha256.Sum256(body)
	whole := len(body) == h.Size && (h.Sum == "" || h.Sum == hex.EncodeToString(sum[:])) // "": of an older version
	var digest [32]byte
	_, _ = hex.Decode(digest[:], []byte(h.Digest)[:min(len(h.Digest), 64)]) // a damaged one tells nothing
	return h.Intent, state.Raw{
		Redacted: h.Redacted, Digest: digest, Kind: state.RawPull, Account: h.Account, ItemID: h.ItemID, At: h.At, Status: h.Status,
		Complete: h.Complete && whole, Body: body,
	}, nil
}

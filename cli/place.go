package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/hashicorp/hcl/v2"

	"github.com/waybill-dev/waybill/agent"
	"github.com/waybill-dev/waybill/hclspec"
)

// mistakes are all mistakes of a configuration that was loaded, those included
// for which an agent would not start here.
func (p *program) mistakes(ctx context.Context, cfg *hclspec.Root, diags hcl.Diagnostics) hcl.Diagnostics {
	diags = cfg.Mistakes(ctx, diags)
	return append(diags, agent.StartMistakes(cfg, p.dir, p.checkPlace)...)
}

// checkNewPlace is an error when there is no state at a path and none can be made.
// Whoever opens the state tells the rest.
func (p *program) checkNewPlace(path string) error {
	path = p.beside(path)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return creatable(path)
	}
	return nil
}

// checkPlace is an error when a state can neither be opened nor made at a path,
// for those who open none. It makes nothing.
func (p *program) checkPlace(path string) error {
	if err := p.checkNewPlace(path); err != nil {
		return err
	}
	path = p.beside(path)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("the state cannot be at %s: %w", path, err)
	case info.IsDir():
		return fmt.Errorf("%s is a directory, and the state is a file: name a file in it", path)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file: name another one for the state", path)
	}
	return readable(path)
}

// creatable is an error when a file cannot be made, with the directories that it
// lies in.
func creatable(path string) error {
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR):
			continue
		case err != nil:
			return fmt.Errorf("the state cannot be made at %s: %w", path, err)
		case !info.IsDir():
			return fmt.Errorf("the state cannot be made at %s: %s is not a directory", path, dir)
		}
		if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
			return fmt.Errorf("the state cannot be made at %s: %s may not be written to: %w", path, dir, err)
		}
		return nil
	}
}

// readable is an error when a file is no database. An empty one is a new state.
func readable(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("the state at %s cannot be opened: %w", path, err)
	}
	defer f.Close()
	head := make([]byte, 16)
	n, err := io.ReadFull(f, head)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the state at %s cannot be read: %w", path, err)
	}
	if !bytes.Equal(head[:n], []byte("SQLite format 3\x00")) {
		return fmt.Errorf("%s is not a state of Waybill: name another file, or move this one away", path)
	}
	return nil
}

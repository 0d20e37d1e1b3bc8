package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/state/sqlite"
	"github.com/waybill-dev/waybill/state/statetest"
)

func TestConformance(t *testing.T) {
	statetest.Run(t, statetest.Driver{
		Open: func(place string) (state.Store, error) {
			return sqlite.Open(filepath.Join(place, "waybill.db"), owner(), sqlite.Options{})
		},
		OpenReader: func(place string) (state.Reader, error) { return sqlite.OpenReader(filepath.Join(place, "waybill.db")) },
		OpenBackup: func(path string) (state.Reader, error) { return sqlite.OpenReader(path) },
	})
}

func owner() state.Owner { return state.Owner{ID: "test", PID: 1, Command: "test"} }

package acceptance

import (
	"os"
	"testing"

	"github.com/waybill-dev/waybill/tests/harness"
)

var program = harness.Compiled()

func TestMain(m *testing.M) { os.Exit(program.Main(m)) }

func newSite(t *testing.T, config string, env map[string]string) *harness.Site {
	t.Helper()
	return harness.NewSite(t, program, config, env)
}

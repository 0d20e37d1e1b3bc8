package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"

	"github.com/hashicorp/hcl/v2"

	"github.com/waybill-dev/waybill/agent/web"
	"github.com/waybill-dev/waybill/hclspec"
)

// StartMistakes are the mistakes for which an agent would not start with the
// settings of a configuration, beyond those that its text alone tells: files and
// places on this machine. dir is what settings are relative to; place judges
// where the state is. What this user may not look at, and what is missing outside
// of the configuration directory, is a warning: the agent may run as another user
// and elsewhere.
func StartMistakes(config *hclspec.Root, dir string, place func(path string) error) hcl.Diagnostics {
	settings, diags := config.Settings()
	if diags.HasErrors() {
		return nil // told by whoever loads it
	}
	diags = nil
	add := func(setting, summary string, err error) {
		if err == nil {
			return
		}
		d := &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: sentence(err), Subject: config.SettingRange(setting)}
		if errors.Is(err, fs.ErrPermission) || elsewhere(dir, err) {
			d.Severity = hcl.DiagWarning
		}
		diags = append(diags, d)
	}
	for _, l := range []struct {
		block    string
		listener hclspec.Listener
	}{{"agent.admin", settings.Admin}, {"agent.receiver", settings.Receiver}} {
		if err := web.CheckFile(l.listener, dir); err != nil {
			add(l.block+".web_config_file", "Unusable web_config_file", fmt.Errorf("%s cannot listen with %s: %w", l.block, l.listener.WebConfigFile, err))
		}
	}
	if place != nil {
		add("waybill.backend.path", "Unusable place for the state", place(settings.BackendPath))
	}
	return diags
}

// elsewhere reports whether an error is of a file that is missing outside of the
// configuration directory.
func elsewhere(dir string, err error) bool {
	var missing *fs.PathError
	if !errors.As(err, &missing) || !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	rel, err := filepath.Rel(absolute(dir), absolute(missing.Path))
	return err != nil || !filepath.IsLocal(rel)
}

func absolute(path string) string {
	if whole, err := filepath.Abs(path); err == nil {
		return whole
	}
	return path
}

func sentence(err error) string { return err.Error() + "." }

// startable is an error when the next start would fail on settings that a reload
// brings: they are in force only then, and nobody may be there to read why.
func (a *Agent) startable(config *hclspec.Root, settings hclspec.Settings) error {
	diags := StartMistakes(config, a.opts.Dir, a.opts.CheckState)
	for _, d := range diags {
		d.Severity = hcl.DiagError // this user is the one that starts it
	}
	diags = append(diags, PortMistakes(config, settings, a.opts.Settings, a.opts.Listen)...)
	if diags.HasErrors() {
		return a.notTaken(config, diags)
	}
	return nil
}

// PortMistakes are the addresses of settings on which nobody can listen now, but
// for those of the settings that run. open opens a port; nil: net.Listen.
func PortMistakes(config *hclspec.Root, settings, running hclspec.Settings, open func(network, address string) (net.Listener, error)) hcl.Diagnostics {
	ours := map[string]bool{running.Admin.Listen: true, running.Receiver.Listen: true}
	var diags hcl.Diagnostics
	for _, l := range []struct{ setting, address string }{{"agent.admin.listen", settings.Admin.Listen}, {"agent.receiver.listen", settings.Receiver.Listen}} {
		if ours[l.address] {
			continue
		}
		if err := web.CheckAddress(open, l.address); err != nil {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "Cannot listen", Subject: config.SettingRange(l.setting),
				Detail: fmt.Sprintf("Nobody can listen on %s of this machine now: %s.", l.address, err),
			})
		}
	}
	return diags
}

package cli

import (
	"context"
	"flag"
	"runtime"
	"runtime/debug"

	"github.com/waybill-dev/waybill/cli/view"
)

func versionCommand() *command {
	var asJSON bool
	return &command{
		name:    "version",
		summary: "Show the version of Waybill, and the commit it was built from",
		flags:   func(fs *flag.FlagSet) { fs.BoolVar(&asJSON, "json", false, "print JSON") },
		run: func(_ context.Context, p *program, _ []string) int {
			info := view.VersionInfo{
				Terraform: Version,
				Waybill:   Version,
				Platform:  runtime.GOOS + "_" + runtime.GOARCH,
				Go:        runtime.Version(),
				Providers: map[string]string{},
			}
			if build, ok := debug.ReadBuildInfo(); ok {
				info.Revision, info.Modified = buildRevision(build)
			}
			p.view.Version(info, asJSON)
			return exitOK
		},
	}
}

// buildRevision is the commit that a program was built from, "" when the build did
// not record it, and whether files were changed since.
func buildRevision(build *debug.BuildInfo) (revision string, modified bool) {
	for _, s := range build.Settings {
		switch s.Key {
		case "vcs.revision":
			revision = s.Value
		case "vcs.modified":
			modified = s.Value == "true"
		}
	}
	return revision, modified
}

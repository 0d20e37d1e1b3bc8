package cli

import (
	"context"
	"flag"
	"runtime"
	"runtime/debug"
)

func versionCommand() *command {
	var asJSON bool
	return &command{
		name:    "version",
		summary: "Show the version of Waybill",
		flags:   func(fs *flag.FlagSet) { fs.BoolVar(&asJSON, "json", false, "print JSON") },
		run: func(_ context.Context, p *program, _ []string) int {
			v := versionInfo{
				Terraform: Version,
				Waybill:   Version,
				Revision:  buildRevision(),
				Platform:  runtime.GOOS + "_" + runtime.GOARCH,
				Go:        runtime.Version(),
				Providers: map[string]string{},
			}
			p.showVersion(v, asJSON)
			return exitOK
		},
	}
}

// buildRevision is the commit that the program was built from, "" when unknown.
func buildRevision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}

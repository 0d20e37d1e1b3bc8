package agent

import (
	"context"

	"github.com/hashicorp/hcl/v2"

	"github.com/waybill-dev/waybill/agent/record"
	"github.com/waybill-dev/waybill/agent/replay"
	"github.com/waybill-dev/waybill/hclspec"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/state"
)

// ReplayOptions say what is derived again: by default the raws of which a
// quarantined record was made.
type ReplayOptions struct {
	All  bool
	Raws []int64 // only these
}

// ErrNotReplayable is a raw that was asked for by its id and is not there.
var ErrNotReplayable = replay.ErrNoRaw

// Replay derives again, records what differs, and tells each difference once it
// is recorded. The configuration may be loaded offline.
func (r *Runner) Replay(ctx context.Context, config *hclspec.Root, store state.Store, opts ReplayOptions, tell func(plan.Difference)) (*plan.Replayed, hcl.Diagnostics, error) {
	declared, diags := config.Accounts()
	if diags.HasErrors() {
		return nil, diags, nil
	}
	catalog := providers.NewCatalog(r.Vendors)
	result, err := replay.Run(ctx, replay.Options{
		All: opts.All, Raws: opts.Raws, Catalog: catalog, Store: store, Accounts: declared,
		Revision: r.Revision, Now: r.Now, Log: r.Log, Tell: tell,
		Expectations: func(ctx context.Context) record.Expectations {
			ev := newEvaluation(config, catalog, store)
			if diags, err := ev.all(ctx, nil); err != nil || diags.HasErrors() {
				r.Log.Debug("expectations are not judged: the configuration cannot be evaluated", "error", hclspec.Err(diags))
				return nil
			}
			return ev.hcl
		},
		Progress: func(done int64) { r.progress("replaying", done, 0) },
	})
	return result, diags, err
}

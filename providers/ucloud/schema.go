// Package ucloud pulls SMS delivery reports from UCloud USMS. Its page
// "PullUSMSReport" is the source of what stands here. The read is destructive:
// what an answer holds, the vendor has deleted.
package ucloud

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
)

const (
	vendor     = "ucloud"
	recordType = "ucloud_usms_message"
	// retention is how long the vendor keeps a report that nobody pulled.
	retention = 72 * time.Hour
	maxLimit  = 200
	maxName   = 255
)

// Definition is UCloud USMS: a pull policy, and sends whose reports it brings.
func Definition() *providers.Definition {
	return &providers.Definition{
		Schema: &plan.Schema{
			Provider:    vendor,
			Description: "SMS delivery reports at UCloud USMS, pulled in batches (PullUSMSReport). The vendor deletes what it returned and keeps the rest for 72 hours.",
			Arguments:   providerArguments(),
			Check:       checkProvider,
			Queue:       queue,
			Types:       []*plan.Type{pullType(), messageType()},
		},
		Retention: retention,
		Records:   records,
		Connect:   connect,
	}
}

func providerArguments() []plan.Argument {
	arguments := []plan.Argument{
		{
			Name: "public_key", Type: cty.String, Required: true, Sensitive: true, Env: "UCLOUD_PUBLIC_KEY",
			Description: "Public key of the account, sent as PublicKey.",
		},
		{
			Name: "private_key", Type: cty.String, Required: true, Sensitive: true, Env: "UCLOUD_PRIVATE_KEY",
			Description: "Private key of the account, part of the signature and never sent.",
		},
		{
			Name: "project_id", Type: cty.String,
			Description: "Project whose reports are pulled, such as org-34; sub-accounts need one.",
		},
	}
	return append(arguments, providers.NetworkArguments(providers.Defaults{
		Endpoint: "https://api.ucloud.cn/", Timeout: "20s", RequestsPerSecond: 10, Concurrency: 4,
	})...)
}

func checkProvider(config cty.Value) []plan.Problem {
	problems := providers.CheckNetwork(config, "")
	problems = append(problems, providers.CheckCredential(config, "public_key", "private_key")...)
	return append(problems, providers.CheckName(config, "project_id", maxName, "the project's id, such as \"org-34\", or leave it out")...)
}

// queue names what the pulls of a provider block drain, without its key.
func queue(config cty.Value) string {
	endpoint, _ := providers.Text(config, "endpoint")
	key, _ := providers.Text(config, "public_key")
	sum := sha256.Sum256([]byte(key))
	return strings.ToLower(strings.TrimRight(endpoint, "/")) + "#" + hex.EncodeToString(sum[:8])
}

func pullType() *plan.Type {
	return &plan.Type{
		Name:        "ucloud_usms_report_pull",
		Description: "The policy by which the delivery reports of one project are pulled. A project without a policy is never read.",
		Kind:        plan.Policy,
		Arguments: []plan.Argument{
			{
				Name: "project_id", Type: cty.String, FromProvider: true, Identity: true,
				Description: "Project whose reports are pulled; the provider's unless given.",
			},
			{
				Name: "interval", Type: cty.String, Duration: true, Default: cty.StringVal("1m"),
				Description: "Time between two pulls.",
			},
			{
				Name: "limit", Type: cty.Number, Default: cty.NumberIntVal(100),
				Description: "How many reports one pull takes at most, 1 to 200: the bound of what one failed pull can lose.",
			},
			{
				Name: "drain", Type: cty.Bool, Default: cty.True,
				Description: "Whether to pull again at once while pages come full.",
			},
		},
		Attributes: []plan.Attribute{
			{Name: "last_success_at", Type: cty.String, Description: "when the last complete answer arrived, RFC 3339 in UTC", Quiet: true},
			{Name: "pulled_total", Type: cty.Number, Description: "how many reports the pulls brought, duplicates too"},
			{Name: "loss_windows", Type: cty.Number, Description: "how many times reports may have been lost"},
			{Name: "retention_deadline", Type: cty.String, Description: "when the vendor begins to drop reports unless a pull succeeds before: last_success_at and 72 hours", Quiet: true},
		},
		Identity: func(args cty.Value) string {
			project, _ := providers.Text(args, "project_id")
			return project
		},
		Check: func(args cty.Value) []plan.Problem {
			problems := providers.CheckName(args, "project_id", maxName, "the project's id, such as \"org-34\", or leave it out")
			problems = append(problems, providers.CheckPositiveDuration(args, "interval", "1m")...)
			return append(problems, providers.CheckInteger(args, "limit", 1, maxLimit)...)
		},
		Pull:   pullPolicy,
		Derive: derivePull,
	}
}

func pullPolicy(args cty.Value) plan.PullPolicy {
	limit, _ := providers.Integer(args, "limit")
	drain, _ := providers.Flag(args, "drain")
	return plan.PullPolicy{Limit: int(limit), Drain: drain}
}

// derivePull tells how the pulls go. Its reason holds no times: they move
// without being differences.
func derivePull(e plan.Evidence) cty.Value {
	p := e.Pulls
	attrs := map[string]cty.Value{
		"last_success_at":    providers.TimeValue(p.LastSuccessAt),
		"pulled_total":       cty.NumberIntVal(p.PulledTotal),
		"loss_windows":       cty.NumberIntVal(p.LossWindows),
		"retention_deadline": cty.NullVal(cty.String),
	}
	v := providers.Verdict{Outcome: plan.Pending, Reason: "reports are pulled as long as this policy stands"}
	if p.LastSuccessAt.IsZero() {
		v.Reason = "not pulled yet"
	} else {
		attrs["retention_deadline"] = providers.TimeValue(p.LastSuccessAt.Add(retention))
	}
	if p.LossWindows > 0 {
		v.Reason += fmt.Sprintf("; reports may have been lost %d times: waybill state show tells when", p.LossWindows)
	}
	v.Put(attrs)
	return cty.ObjectVal(attrs)
}

func messageType() *plan.Type {
	return &plan.Type{
		Name:        recordType,
		Description: "One send of SMS whose delivery reports are waited for; the project's pull policy brings them.",
		Kind:        plan.Counted,
		Arguments: []plan.Argument{
			{
				Name: "session_no", Type: cty.String, Required: true, Identity: true,
				Description: "Serial number that sending returned (SessionNo); it may cover several phones.",
			},
			{
				Name: "expected", Type: cty.Number, Default: cty.NumberIntVal(1),
				Description: "How many reports to wait for: one for each phone.",
			},
		},
		Attributes: []plan.Attribute{
			{Name: "received", Type: cty.Number, Description: "how many reports arrived, one for each phone"},
			{Name: "succeeded", Type: cty.Number, Description: "how many of them report success"},
			{Name: "failed", Type: cty.Number, Description: "how many of them report failure"},
			{Name: "unknown", Type: cty.Number, Description: "how many of them report that the operator told no status"},
			{Name: "failed_codes", Type: cty.Map(cty.Number), Description: "how many failed with each ReceiptCode"},
			{Name: "cost_count", Type: cty.Number, Description: "how many parts the messages were split into, the unit of charge; UCloud states no money"},
			{Name: "last_receipt_at", Type: cty.String, Description: "latest ReceiptTime, RFC 3339 in UTC"},
		},
		Identity: func(args cty.Value) string {
			session, _ := providers.Text(args, "session_no")
			return session
		},
		Check: func(args cty.Value) []plan.Problem {
			problems := providers.CheckName(args, "session_no", maxName, "the SessionNo that sending returned")
			return append(problems, providers.CheckInteger(args, "expected", 1, 0)...)
		},
		Derive: deriveMessage,
	}
}

func deriveMessage(e plan.Evidence) cty.Value {
	attrs := providers.CountAttributes(e.Tally)
	attrs["unknown"] = cty.NumberIntVal(e.Tally.Unknown)
	attrs["cost_count"] = cty.NumberIntVal(e.Tally.Parts)
	attrs["last_receipt_at"] = providers.TimeValue(e.Tally.LastEvent)
	// What the codes mean differs between the vendor's pages: none is explained.
	v := providers.CountVerdict(e, "reports", func(string) string { return "" })
	v.Put(attrs)
	return cty.ObjectVal(attrs)
}

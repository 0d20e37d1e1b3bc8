// Package globfax reads the status of fax recipients at GlobFax. Its one page,
// "query recipient status", is the source of what stands here.
package globfax

import (
	"regexp"
	"time"
	_ "time/tzdata" // time_zone works on machines without a zone database

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
)

const (
	vendor      = "globfax"
	defaultZone = "Asia/Shanghai"
)

// Definition is GlobFax: one type, polled.
func Definition() *providers.Definition {
	observer := &observer{}
	return &providers.Definition{
		Schema: &plan.Schema{
			Provider:    vendor,
			Description: "Fax recipients at GlobFax, read one by one (GET /api/v2/fax/recipients/{rcpt_ref}).",
			Arguments:   providerArguments(),
			Check:       checkProvider,
			Types:       []*plan.Type{recipientType()},
		},
		Observe: observer.observe,
		Connect: connect,
	}
}

func providerArguments() []plan.Argument {
	arguments := []plan.Argument{
		{
			Name: "api_key", Type: cty.String, Required: true, Sensitive: true, Env: "GLOBFAX_API_KEY",
			Description: "API key, sent as the header X-API-Key.",
		},
		{
			Name: "api_secret", Type: cty.String, Required: true, Sensitive: true, Env: "GLOBFAX_API_SECRET",
			Description: "API secret, sent as the header X-API-Secret.",
		},
		{
			Name: "time_zone", Type: cty.String, Default: cty.StringVal(defaultZone),
			Description: "Zone of the vendor's times, which carry none; a name of the IANA time zone database.",
		},
	}
	return append(arguments, providers.NetworkArguments(providers.Defaults{
		Endpoint: "https://api.globfax.com", Timeout: "30s", RequestsPerSecond: 50, Concurrency: 16, MinInterval: "30s",
	})...)
}

func checkProvider(config cty.Value) []plan.Problem {
	problems := providers.CheckNetwork(config, "GlobFax's page documents only http://api.globfax.com; try https:// first.")
	problems = append(problems, providers.CheckCredential(config, "api_key", "api_secret")...)
	if name, ok := providers.Text(config, "time_zone"); ok {
		if _, err := loadZone(name); err != nil {
			problems = append(problems, plan.Problem{
				Argument: "time_zone", Summary: "Invalid time_zone",
				Detail: "There is no time zone of that name. Write one of the IANA time zone database, such as \"Asia/Shanghai\" or \"UTC\".",
			})
		}
	}
	return problems
}

// loadZone refuses what time.LoadLocation takes for this machine's own zone:
// the vendor's times must mean the same everywhere.
func loadZone(name string) (*time.Location, error) {
	if name == "" || name == "Local" {
		return nil, errNoZone
	}
	return time.LoadLocation(name)
}

var rcptRef = regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`)

func recipientType() *plan.Type {
	attributes := []plan.Attribute{
		{Name: "phone_number", Type: cty.String, Description: "fax number of the recipient"},
		{Name: "unit_price", Type: cty.Number, Description: "price of one page, in CNY"},
		{Name: "page_count", Type: cty.Number, Description: "pages that were really sent"},
		{Name: "charged_amount", Type: cty.Number, Description: "total charge in CNY, as stated by the vendor (documented as unit_price times page_count)"},
		{Name: "status", Type: cty.String, Description: "status of the fax, as the vendor writes it; success and failed are final"},
		{Name: "failed_code", Type: cty.String, Description: "code of the failure, such as BUSY; only when failed"},
		{Name: "failed_reason", Type: cty.String, Description: "the failure in the vendor's words"},
		{Name: "completed_at", Type: cty.String, Description: "when sending ended, RFC 3339 in the provider's time_zone; null before"},
		{Name: "created_at", Type: cty.String, Description: "when the recipient was created, RFC 3339 in the provider's time_zone"},
		{Name: "extra", Type: cty.DynamicPseudoType, Description: "fields that the vendor's page does not document, and documented ones of an unexpected form, as an object; null when there are none"},
		{Name: "charge_mismatch", Type: cty.Bool, Description: "whether charged_amount is not exactly unit_price x page_count; null while one of them is not told"},
	}
	return &plan.Type{
		Name:        "globfax_recipient",
		Description: "One recipient of a fax: whether it arrived, why not, and what it cost.",
		Kind:        plan.Polled,
		Arguments: []plan.Argument{{
			Name: "rcpt_ref", Type: cty.String, Required: true, Identity: true,
			Description: "The recipient's identifier, from the recipients that sending the fax returned: letters, digits, _ and -, at most 255.",
		}},
		Attributes: attributes,
		Identity: func(args cty.Value) string {
			ref, _ := providers.Text(args, "rcpt_ref")
			return ref
		},
		Check: func(args cty.Value) []plan.Problem {
			ref, ok := providers.Text(args, "rcpt_ref")
			if !ok || rcptRef.MatchString(ref) {
				return nil
			}
			return []plan.Problem{{
				Argument: "rcpt_ref", Summary: "Invalid rcpt_ref",
				Detail: "A rcpt_ref has 1 to 255 letters, digits, underscores and hyphens, such as \"rcpt_111aaa\". Take it from the recipients that sending the fax returned.",
			}}
		},
		Derive: func(e plan.Evidence) cty.Value { return derive(attributes, e) },
	}
}

package providers

import (
	"fmt"
	"math/big"
	"net/netip"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/value"
)

// Defaults are what a vendor's common arguments come to when the provider
// block does not give them.
type Defaults struct {
	Endpoint          string
	Timeout           string // "30s"
	RequestsPerSecond int64
	Concurrency       int64
	MinInterval       string // "" for vendors that are not polled
}

// NetworkArguments are the arguments that every polled or pulled provider has,
// with a vendor's defaults.
func NetworkArguments(d Defaults) []plan.Argument {
	arguments := []plan.Argument{
		{
			Name: "endpoint", Type: cty.String, Default: cty.StringVal(d.Endpoint),
			Description: "Base URL of the vendor's API. It must be https beyond loopback, unless insecure is true.",
		},
		{
			Name: "timeout", Type: cty.String, Default: cty.StringVal(d.Timeout), Duration: true,
			Description: "How long one call may take, connecting and reading the answer included.",
		},
		{
			Name: "requests_per_second", Type: cty.Number, Default: cty.NumberIntVal(d.RequestsPerSecond),
			Description: "How many calls a second this account makes at most; 0 means no limit.",
		},
		{
			Name: "concurrency", Type: cty.Number, Default: cty.NumberIntVal(d.Concurrency),
			Description: "How many calls of this account are under way at once at most.",
		},
		{
			Name: "insecure", Type: cty.Bool, Default: cty.False,
			Description: "Allows an http:// endpoint beyond loopback, which sends the credentials in clear.",
		},
	}
	if d.MinInterval != "" {
		arguments = append(arguments, plan.Argument{
			Name: "min_interval", Type: cty.String, Default: cty.StringVal(d.MinInterval), Duration: true,
			Description: "The floor between two reads of one item.",
		})
	}
	return arguments
}

// maxConcurrency bounds the connections of one account.
const maxConcurrency = 1024

// CheckNetwork judges the common arguments. The note is added to what is said
// of an http:// endpoint: what the vendor's page has to say on it.
func CheckNetwork(config cty.Value, note string) []plan.Problem {
	var problems []plan.Problem
	if endpoint, ok := Text(config, "endpoint"); ok {
		insecure, known := Flag(config, "insecure")
		if p := checkEndpoint(endpoint, insecure || !known && hasUnknown(config, "insecure"), note); p != nil {
			problems = append(problems, *p)
		}
	}
	problems = append(problems, CheckPositiveDuration(config, "timeout", "30s")...)
	if v, ok := known(config, "requests_per_second", cty.Number); ok && v.AsBigFloat().Sign() < 0 {
		problems = append(problems, plan.Problem{
			Argument: "requests_per_second", Summary: "Invalid requests_per_second",
			Detail: "requests_per_second must not be negative. Write a number such as 20, or 0 for no limit.",
		})
	}
	return append(problems, CheckInteger(config, "concurrency", 1, maxConcurrency)...)
}

func checkEndpoint(endpoint string, insecure bool, note string) *plan.Problem {
	problem := func(detail string) *plan.Problem {
		return &plan.Problem{Argument: "endpoint", Summary: "Invalid endpoint", Detail: detail}
	}
	u, err := url.Parse(endpoint)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "":
		return problem("The endpoint is not an absolute URL. Write one such as \"https://api.example.com\".")
	case u.Scheme != "http" && u.Scheme != "https":
		return problem(fmt.Sprintf("The endpoint's scheme is %q. Write an https:// URL.", u.Scheme))
	case u.User != nil:
		return problem("The endpoint carries a user name or a password. Leave them out of the URL: this vendor takes its credentials otherwise.")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return problem("The endpoint carries a query or a fragment. Write only the base URL, such as \"https://api.example.com\".")
	case u.Scheme == "http" && !insecure && !isLoopback(u.Hostname()):
		detail := fmt.Sprintf("The endpoint http://%s would send the credentials in clear over the network.", u.Host)
		if note != "" {
			detail += " " + note
		}
		return &plan.Problem{
			Argument: "endpoint", Summary: "Endpoint without TLS",
			Detail: detail + " Write https://, or set insecure = true if nobody can listen on the way.",
		}
	}
	return nil
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// CheckPositiveDuration finds a duration that is zero. Durations that do not
// parse or are negative are the loader's to report.
func CheckPositiveDuration(v cty.Value, name, example string) []plan.Problem {
	text, ok := Text(v, name)
	if !ok {
		return nil
	}
	if d, err := time.ParseDuration(text); err != nil || d != 0 {
		return nil
	}
	return []plan.Problem{{
		Argument: name, Summary: "Invalid " + name,
		Detail: fmt.Sprintf("%s must be longer than zero. Write a duration such as %q.", name, example),
	}}
}

// CheckInteger finds a number that is not whole or not within its bounds; a
// most below least means that there is no upper bound.
func CheckInteger(v cty.Value, name string, least, most int64) []plan.Problem {
	n, ok := known(v, name, cty.Number)
	if !ok {
		return nil
	}
	f := n.AsBigFloat()
	i, _ := f.Int64()
	if f.IsInt() && i >= least && (most < least || i <= most) {
		return nil
	}
	bounds := fmt.Sprintf("a whole number from %d to %d", least, most)
	if most < least {
		bounds = fmt.Sprintf("a whole number of at least %d", least)
	}
	return []plan.Problem{{
		Argument: name, Summary: "Invalid " + name,
		Detail: fmt.Sprintf("%s must be %s; this is %s.", name, bounds, value.FormatNumber(f)),
	}}
}

// CheckCredential finds a credential that cannot be one: white space (a line
// end read from a file, most often) and control characters. It never repeats it.
func CheckCredential(config cty.Value, names ...string) []plan.Problem {
	var problems []plan.Problem
	for _, name := range names {
		text, ok := Text(config, name)
		if !ok {
			continue
		}
		detail := ""
		switch {
		case text == "":
			detail = name + " is empty."
		case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
			detail = name + " contains white space or control characters, perhaps the line end of the file that it was read from: trimspace() takes that off."
		}
		if detail != "" {
			problems = append(problems, plan.Problem{Argument: name, Summary: "Invalid " + name, Detail: detail})
		}
	}
	return problems
}

// CheckName finds an identity that is empty, longer than most characters, or
// holds control characters.
func CheckName(v cty.Value, name string, most int, where string) []plan.Problem {
	text, ok := Text(v, name)
	if !ok {
		return nil
	}
	detail := ""
	switch {
	case text == "":
		detail = fmt.Sprintf("%s is empty. Write %s.", name, where)
	case len([]rune(text)) > most:
		detail = fmt.Sprintf("%s is longer than %d characters. Write %s.", name, most, where)
	case strings.ContainsFunc(text, unicode.IsControl) || strings.TrimSpace(text) != text:
		detail = fmt.Sprintf("%s holds control characters, or white space at an end. Write %s.", name, where)
	}
	if detail == "" {
		return nil
	}
	return []plan.Problem{{Argument: name, Summary: "Invalid " + name, Detail: detail}}
}

// Text is a known string of an object; ok is false when it is null, unknown,
// missing or of another type.
func Text(v cty.Value, name string) (text string, ok bool) {
	s, ok := known(v, name, cty.String)
	if !ok {
		return "", false
	}
	return s.AsString(), true
}

// Flag is a known bool of an object, as Text is.
func Flag(v cty.Value, name string) (set, ok bool) {
	b, ok := known(v, name, cty.Bool)
	if !ok {
		return false, false
	}
	return b.True(), true
}

// Integer is a known whole number of an object as an int64, as Text is.
func Integer(v cty.Value, name string) (n int64, ok bool) {
	f, ok := known(v, name, cty.Number)
	if !ok {
		return 0, false
	}
	n, accuracy := f.AsBigFloat().Int64()
	return n, accuracy == big.Exact
}

// Duration is a known duration of an object, otherwise the one given.
func Duration(v cty.Value, name string, otherwise time.Duration) time.Duration {
	text, ok := Text(v, name)
	if !ok {
		return otherwise
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return otherwise
	}
	return d
}

// Attribute is an attribute of an object, or a null of that type when there is
// no object, or no such attribute.
func Attribute(v cty.Value, name string, ty cty.Type) cty.Value {
	if v == cty.NilVal || v.IsNull() || !v.IsKnown() || !v.Type().IsObjectType() || !v.Type().HasAttribute(name) {
		return cty.NullVal(ty)
	}
	return v.GetAttr(name)
}

// known is an attribute that is there, known, not null and of that type, its
// marks taken off.
func known(v cty.Value, name string, ty cty.Type) (cty.Value, bool) {
	if v == cty.NilVal {
		return cty.NilVal, false
	}
	v, _ = v.Unmark()
	a, _ := Attribute(v, name, ty).Unmark()
	if a.IsNull() || !a.IsKnown() || a.Type() != ty {
		return cty.NilVal, false
	}
	return a, true
}

func hasUnknown(v cty.Value, name string) bool {
	v, _ = v.Unmark()
	a, _ := Attribute(v, name, cty.DynamicPseudoType).Unmark()
	return !a.IsKnown()
}

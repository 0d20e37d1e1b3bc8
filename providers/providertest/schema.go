package providertest

import (
	"regexp"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
)

var snakeCase = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

func testSchema(t *testing.T, v Vendor) {
	s := v.Definition.Schema
	if s.Provider == "" || s.Description == "" || len(s.Types) == 0 {
		t.Error("the schema lacks a name, a description or types")
	}
	testArguments(t, s.Provider, s.Arguments)
	for _, block := range s.Blocks {
		if block.Description == "" {
			t.Errorf("block %s has no description", block.Name)
		}
		testArguments(t, s.Provider+"."+block.Name, block.Arguments)
	}
	for _, ty := range s.Types {
		if !strings.HasPrefix(ty.Name, s.Provider+"_") || ty.Description == "" {
			t.Errorf("type %s: name or description is wrong", ty.Name)
		}
		if ty.Identity == nil || ty.Check == nil || ty.Derive == nil {
			t.Fatalf("type %s lacks a function", ty.Name)
		}
		testArguments(t, ty.Name, ty.Arguments)
		taken := make(map[string]bool)
		for _, a := range plan.CommonAttributes() {
			taken[a.Name] = true
		}
		for _, a := range ty.Arguments {
			taken[a.Name] = true
			if a.FromProvider && !hasArgument(s.Arguments, a.Name, a.Type) {
				t.Errorf("%s.%s comes from the provider, which has no such argument", ty.Name, a.Name)
			}
		}
		for _, a := range ty.Attributes {
			if taken[a.Name] {
				t.Errorf("%s.%s is declared twice", ty.Name, a.Name)
			}
			taken[a.Name] = true
			if !snakeCase.MatchString(a.Name) || a.Description == "" || a.Type == cty.NilType {
				t.Errorf("%s.%s: name, type or description is wrong", ty.Name, a.Name)
			}
		}
	}
}

func testArguments(t *testing.T, where string, arguments []plan.Argument) {
	seen := make(map[string]bool)
	for _, a := range arguments {
		if seen[a.Name] {
			t.Errorf("%s.%s is declared twice", where, a.Name)
		}
		seen[a.Name] = true
		if !snakeCase.MatchString(a.Name) || a.Description == "" || a.Type == cty.NilType {
			t.Errorf("%s.%s: name, type or description is wrong", where, a.Name)
		}
		if a.Default != cty.NilVal && !a.Default.Type().Equals(a.Type) {
			t.Errorf("%s.%s: the default is a %s", where, a.Name, a.Default.Type().FriendlyName())
		}
		if a.Default != cty.NilVal && a.Required {
			t.Errorf("%s.%s is required and has a default", where, a.Name)
		}
		if a.Env != "" && !a.Sensitive {
			t.Errorf("%s.%s comes from the environment and is not sensitive", where, a.Name)
		}
		if a.Duration && a.Type != cty.String {
			t.Errorf("%s.%s is a duration and no string", where, a.Name)
		}
	}
}

// testFacts sees that a vendor says of itself what the agent must know.
func testFacts(t *testing.T, v Vendor) {
	d := v.Definition
	connection, err := d.Connect(v.with(nil), options())
	if err != nil {
		t.Fatal(err)
	}
	if pulled := connection.Puller != nil; pulled != (d.Retention > 0) {
		t.Errorf("retention is %s", d.Retention)
	}
	if pushed := connection.Gate != nil; pushed != (d.Redelivery.For > 0) || pushed != (d.Redelivery.Chance > 0) {
		t.Errorf("redelivery is %+v", d.Redelivery)
	}
	if connection.Redactor == nil {
		t.Error("nothing keeps the account's credentials out of what is stored")
	}
	for _, ty := range d.Schema.Types {
		if (ty.Kind == plan.Policy) != (ty.Pull != nil) {
			t.Errorf("%s: Pull is for policies, and each has one", ty.Name)
		} else if ty.Pull != nil {
			if policy := ty.Pull(Args(ty, v.Args[ty.Name])); policy.Limit < 1 {
				t.Errorf("%s: %+v", ty.Name, policy)
			}
		}
	}
}

func hasArgument(arguments []plan.Argument, name string, ty cty.Type) bool {
	for _, a := range arguments {
		if a.Name == name && a.Type.Equals(ty) {
			return true
		}
	}
	return false
}

func testCheck(t *testing.T, v Vendor) {
	s := v.Definition.Schema
	if problems := s.Check(v.with(nil)); len(problems) > 0 {
		t.Errorf("a good provider block: %v", problems)
	}
	unknown := make(map[string]cty.Value)
	all := append([]plan.Argument(nil), s.Arguments...)
	for _, block := range s.Blocks {
		for _, a := range block.Arguments {
			a.Name = block.Name + "." + a.Name
			all = append(all, a)
		}
	}
	for _, a := range all {
		unknown[a.Name] = cty.UnknownVal(a.Type)
	}
	if problems := s.Check(Config(s, unknown)); len(problems) > 0 {
		t.Errorf("unknown values: %v", problems)
	}
	if hasArgument(s.Arguments, "endpoint", cty.String) {
		testEndpoints(t, v)
	}
	for _, ty := range s.Types {
		if problems := ty.Check(Args(ty, v.Args[ty.Name])); len(problems) > 0 {
			t.Errorf("%s: good arguments: %v", ty.Name, problems)
		}
		values := make(map[string]cty.Value)
		for _, a := range ty.Arguments {
			values[a.Name] = cty.UnknownVal(a.Type)
		}
		if problems := ty.Check(Args(ty, values)); len(problems) > 0 {
			t.Errorf("%s: unknown values: %v", ty.Name, problems)
		}
		for _, a := range ty.Arguments {
			if !a.Identity || !a.Required {
				continue
			}
			for _, bad := range []string{"", "a\nb", strings.Repeat("x", 300)} {
				problems := ty.Check(Args(ty, map[string]cty.Value{a.Name: cty.StringVal(bad)}))
				if len(problems) != 1 || problems[0].Argument != a.Name {
					t.Errorf("%s.%s = %.5q: %v", ty.Name, a.Name, bad, problems)
				}
			}
		}
	}
}

func testEndpoints(t *testing.T, v Vendor) {
	check := func(endpoint string, insecure bool) []plan.Problem {
		return v.Definition.Schema.Check(v.with(map[string]cty.Value{
			"endpoint": cty.StringVal(endpoint), "insecure": cty.BoolVal(insecure),
		}))
	}
	for _, good := range []string{
		"https://api.example.com", "https://api.example.com:8443/base/", "http://127.0.0.1:1", "http://localhost/x", "http://[::1]:80",
	} {
		if problems := check(good, false); len(problems) > 0 {
			t.Errorf("endpoint %s: %v", good, problems)
		}
	}
	if problems := check("http://api.example.com", true); len(problems) > 0 {
		t.Errorf("an http endpoint with insecure: %v", problems)
	}
	for _, bad := range []string{
		"", "api.example.com", "http://api.example.com", "http://128.0.0.1", "http://localhost.example.com", "ftp://example.com",
		"https://user:hunter2hunter2@example.com", "https://example.com/?key=1", "https://example.com/#a", "https://", "https:///path", "://", "http:127.0.0.1",
	} {
		problems := check(bad, false)
		if len(problems) != 1 || problems[0].Argument != "endpoint" {
			t.Errorf("endpoint %q: %v", bad, problems)
			continue
		}
		if strings.Contains(problems[0].Detail, "hunter2") {
			t.Errorf("endpoint %q: a password shows in %q", bad, problems[0].Detail)
		}
	}
}

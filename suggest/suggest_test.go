package suggest

import "testing"

func TestNearest(t *testing.T) {
	for _, test := range []struct {
		word  string
		names []string
		want  string
	}{
		{"plam", []string{"apply", "plan"}, "plan"},
		{"plan", []string{"plan"}, ""},
		{"plan", []string{"plan", "plans"}, "plans"},
		{"x", []string{"y"}, "y"},
		{"cafe\u0301", []string{"caf\u00e9"}, ""},
		{"x", []string{"yz"}, ""},
		{"globfax_recipient.invoices", []string{"ucloud_usms_message.promo"}, ""},
		{"zzzz", nil, ""},
	} {
		if got := Nearest(test.word, test.names); got != test.want {
			t.Errorf("Nearest(%q, %q) = %q, want %q", test.word, test.names, got, test.want)
		}
	}
}

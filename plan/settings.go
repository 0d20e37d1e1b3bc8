package plan

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/value"
)

// Identity is what makes an item the same item, whatever its address: its
// resource type, its account, and the vendor's name for it within the account.
// Identities are comparable, so they serve as map keys.
type Identity struct{ Type, Account, Vendor string }

// Settings are the meta-arguments of an item, decoded from its arguments.
type Settings struct {
	Interval      time.Duration // polled: first interval between reads; policy: between pulls
	MaxInterval   time.Duration // polled: the back-off's cap
	GiveUpAfter   time.Duration // zero: never (policies)
	Suspend       bool
	PreventForget bool
}

// DecodeSettings reads the meta-arguments out of an item's encoded arguments.
// A million items are decoded in one pass, so it walks the members of the
// object instead of building them. Only those of the object itself and of its
// poll block count: an argument of a type may be a map with keys of any name.
func DecodeSettings(args json.RawMessage) (Settings, error) {
	s := Settings{MaxInterval: DefaultMaxInterval}
	err := value.EachMember(args, func(name, v []byte) error {
		switch string(name) {
		case "suspend":
			s.Suspend = string(v) == "true"
		case "prevent_forget":
			s.PreventForget = string(v) == "true"
		case "give_up_after":
			return decodeDuration(v, &s.GiveUpAfter)
		case "interval":
			return decodeDuration(v, &s.Interval)
		case "poll":
			return value.EachMember(v, func(name, v []byte) error {
				switch string(name) {
				case "interval":
					return decodeDuration(v, &s.Interval)
				case "max_interval":
					return decodeDuration(v, &s.MaxInterval)
				}
				return nil
			})
		}
		return nil
	})
	if err != nil {
		return Settings{}, fmt.Errorf("meta-arguments: %w", err)
	}
	return s, nil
}

// decodeDuration reads a JSON string such as "15m"; null leaves the target alone.
func decodeDuration(v []byte, to *time.Duration) error {
	if string(v) == "null" {
		return nil
	}
	if len(v) < 2 || v[0] != '"' || v[len(v)-1] != '"' {
		return fmt.Errorf("%.40q is not a duration in quotes", v)
	}
	d, err := time.ParseDuration(string(v[1 : len(v)-1]))
	if err != nil {
		return err
	}
	*to = d
	return nil
}

package agent

import (
	"context"
	"fmt"
	"sync"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/state"
)

// seen is what a pass knows of each block's instances: what the state holds,
// what this pass has read and not recorded (a plan), and what is declared and
// not tracked yet. It answers the references between resources.
type seen struct {
	mu      sync.Mutex // guards desired, which rest takes away while expectations are judged
	catalog providers.Catalog
	reader  state.Reader // nil: there is no state yet
	// desired are the instances of this pass by block; a block that is absent was
	// deferred, or not evaluated: then what is tracked stands.
	desired map[string][]plan.Desired
	// overlay holds items by identity as this pass found them.
	overlay map[plan.Identity]*plan.Item
}

// rest lets go of the instances: they are recorded, so that what is tracked stands.
func (s *seen) rest() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.desired = nil
}

// Instances implements hclspec.Seen.
func (s *seen) Instances(ctx context.Context, typ, name string) (map[plan.Key]cty.Value, error) {
	t, err := s.catalog.TypeOf(typ)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	desired, declared := s.desired[typ+"."+name]
	s.mu.Unlock()
	tracked := make(map[plan.Identity]*plan.Item)
	values := make(map[plan.Key]cty.Value, len(desired))
	if s.reader != nil {
		for item, err := range s.reader.Items(ctx, state.ItemFilter{Type: typ}) {
			if err != nil {
				return nil, fmt.Errorf("read the state of %s.%s: %w", typ, name, err)
			}
			key := item.FullIdentity()
			if over, ok := s.overlay[key]; ok {
				item = over
			}
			if declared {
				tracked[key] = item
				continue
			}
			if item.Address.Name() != name {
				continue
			}
			if values[item.Address.Key()], err = plan.ItemValues(t, item); err != nil {
				return nil, err
			}
		}
	}
	for i := range desired {
		d := &desired[i]
		item, ok := tracked[d.FullIdentity()]
		if !ok {
			if values[d.Address.Key()], err = plan.DesiredValues(t, d); err != nil {
				return nil, err
			}
			continue
		}
		declared := *item // as it will stand once the declaration is recorded
		declared.Declare(d)
		if values[d.Address.Key()], err = plan.ItemValues(t, &declared); err != nil {
			return nil, err
		}
	}
	return values, nil
}

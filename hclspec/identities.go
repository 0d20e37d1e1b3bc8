package hclspec

import (
	"fmt"
	"hash/maphash"

	"github.com/hashicorp/hcl/v2"

	"github.com/waybill-dev/waybill/plan"
)

// identities finds instances that name the same vendor record. Of each
// instance it holds a hash and where the instance is, for there may be a
// million.
type identities struct {
	seed  maphash.Seed
	waves [][]plan.Desired
	at    map[uint64][]place32 // more than one only where hashes collide
	one   map[uint64]place32
	queue map[string]*plan.Desired // of pull policies, by queue and identity
}

type place32 struct{ wave, index uint32 }

func newIdentities() *identities {
	return &identities{seed: maphash.MakeSeed(), at: map[uint64][]place32{}, queue: map[string]*plan.Desired{}}
}

func (ids *identities) hash(d *plan.Desired) uint64 {
	var h maphash.Hash
	h.SetSeed(ids.seed)
	h.WriteString(d.Account)
	h.WriteByte(0)
	h.WriteString(d.Address.Type())
	h.WriteByte(0)
	h.WriteString(d.Identity)
	return h.Sum64()
}

func sameRecord(a, b *plan.Desired) bool {
	return a.Identity == b.Identity && a.Address.Type() == b.Address.Type() && a.Account == b.Account
}

// find is the instance before that names the same record; else d is kept as
// the first.
func (ids *identities) find(d *plan.Desired, here place32) *plan.Desired {
	h := ids.hash(d)
	first, taken := ids.one[h]
	if !taken {
		ids.one[h] = here
		return nil
	}
	for _, p := range append([]place32{first}, ids.at[h]...) {
		if other := &ids.waves[p.wave][p.index]; sameRecord(other, d) {
			return other
		}
	}
	ids.at[h] = append(ids.at[h], here)
	return nil
}

// maxDuplicates is how many duplicates are told one by one.
const maxDuplicates = 50

// add takes the instances of a wave in.
func (ids *identities) add(m *Module, accounts map[string]*plan.Account, instances []plan.Desired) hcl.Diagnostics {
	if ids.one == nil {
		ids.one = make(map[uint64]place32, len(instances))
	}
	ids.waves = append(ids.waves, instances)
	wave := uint32(len(ids.waves) - 1)
	var diags hcl.Diagnostics
	duplicates := 0
	for i := range instances {
		d := &instances[i]
		other := ids.find(d, place32{wave, uint32(i)})
		if other == nil {
			continue
		}
		if duplicates++; duplicates > maxDuplicates {
			continue
		}
		diags = append(diags, mistake("Duplicate vendor record",
			fmt.Sprintf("Both %s (%s) and %s (%s) name the record %q of account %s. A record is declared once: take one of them out.",
				other.Address, declaredAt(other), d.Address, declaredAt(d), d.Identity, d.Account), m.resources[d.Address.Block()].declared.Ptr()))
	}
	if duplicates > maxDuplicates {
		diags = append(diags, mistake("Duplicate vendor records", fmt.Sprintf("%d more instances name a record that another one names.", duplicates-maxDuplicates), nil))
	}
	return append(diags, ids.addQueues(m, accounts, instances)...)
}

func declaredAt(d *plan.Desired) string { return fmt.Sprintf("%s:%d", d.Origin.File, d.Origin.Line) }

// addQueues judges pull policies of different accounts that drain one queue.
// Two of one account are duplicate records already.
func (ids *identities) addQueues(m *Module, accounts map[string]*plan.Account, instances []plan.Desired) hcl.Diagnostics {
	var diags hcl.Diagnostics
	var r *resource
	for i := range instances {
		d := &instances[i]
		if r == nil || r.name != d.Address.Name() || r.typ.Name != d.Address.Type() {
			r = m.resources[d.Address.Block()]
		}
		if r.typ.Kind != plan.Policy || r.typ.schema.Queue == nil {
			continue
		}
		account := accounts[d.Account]
		if account == nil || !account.Config.IsWhollyKnown() {
			continue
		}
		key := r.typ.schema.Queue(account.Config) + "\x00" + d.Identity
		other, exists := ids.queue[key]
		switch {
		case !exists:
			ids.queue[key] = d
		case other.Account != d.Account:
			diags = append(diags, mistake("Duplicate pull policy",
				fmt.Sprintf("Both %s (%s) and %s (%s) pull the same queue: endpoint, key and project are equal. Each would take reports from the other: take one of them out.",
					other.Address, declaredAt(other), d.Address, declaredAt(d)), r.declared.Ptr()))
		}
	}
	return diags
}

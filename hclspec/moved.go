package hclspec

import (
	"fmt"
	"sort"

	"github.com/hashicorp/hcl/v2"

	"github.com/waybill-dev/waybill/plan"
)

func sortByPosition(list []*hcl.Attribute) {
	sort.SliceStable(list, func(i, j int) bool { return list[i].NameRange.Start.Byte < list[j].NameRange.Start.Byte })
}

var (
	movedSchema = &hcl.BodySchema{Attributes: []hcl.AttributeSchema{
		{Name: "from", Required: true}, {Name: "to", Required: true},
	}}
	removedSchema = &hcl.BodySchema{
		Attributes: []hcl.AttributeSchema{{Name: "from", Required: true}},
		Blocks:     []hcl.BlockHeaderSchema{{Type: "lifecycle"}},
	}
	removedLifecycle = &hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "destroy"}}}
)

func (m *Module) decodeMoved(block *hcl.Block) hcl.Diagnostics {
	content, diags := block.Body.Content(movedSchema)
	from, to := content.Attributes["from"], content.Attributes["to"]
	if from == nil || to == nil {
		return diags
	}
	fromAddress, fromDiags := m.address(from.Expr)
	toAddress, toDiags := m.address(to.Expr)
	diags = append(append(diags, fromDiags...), toDiags...)
	if diags.HasErrors() {
		return diags
	}
	m.moves = append(m.moves, move{
		Move:      plan.Move{From: fromAddress, To: toAddress, Origin: origin(block.DefRange)},
		fromRange: from.Expr.Range(), toRange: to.Expr.Range(),
	})
	return diags
}

func (m *Module) decodeRemoved(block *hcl.Block) hcl.Diagnostics {
	content, diags := contentOf(block.Body, removedSchema, removedWords()...)
	for _, b := range content.Blocks {
		lifecycle, lifecycleDiags := b.Body.Content(removedLifecycle)
		diags = append(diags, lifecycleDiags...)
		destroy := false
		if attr := lifecycle.Attributes["destroy"]; attr != nil {
			diags = append(diags, constant(attr, &destroy)...)
			if destroy {
				diags = append(diags, mistake("Nothing is destroyed",
					"Waybill forgets what is removed and never touches anything at a vendor. Write destroy = false, or leave the lifecycle block out.", attr.Expr.Range().Ptr()))
			}
		}
	}
	from := content.Attributes["from"]
	if from == nil {
		return diags
	}
	address, addressDiags := m.address(from.Expr)
	diags = append(diags, addressDiags...)
	if !addressDiags.HasErrors() {
		m.removals = append(m.removals, removal{address, from.Expr.Range()})
	}
	return diags
}

// address reads the address of a moved or removed block.
func (m *Module) address(expr hcl.Expression) (plan.Address, hcl.Diagnostics) {
	traversal, diags := hcl.AbsTraversalForExpr(expr)
	if diags.HasErrors() {
		return plan.Address{}, hcl.Diagnostics{badAddress(expr.Range())}
	}
	address, ok := plan.AddressOf(traversal)
	if !ok {
		return plan.Address{}, hcl.Diagnostics{badAddress(expr.Range())}
	}
	if m.types[address.Type()] == nil {
		return address, hcl.Diagnostics{m.unknownType(address.Type(), expr.Range())}
	}
	return address, nil
}

func badAddress(at hcl.Range) *hcl.Diagnostic {
	return mistake("Invalid address", "An address is written without quotes, as type.name, type.name[0] or type.name[\"key\"]: globfax_recipient.invoice[\"INV-1\"].", at.Ptr())
}

// checkMoves judges moved and removed blocks against what is declared.
func (m *Module) checkMoves() hcl.Diagnostics {
	var diags hcl.Diagnostics
	froms, tos := map[plan.Address]move{}, map[plan.Address]move{}
	for _, moved := range m.moves {
		switch {
		case moved.From == moved.To:
			diags = append(diags, mistake("Redundant move statement", "This block moves "+moved.From.String()+" to where it is already. Take the block out, or mend one of its addresses.", moved.fromRange.Ptr()))
			continue
		case moved.From.Type() != moved.To.Type():
			diags = append(diags, mistake("Resource type mismatch",
				fmt.Sprintf("This block moves %s to %s, which is of another type. An item keeps its type; to track another type, forget the one and declare the other.", moved.From, moved.To), moved.toRange.Ptr()))
			continue
		}
		if other, ok := froms[moved.From]; ok {
			diags = append(diags, mistake("Ambiguous move statements",
				fmt.Sprintf("The block at %s moves %s to %s, and this one moves it to %s. Keep one of the two.",
					place(other.fromRange), moved.From, other.To, moved.To), moved.fromRange.Ptr()))
			continue
		}
		if other, ok := tos[moved.To]; ok {
			diags = append(diags, mistake("Ambiguous move statements",
				fmt.Sprintf("The block at %s moves %s to %s, and this one moves %s to the same place. Keep one of the two.",
					place(other.fromRange), other.From, moved.To, moved.From), moved.toRange.Ptr()))
			continue
		}
		froms[moved.From], tos[moved.To] = moved, moved
		if r := m.resources[moved.From.Block()]; r != nil && moved.From.Key().IsNone() && (moved.To.Block() != moved.From.Block()) {
			diags = append(diags, mistake("Moved object still exists",
				fmt.Sprintf("This block moves %s, but the resource at %s still has that name. Rename it to %s, or take this block out.",
					moved.From, place(r.declared), moved.To), moved.fromRange.Ptr()))
		}
	}
	diags = append(diags, moveCycles(m.moves, froms)...)
	for _, removed := range m.removals {
		r := m.resources[removed.address.Block()]
		if r == nil || !removed.address.Key().IsNone() {
			continue
		}
		diags = append(diags, mistake("Removed resource still exists",
			fmt.Sprintf("%s is removed here and yet stands at %s. Take the resource block out, or this one.", removed.address, place(r.declared)), removed.declared.Ptr()))
	}
	return diags
}

// moveCycles finds moves that come back to where they began.
func moveCycles(moves []move, froms map[plan.Address]move) hcl.Diagnostics {
	var diags hcl.Diagnostics
	inCycle := map[plan.Address]bool{}
	for _, m := range moves {
		if m.From == m.To || inCycle[m.From] {
			continue
		}
		members := []string{m.From.String()}
		seen := map[plan.Address]bool{m.From: true}
		for at := m.To; ; {
			if at == m.From {
				for a := range seen {
					inCycle[a] = true
				}
				diags = append(diags, mistake("Cyclic dependency in move statements",
					"These moved blocks go round in a circle, so that it cannot be said where anything is: "+listWords(members)+".", m.fromRange.Ptr()))
				break
			}
			next, ok := froms[at]
			if !ok || seen[at] {
				break
			}
			seen[at] = true
			members = append(members, at.String())
			at = next.To
		}
	}
	return diags
}

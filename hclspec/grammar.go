package hclspec

import (
	"slices"

	"github.com/hashicorp/hcl/v2"

	"github.com/waybill-dev/waybill/plan"
)

// Block is one kind of block of the language, for those who describe it: its
// type, its labels, and what it may hold beside what a vendor's schema adds.
type Block struct {
	Type      string
	Labels    []string // what each label names: "type", "name"
	Arguments []string
	Blocks    []Block
}

// Grammar is every block of a configuration file, from the schemas by which files
// are read.
func Grammar() []Block {
	return grammar(rootBlocks, "", map[string]*hcl.BodySchema{
		"waybill":             waybillSchema,
		"waybill/backend":     sqliteSchema,
		"agent":               agentSchema,
		"agent/admin":         listenerSchema,
		"agent/receiver":      listenerSchema,
		"variable":            variableSchema,
		"variable/validation": ruleSchema,
		"provider":            providerSchema(&plan.Schema{}),
		"resource":            resourceSchema(&plan.Type{Kind: plan.Polled}),
		"resource/poll":       pollSchema,
		"resource/lifecycle":  lifecycleSchema,
		"resource/expect":     expectSchema,
		"output":              outputSchema,
		"check":               checkSchema,
		"check/assert":        ruleSchema,
		"moved":               movedSchema,
		"removed":             removedSchema,
		"removed/lifecycle":   removedLifecycle,
	})
}

// grammar describes the blocks of a body. bodies are by the path of their block;
// one that is not there holds whatever it likes.
func grammar(body *hcl.BodySchema, path string, bodies map[string]*hcl.BodySchema) []Block {
	var blocks []Block
	for _, header := range body.Blocks {
		b := Block{Type: header.Type, Labels: header.LabelNames}
		if inner := bodies[path+header.Type]; inner != nil {
			for _, a := range inner.Attributes {
				b.Arguments = append(b.Arguments, a.Name)
			}
			slices.Sort(b.Arguments)
			b.Blocks = grammar(inner, path+header.Type+"/", bodies)
		}
		blocks = append(blocks, b)
	}
	return blocks
}

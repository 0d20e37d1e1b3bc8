package hclspec

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// word is a block or an argument that Terraform has at some place and Waybill
// has not, with what serves instead.
type word struct {
	name    string
	block   bool
	labels  []string // of a block
	instead string   // whole sentences
}

func argumentWord(name, instead string) word { return word{name: name, instead: instead} }

func blockWord(name, instead string, labels ...string) word {
	return word{name: name, block: true, labels: labels, instead: instead}
}

// contentOf is a body's content by a schema. Words of Terraform's that do not
// belong there are mistakes that name Waybill's own.
func contentOf(body hcl.Body, schema *hcl.BodySchema, words ...word) (*hcl.BodyContent, hcl.Diagnostics) {
	wide := &hcl.BodySchema{Attributes: slices.Clone(schema.Attributes), Blocks: slices.Clone(schema.Blocks)}
	words = slices.DeleteFunc(words, func(w word) bool { return has(schema, w.name) })
	for _, w := range words {
		if w.block {
			wide.Blocks = append(wide.Blocks, hcl.BlockHeaderSchema{Type: w.name, LabelNames: w.labels})
		} else {
			wide.Attributes = append(wide.Attributes, hcl.AttributeSchema{Name: w.name})
		}
	}
	found, diags := body.Content(wide)
	for _, b := range found.Blocks {
		b.Labels = slices.Clone(b.Labels)
		for i := range b.Labels {
			b.Labels[i] = nameOf(b.Labels[i])
		}
	}
	for _, w := range words {
		if attr := found.Attributes[w.name]; attr != nil && !w.block {
			delete(found.Attributes, w.name)
			diags = append(diags, mistake("Unsupported argument", fmt.Sprintf("There is no argument %q here. %s", w.name, w.instead), attr.NameRange.Ptr()))
		}
		if !w.block {
			continue
		}
		found.Blocks = slices.DeleteFunc(found.Blocks, func(b *hcl.Block) bool {
			if b.Type == w.name {
				diags = append(diags, mistake("Unsupported block type", fmt.Sprintf("There is no block %q here. %s", w.name, w.instead), b.TypeRange.Ptr()))
			}
			return b.Type == w.name
		})
	}
	return found, diags
}

func has(schema *hcl.BodySchema, name string) bool {
	return slices.ContainsFunc(schema.Attributes, func(a hcl.AttributeSchema) bool { return a.Name == name }) ||
		slices.ContainsFunc(schema.Blocks, func(b hcl.BlockHeaderSchema) bool { return b.Type == name })
}

const (
	orderInstead     = "References alone say what comes first: refer to the resource that this depends on."
	secretInstead    = `Take secrets from the environment with env("NAME"): what it gives is sensitive and is never stored.`
	readOnlyInstead  = "Waybill reads what the vendors tell, and runs nothing."
	unchangedInstead = "Nothing is created, replaced or destroyed at a vendor, so there is nothing to say about it."
)

func rootWords() []word {
	return []word{
		blockWord("terraform", "What concerns the program stands in a waybill block: required_version and backend."),
		blockWord("data", "Files are read by functions, such as csvdecode(file(\"faxes.csv\")), and what the vendors told is read from resources, such as globfax_recipient.invoice.status.", "type", "name"),
		blockWord("module", "Modules are not in this version: write the blocks into this directory.", "name"),
		blockWord("import", "Nothing has to be imported: declare the vendor's record in a resource block, and the next apply reads it. One that was tracked before takes up its history."),
		blockWord("ephemeral", secretInstead, "type", "name"),
	}
}

func waybillWords() []word {
	return []word{
		blockWord("required_providers", "The vendors are part of the program, so none is required: leave the block out."),
		blockWord("cloud", "The state is kept by a backend \"sqlite\" block."),
		blockWord("provider_meta", "Leave the block out.", "provider"),
		argumentWord("experiments", "Leave it out."),
		argumentWord("time_zone", "A time zone is not in this version: days and months are those of UTC."),
		argumentWord("required_providers", "The vendors are part of the program, so none is required: leave it out."),
	}
}

func variableWords() []word {
	return []word{argumentWord("ephemeral", "Write sensitive = true, or take the value from env(): neither is ever stored."),
		argumentWord("deprecated", "Say it in the description.")}
}

func outputWords() []word {
	return []word{
		argumentWord("depends_on", orderInstead),
		argumentWord("ephemeral", "Write sensitive = true: a sensitive output is never stored."),
		argumentWord("deprecated", "Say it in the description."),
		blockWord("precondition", "Write a check block with an assert block: its condition is judged in every pass."),
	}
}

func resourceWords() []word {
	return []word{
		argumentWord("depends_on", orderInstead),
		argumentWord("labels", "Labels are not in this version."),
		argumentWord("prevent_forget", "It stands in a lifecycle block: lifecycle { prevent_forget = true }"),
		argumentWord("prevent_destroy", "Waybill's is lifecycle { prevent_forget = true }"),
		blockWord("provisioner", readOnlyInstead, "type"),
		blockWord("connection", readOnlyInstead),
		blockWord("timeouts", "How long a call may take is the provider's: timeout in its block. How long an item is waited for is give_up_after."),
		blockWord("dynamic", "Write each block out. What differs from instance to instance may be said inside it, with each.key and each.value.", "type"),
	}
}

func lifecycleWords() []word {
	condition := "Write an expect block in the resource, with condition and error_message: it is judged at each read."
	return []word{
		argumentWord("prevent_destroy", "Did you mean \"prevent_forget\"? Nothing is destroyed at a vendor; an item with prevent_forget = true is not forgotten while it is awaited."),
		argumentWord("ignore_changes", unchangedInstead+" Leave it out: the declaration is what counts."),
		argumentWord("create_before_destroy", unchangedInstead),
		argumentWord("replace_triggered_by", unchangedInstead),
		argumentWord("action_trigger", readOnlyInstead),
		blockWord("precondition", condition),
		blockWord("postcondition", condition),
	}
}

func providerWords() []word {
	each := "Write a provider block for each account, and give each its own alias."
	return []word{
		argumentWord("default_labels", "Labels are not in this version."),
		argumentWord("version", "The vendors are part of the program: say required_version in the waybill block."),
		argumentWord("for_each", each),
		argumentWord("count", each),
		argumentWord("depends_on", orderInstead),
		argumentWord("source", "The vendors are part of the program: leave it out."),
	}
}

func checkWords() []word {
	return []word{blockWord("data", "Refer to resources: what the vendors told is in their attributes.", "type", "name")}
}

func removedWords() []word {
	return []word{blockWord("provisioner", readOnlyInstead, "type"), blockWord("connection", readOnlyInstead)}
}

// foreignReference says what serves instead of a reference that Terraform has.
func foreignReference(root string) string {
	switch root {
	case "terraform":
		return "There are no workspaces: a configuration directory has one state. Tell two installations apart by a variable."
	case "data":
		return "There are no data sources: read files with functions such as file and csvdecode, and what the vendors told from resources."
	case "module":
		return "Modules are not in this version."
	case "ephemeral":
		return secretInstead
	}
	return ""
}

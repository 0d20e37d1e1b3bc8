// Package hclspec reads a configuration directory: the text that a user wrote
// becomes the desired set, accounts, outputs and checks, or diagnostics that
// name every mistake at once. References between resources are evaluated
// against what was seen of them; what was not seen yet is unknown, never an
// error. The package is handed the vendors' schemas and knows no vendor.
package hclspec

import (
	"context"
	"path/filepath"
	"slices"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/waybill-dev/waybill/plan"
)

// Options say what is loaded, and with what.
type Options struct {
	// Dir is the configuration directory.
	Dir string
	// Files answer what is asked of files; nil: the disk does.
	Files Files
	// Schemas are the vendors'.
	Schemas []*plan.Schema
	// VarFiles are the files of -var-file, in order.
	VarFiles []string
	// Vars are the "name=value" of -var, in order; they beat files.
	Vars []string
	// Environ looks an environment variable up, as os.LookupEnv does. Nil means
	// an empty environment.
	Environ func(string) (string, bool)
	// Offline makes env() of an unset variable, missing credentials and input
	// variables without a value unknown instead of mistakes.
	Offline bool
	// Overrides replace what provider blocks say: provider -> argument -> value.
	// A nested block is an object under its name. The expressions of replaced
	// arguments are not evaluated.
	Overrides map[string]map[string]cty.Value
	// Parallelism is how many cores evaluate instances; 0 means all.
	Parallelism int
}

// Config is a loaded configuration. It is safe for concurrent use.
type Config struct {
	opts Options
	dir  string // absolute
	// unparsed says that a file could not be parsed, so that what refers to it
	// cannot be judged.
	unparsed bool
	parser   *hclparse.Parser
	asked    *noted
	read     *secretLog
	funcs    map[string]function.Function
	static   *hcl.EvalContext // path and functions
	schemas  map[string]*plan.Schema
	types    map[string]*resourceType

	waybill   *waybillBlock
	agents    *agentBlock
	variables map[string]*variable
	locals    map[string]*local
	providers map[string]*provider // by account name
	resources map[string]*resource // by block address
	outputs   map[string]*output
	checks    map[string]*check
	moves     []move
	removals  []removal

	waves [][]*resource

	valuesMu sync.Mutex
	values   map[string]*hcl.File // files whose text stands for a value on the command line

	accountsOnce   sync.Once
	accounts       []plan.Account
	accountsByName map[string]*plan.Account
	accountsDiags  hcl.Diagnostics
}

// resourceType is a type with the schema that it belongs to.
type resourceType struct {
	*plan.Type
	schema   *plan.Schema
	argsType cty.Type
	values   cty.Type
}

// Load reads every *.wb.hcl and *.wb.json of the directory, in the order of
// their names, and judges everything that can be judged without evaluating
// resources. The Config is never nil: with mistakes it serves to print them,
// and for Settings.
func Load(opts Options) (*Config, hcl.Diagnostics) {
	c, diags := newConfig(opts)
	if diags.HasErrors() {
		return c, diags
	}
	files, fileDiags := c.parseDir()
	diags = append(diags, fileDiags...)
	c.unparsed = fileDiags.HasErrors()
	diags = append(diags, c.load(files)...)
	return c, c.clean(diags)
}

// load takes the parsed files in and judges them.
func (c *Config) load(files []*hcl.File) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, file := range files {
		diags = append(diags, c.decodeFile(file)...)
	}
	diags = append(diags, c.gatherValues()...)
	diags = append(diags, c.checkReferences()...)
	diags = append(diags, c.order()...)
	diags = append(diags, c.checkMoves()...)
	if !diags.HasErrors() {
		diags = append(diags, c.checkVariables()...)
	}
	return diags
}

func newConfig(opts Options) (*Config, hcl.Diagnostics) {
	c := &Config{
		opts:      opts,
		parser:    hclparse.NewParser(),
		read:      &secretLog{secrets: map[string]bool{}},
		schemas:   map[string]*plan.Schema{},
		types:     map[string]*resourceType{},
		variables: map[string]*variable{},
		locals:    map[string]*local{},
		providers: map[string]*provider{},
		resources: map[string]*resource{},
		outputs:   map[string]*output{},
		checks:    map[string]*check{},
		values:    map[string]*hcl.File{},
	}
	if c.opts.Environ == nil {
		c.opts.Environ = func(string) (string, bool) { return "", false }
	}
	for _, schema := range opts.Schemas {
		c.schemas[schema.Provider] = schema
		for _, t := range schema.Types {
			c.types[t.Name] = &resourceType{Type: t, schema: schema, argsType: t.ArgsType(), values: t.ValuesType()}
		}
	}
	dir, err := filepath.Abs(opts.Dir)
	if err != nil {
		return c, hcl.Diagnostics{mistake("Unreadable configuration directory", "The directory "+opts.Dir+" cannot be named: "+err.Error()+".", nil)}
	}
	c.dir = dir
	if c.opts.Files == nil {
		c.opts.Files = Disk(dir)
	}
	c.asked = &noted{Files: c.opts.Files, paths: map[string]bool{filepath.Join(dir, "waybill.wbvars.hcl"): true}}
	c.opts.Files = c.asked
	c.funcs = c.functions()
	c.static = &hcl.EvalContext{
		Functions: c.funcs,
		Variables: map[string]cty.Value{
			"path": cty.ObjectVal(map[string]cty.Value{
				"module": cty.StringVal("."),
				"root":   cty.StringVal("."),
				"cwd":    cty.StringVal(filepath.ToSlash(dir)),
			}),
		},
	}
	return c, nil
}

// Sources are the texts of all files read, for printing diagnostics.
func (c *Config) Sources() map[string]*hcl.File {
	sources := map[string]*hcl.File{}
	for name, file := range c.parser.Files() {
		sources[name] = file
	}
	c.valuesMu.Lock()
	defer c.valuesMu.Unlock()
	for name, file := range c.values {
		sources[name] = file
	}
	return sources
}

// Files are the absolute paths of every file that was read so far or looked
// for: those of the configuration, of variable values, and the inputs of
// functions, which grow in number during evaluation.
func (c *Config) Files() []string {
	c.asked.mu.Lock()
	defer c.asked.mu.Unlock()
	return sortedKeys(c.asked.paths)
}

// Moves are the moved blocks, in the order of the text.
func (c *Config) Moves() []plan.Move {
	moves := make([]plan.Move, 0, len(c.moves))
	for _, m := range c.moves {
		moves = append(moves, m.Move)
	}
	return moves
}

// Removed are the addresses that removed blocks name. One without a key stands
// for the whole block.
func (c *Config) Removed() []plan.Address {
	addresses := make([]plan.Address, 0, len(c.removals))
	for _, r := range c.removals {
		addresses = append(addresses, r.address)
	}
	return addresses
}

// Seen tells what is known of a block's instances at this point of a pass.
type Seen interface {
	// Instances are the values of a block's instances, objects of
	// plan.Type.ValuesType, the vendor's attributes unknown before the first read.
	// Instances that are missing are taken as unknown.
	Instances(ctx context.Context, typ, name string) (map[plan.Key]cty.Value, error)
}

// sortedKeys are a map's keys in order.
func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// unread are the values of an instance of which nothing is known.
func (t *resourceType) unread() cty.Value { return cty.UnknownVal(t.values) }

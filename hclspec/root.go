// Package hclspec reads a configuration directory: the text that a user wrote
// becomes the desired set, accounts, outputs and checks, or diagnostics that
// name every mistake at once. References between resources are evaluated
// against what was seen of them; what was not seen yet is unknown, never an
// error.
//
//	Root        what there is of once: settings, accounts, files, secrets
//	Module      what one directory declares by name: variables, locals, resources, outputs
//	Evaluation  one pass over the resources, wave by wave, then outputs and checks
//
// It may read files, through Files alone, and the environment that it is
// handed. It opens no connection, writes nothing and prints nothing; it knows
// the vendors by their schemas and the state by Seen.
//
// It has more than 3,000 lines, for blocks refer to one another: whatever evaluates
// one needs the same variables, locals and resources. What needs none of them stands
// in packages below: expressions and functions.
package hclspec

import (
	"context"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/hclspec/functions"
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
	// Vars are what -var and -var-file say, in the order of the command line: of
	// two that set a variable the later counts. They beat all other values.
	Vars []Var
	// ValuesLater says that the values of variables come later, as for validate:
	// one to which nobody gave a value is unknown, and its default is not judged.
	ValuesLater bool
	// Version is the program's, which required_version is judged by; "" judges none.
	Version string
	// Environ looks an environment variable up, as os.LookupEnv does. Nil means
	// an empty environment.
	Environ func(string) (string, bool)
	// Offline makes env() of an unset variable, missing credentials and input
	// variables without a value or default unknown instead of mistakes.
	Offline bool
	// Context ends evaluation when it is done: at the next function or loop. Nil
	// means never.
	Context context.Context
	// Now is the clock, asked once: timestamp and plantimestamp tell when the
	// configuration was loaded. Nil means the system's.
	Now func() time.Time
	// Overrides replace what provider blocks say: provider -> argument -> value.
	// A nested block is an object under its name. The expressions of replaced
	// arguments are not evaluated.
	Overrides map[string]map[string]cty.Value
	// Parallelism is how many cores evaluate instances; 0 means all.
	Parallelism int
}

// Var is one -var, a text such as "name=value", or one -var-file, its path.
type Var struct {
	Text string
	File bool
}

// Root is a loaded configuration: what there is of once, whatever modules it
// has, and its root module. It is safe for concurrent use.
type Root struct {
	language
	opts   Options
	dir    string // absolute
	broken broken
	parser *hclparse.Parser
	read   *secretLog

	waybill   *waybillBlock
	agents    *agentBlock
	providers map[string]*provider // by account name
	module    *Module
	waves     [][]*resource

	valuesMu sync.Mutex
	values   map[string]*hcl.File // files whose text stands for a value on the command line

	accountsOnce   sync.Once
	accounts       []plan.Account
	accountsByName map[string]*plan.Account
	accountsDiags  hcl.Diagnostics
}

// Load reads every *.wb.hcl and *.wb.json of the directory, in the order of
// their names, and judges everything that can be judged without evaluating
// resources. The Root is never nil: with mistakes it serves to print them,
// and for Settings.
func Load(opts Options) (*Root, hcl.Diagnostics) {
	c, diags := newRoot(opts)
	if diags.HasErrors() {
		return c, diags
	}
	files, fileDiags := c.parseDir()
	diags = append(diags, fileDiags...)
	c.broken = brokenBy(fileDiags, c.parser.Files())
	found := c.load(files)
	if c.opts.Version != "" {
		diags = append(c.checkVersion(c.opts.Version), diags...)
	}
	return c, c.clean(append(diags, c.broken.without(found)...))
}

// load takes the parsed files in and judges them.
func (c *Root) load(files []*hcl.File) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, file := range files {
		diags = append(diags, c.decodeFile(file)...)
	}
	diags = append(diags, c.gatherValues()...)
	diags = append(diags, c.checkReferences()...)
	waves, orderDiags := c.module.order()
	c.waves = waves
	diags = append(append(diags, orderDiags...), c.checkStaticLocals()...)
	diags = append(diags, c.module.checkMoves()...)
	return append(diags, c.checkVariables()...)
}

func newRoot(opts Options) (*Root, hcl.Diagnostics) {
	c := &Root{
		language:  newLanguage(opts.Schemas),
		opts:      opts,
		parser:    hclparse.NewParser(),
		read:      &secretLog{secrets: map[string]bool{}},
		providers: map[string]*provider{},
		values:    map[string]*hcl.File{},
	}
	c.module = newModule(&c.language)
	if c.opts.Environ == nil {
		c.opts.Environ = func(string) (string, bool) { return "", false }
	}
	if c.opts.Context == nil {
		c.opts.Context = context.Background()
	}
	if c.opts.Now == nil {
		c.opts.Now = time.Now
	}
	loaded := c.opts.Now()
	c.opts.Now = func() time.Time { return loaded }
	dir, err := filepath.Abs(opts.Dir)
	if err != nil {
		return c, hcl.Diagnostics{mistake("Unreadable configuration directory", "The directory "+opts.Dir+" cannot be named: "+err.Error()+".", nil)}
	}
	c.dir = dir
	if c.opts.Files == nil {
		c.opts.Files = Disk(dir)
	}
	c.funcs = functions.New(inputs{c.dir, c.opts.Files}, environment{&c.opts, c.read})
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
func (c *Root) Sources() map[string]*hcl.File {
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

// Moves are the moved blocks, in the order of the text.
func (c *Root) Moves() []plan.Move {
	moves := make([]plan.Move, 0, len(c.module.moves))
	for _, m := range c.module.moves {
		moves = append(moves, m.Move)
	}
	return moves
}

// Removed are the addresses that removed blocks name. One without a key stands
// for the whole block.
func (c *Root) Removed() []plan.Address {
	addresses := make([]plan.Address, 0, len(c.module.removals))
	for _, r := range c.module.removals {
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

package hclspec

import (
	"fmt"
	"strings"

	"github.com/hashicorp/go-version"
	"github.com/hashicorp/hcl/v2"
	"github.com/waybill-dev/waybill/hclspec/expressions"
	"github.com/zclconf/go-cty/cty"
)

// Settings are what the waybill and agent blocks say.
type Settings struct {
	RequiredVersion string // as written, "" where there is none
	BackendPath     string // of the SQLite file, as written, relative to the configuration directory
	MaxForget       ForgetLimit
	Admin, Receiver Listener
}

// Listener is one listening socket of the agent.
type Listener struct {
	Listen        string // "127.0.0.1:8480"
	WebConfigFile string // of the exporter toolkit, "" for none; relative to the configuration directory
	Insecure      bool   // may listen beyond loopback without TLS
}

// The defaults of PRODUCT's waybill and agent blocks.
const (
	DefaultBackendPath    = "waybill.db"
	DefaultAdminListen    = "127.0.0.1:8480"
	DefaultReceiverListen = "127.0.0.1:8481"
)

// waybillBlock is the waybill block.
type waybillBlock struct {
	requiredVersion *hcl.Attribute
	backendPath     *hcl.Attribute
	backend         *hcl.Block
	declared        hcl.Range
}

// agentBlock is the agent block.
type agentBlock struct {
	maxForget       *hcl.Attribute
	admin, receiver map[string]*hcl.Attribute
	declared        hcl.Range
}

var (
	waybillSchema = &hcl.BodySchema{
		Attributes: []hcl.AttributeSchema{{Name: "required_version"}},
		Blocks:     []hcl.BlockHeaderSchema{{Type: "backend", LabelNames: []string{"type"}}},
	}
	sqliteSchema = &hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "path"}}}
	agentSchema  = &hcl.BodySchema{
		Attributes: []hcl.AttributeSchema{{Name: "max_forget"}},
		Blocks:     []hcl.BlockHeaderSchema{{Type: "admin"}, {Type: "receiver"}},
	}
	listenerSchema = &hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "listen"}, {Name: "web_config_file"}, {Name: "insecure"}}}
)

func (c *Root) decodeWaybill(block *hcl.Block) hcl.Diagnostics {
	content, diags := contentOf(block.Body, waybillSchema, waybillWords()...)
	if c.waybill != nil {
		return append(diags, duplicate("Duplicate waybill block", "A waybill block was already given at %s. Only one is allowed.", block.DefRange, c.waybill.declared))
	}
	c.waybill = &waybillBlock{requiredVersion: content.Attributes["required_version"], declared: block.DefRange}
	for _, b := range content.Blocks {
		if c.waybill.backend != nil {
			diags = append(diags, duplicate("Duplicate backend block", "A backend block was already given at %s. Only one is allowed.", b.DefRange, c.waybill.backend.DefRange))
			continue
		}
		c.waybill.backend = b
		switch b.Labels[0] {
		case "sqlite":
			body, bodyDiags := b.Body.Content(sqliteSchema)
			diags = append(diags, bodyDiags...)
			c.waybill.backendPath = body.Attributes["path"]
		case "postgres":
			diags = append(diags, mistake("Not in this version", `The backend "postgres" is not in this version. Use backend "sqlite", or leave the block out.`, b.LabelRanges[0].Ptr()))
		default:
			diags = append(diags, mistake("Unsupported backend type", fmt.Sprintf("There is no backend type %q.%s The backend is \"sqlite\".", b.Labels[0], didYouMean(b.Labels[0], []string{"sqlite"})), b.LabelRanges[0].Ptr()))
		}
	}
	return diags
}

func (c *Root) decodeAgent(block *hcl.Block) hcl.Diagnostics {
	content, diags := contentOf(block.Body, agentSchema,
		argumentWord("max_untrack", "It is called max_forget now: write that in its place. Its values mean the same; settled items, and those that a removed block names, no longer count."))
	if c.agents != nil {
		return append(diags, duplicate("Duplicate agent block", "An agent block was already given at %s. Only one is allowed.", block.DefRange, c.agents.declared))
	}
	c.agents = &agentBlock{maxForget: content.Attributes["max_forget"], declared: block.DefRange}
	first := map[string]hcl.Range{}
	for _, b := range content.Blocks {
		if at, ok := first[b.Type]; ok {
			diags = append(diags, duplicate("Duplicate "+b.Type+" block", "A "+b.Type+" block was already given at %s. Only one is allowed.", b.DefRange, at))
			continue
		}
		first[b.Type] = b.DefRange
		body, bodyDiags := b.Body.Content(listenerSchema)
		diags = append(diags, bodyDiags...)
		if b.Type == "admin" {
			c.agents.admin = body.Attributes
		} else {
			c.agents.receiver = body.Attributes
		}
	}
	return diags
}

// settingAttribute is an expression of the waybill or agent block.
type settingAttribute struct {
	attr *hcl.Attribute
	what string
	refs *references
}

func (c *Root) settingAttributes() []settingAttribute {
	var list []settingAttribute
	add := func(what string, attrs ...*hcl.Attribute) {
		for _, attr := range attrs {
			if attr != nil {
				list = append(list, settingAttribute{attr, what, newReferences()})
			}
		}
	}
	if w := c.waybill; w != nil {
		add("waybill block", w.requiredVersion, w.backendPath)
	}
	if a := c.agents; a != nil {
		add("agent block", a.maxForget)
		for _, attrs := range []map[string]*hcl.Attribute{a.admin, a.receiver} {
			for _, name := range sortedKeys(attrs) {
				add("agent block", attrs[name])
			}
		}
	}
	return list
}

// Settings evaluates the waybill and agent blocks, and nothing else: it needs
// no credentials and serves although other blocks have mistakes.
func (c *Root) Settings() (Settings, hcl.Diagnostics) {
	s := Settings{
		BackendPath: DefaultBackendPath,
		MaxForget:   DefaultForgetLimit(),
		Admin:       Listener{Listen: DefaultAdminListen},
		Receiver:    Listener{Listen: DefaultReceiverListen},
	}
	var diags hcl.Diagnostics
	text := func(attr *hcl.Attribute, to *string) {
		v, ok, valueDiags := c.setting(attr, cty.String)
		diags = append(diags, valueDiags...)
		if ok {
			*to = v.AsString()
		}
	}
	if w := c.waybill; w != nil {
		text(w.requiredVersion, &s.RequiredVersion)
		text(w.backendPath, &s.BackendPath)
		if s.BackendPath == "" {
			diags = append(diags, unsuitable(w.backendPath, "a file name is required"))
		}
	}
	if a := c.agents; a != nil {
		limit := s.MaxForget.String()
		text(a.maxForget, &limit)
		parsed, err := ParseForgetLimit(limit)
		if err != nil {
			diags = append(diags, mistake("Invalid max_forget", sentence(err.Error()), a.maxForget.Expr.Range().Ptr()))
		} else {
			s.MaxForget = parsed
		}
		for _, l := range []struct {
			block string
			attrs map[string]*hcl.Attribute
			to    *Listener
		}{{"agent.admin", a.admin, &s.Admin}, {"agent.receiver", a.receiver, &s.Receiver}} {
			text(l.attrs["listen"], &l.to.Listen)
			text(l.attrs["web_config_file"], &l.to.WebConfigFile)
			v, ok, valueDiags := c.setting(l.attrs["insecure"], cty.Bool)
			diags = append(diags, valueDiags...)
			l.to.Insecure = ok && v.True()
			if d := checkListener(l.block, l.attrs, *l.to); d != nil {
				diags = append(diags, d)
			}
		}
		last := a.receiver["listen"]
		if last == nil {
			last = a.admin["listen"]
		}
		if d := checkApart(last, s.Admin.Listen, s.Receiver.Listen); d != nil {
			diags = append(diags, d)
		}
	}
	return s, c.clean(diags)
}

// SettingRange is where a setting is written, such as "waybill.backend.path" or
// "agent.admin.web_config_file"; nil where it is not.
func (c *Root) SettingRange(name string) *hcl.Range {
	var attr *hcl.Attribute
	switch block, argument := cutLast(name); {
	case block == "waybill.backend" && c.waybill != nil:
		attr = c.waybill.backendPath
	case block == "agent.admin" && c.agents != nil:
		attr = c.agents.admin[argument]
	case block == "agent.receiver" && c.agents != nil:
		attr = c.agents.receiver[argument]
	}
	if attr == nil {
		return nil
	}
	return attr.Expr.Range().Ptr()
}

// cutLast cuts a name at its last dot.
func cutLast(name string) (before, after string) {
	i := strings.LastIndexByte(name, '.')
	return name[:max(i, 0)], name[i+1:]
}

// setting evaluates one argument; ok is false where there is no value.
func (c *Root) setting(attr *hcl.Attribute, want cty.Type) (v cty.Value, ok bool, diags hcl.Diagnostics) {
	if attr == nil {
		return cty.NilVal, false, nil
	}
	v, diags = c.staticScope().evaluate(attr.Expr)
	if diags.HasErrors() {
		return cty.NilVal, false, diags
	}
	if v.ContainsMarked() {
		return cty.NilVal, false, append(diags, mistake("Invalid use of sensitive value",
			fmt.Sprintf("The argument %s is shown in logs, so that its value cannot be sensitive. If it is not a secret, wrap it in nonsensitive().", attr.Name), attr.Expr.Range().Ptr()))
	}
	v, err := expressions.Convert(v, want)
	if err != nil {
		return cty.NilVal, false, append(diags, unsuitable(attr, conversionText(err, want)))
	}
	return v, v.IsKnown() && !v.IsNull(), diags
}

// checkVersion judges required_version against the program's version.
func (c *Root) checkVersion(current string) hcl.Diagnostics {
	if c.waybill == nil || c.waybill.requiredVersion == nil {
		return nil
	}
	attr := c.waybill.requiredVersion
	v, ok, diags := c.setting(attr, cty.String)
	if !ok {
		return c.clean(diags)
	}
	constraints, err := version.NewConstraint(v.AsString())
	if err != nil {
		return c.clean(append(diags, mistake("Invalid version constraint",
			"This is not a version constraint. Write one such as \">= 0.1.0\" or \"~> 1.2\", several of them separated by commas.", attr.Expr.Range().Ptr())))
	}
	have, err := version.NewVersion(current)
	if err != nil {
		return c.clean(append(diags, mistake("Invalid program version", fmt.Sprintf("The version of this program, %q, cannot be read.", current), nil)))
	}
	// A pre-release is judged as the version that it leads to, as Terraform does.
	if !constraints.Check(have.Core()) {
		diags = append(diags, mistake("Unsupported Waybill version",
			fmt.Sprintf("This is Waybill %s, and the configuration asks for another version. Install one that this constraint allows; or change the constraint, once you know that the configuration does the same with this version.", current), attr.Expr.Range().Ptr()))
	}
	return c.clean(diags)
}

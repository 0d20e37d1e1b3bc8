package cli

// versionInfo is version -json, with the names that Terraform's has.
type versionInfo struct {
	Terraform string            `json:"terraform_version"`
	Waybill   string            `json:"waybill_version"`
	Revision  string            `json:"waybill_revision,omitempty"`
	Platform  string            `json:"platform"`
	Go        string            `json:"go_version"`
	Providers map[string]string `json:"provider_selections"`
	Outdated  bool              `json:"terraform_outdated"`
}

func (p *program) showVersion(v versionInfo, asJSON bool) {
	if asJSON {
		p.indentedJSON(v)
		return
	}
	p.out.println("Waybill v" + v.Waybill)
	p.out.println("on " + v.Platform)
}

package view

// VersionInfo is version -json, with the names that Terraform's has and ours beside.
type VersionInfo struct {
	Terraform string            `json:"terraform_version"`
	Waybill   string            `json:"waybill_version"`
	Revision  string            `json:"waybill_revision,omitempty"` // the commit that it was built from
	Modified  bool              `json:"waybill_modified,omitempty"` // built from files that were changed since
	Platform  string            `json:"platform"`
	Go        string            `json:"go_version"`
	Providers map[string]string `json:"provider_selections"`
	Outdated  bool              `json:"terraform_outdated"`
}

// Version prints the program's version.
func (v *View) Version(info VersionInfo, asJSON bool) {
	if asJSON {
		v.indentedJSON(info)
		return
	}
	v.Out.printf("Waybill v%s\n", info.Waybill)
	v.Out.printf("on %s\n", info.Platform)
	if info.Revision != "" {
		modified := ""
		if info.Modified {
			modified = ", with changes"
		}
		v.Out.printf("built from commit %s%s, by %s\n", info.Revision, modified, info.Go)
	}
}

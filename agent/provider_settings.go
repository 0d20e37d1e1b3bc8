package agent

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/waybill-dev/waybill/hclspec"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/value"
)

// noteProviderSettings is what was last carried out of the provider blocks: their
// settings that are no secret, by account. A plan shows what changes in them, for
// whoever can change an endpoint is sent the credentials.
const noteProviderSettings = "provider_settings"

// providerSettings are the settings of all provider blocks, to be remembered.
func providerSettings(config *hclspec.Root) (string, error) {
	accounts, diags := config.DeclaredAccounts()
	if diags.HasErrors() {
		return "", diags
	}
	settings := make(map[string]json.RawMessage, len(accounts))
	for _, a := range accounts {
		settings[a.Name] = a.Settings
	}
	text, err := json.Marshal(settings)
	return string(text), err
}

// changedAccounts are the accounts whose settings differ from those that were last
// carried out. Of an account that is new, or no longer declared, there is nothing
// to compare. reader is nil where there is no state yet.
func changedAccounts(ctx context.Context, reader state.Reader, accounts []plan.Account) ([]plan.AccountChange, error) {
	if reader == nil {
		return nil, nil
	}
	text, err := reader.Note(ctx, state.NoteKey{Name: noteProviderSettings})
	if err != nil || text == "" {
		return nil, err
	}
	var before map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &before); err != nil {
		return nil, fmt.Errorf("note %s: %w", noteProviderSettings, err)
	}
	var changes []plan.AccountChange
	for _, a := range accounts {
		was, ok := before[a.Name]
		if !ok {
			continue
		}
		fields, err := value.Fields(was, a.Settings, nil)
		if err != nil {
			return nil, fmt.Errorf("settings of provider %s: %w", a.Name, err)
		}
		if len(fields) > 0 {
			changes = append(changes, plan.AccountChange{Name: a.Name, Fields: fields})
		}
	}
	return changes, nil
}

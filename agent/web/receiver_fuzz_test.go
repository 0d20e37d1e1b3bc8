package web

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/agent/record"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/providers/nxcloud"
	"github.com/waybill-dev/waybill/state"
)

// notebook is a store that remembers batches and keeps none.
type notebook struct {
	state.Store
	raws    int64
	batches []*state.Batch
}

func (n *notebook) NewRawID(context.Context) (int64, error) { n.raws++; return n.raws, nil }
func (n *notebook) Commit(_ context.Context, b *state.Batch) error {
	n.batches = append(n.batches, b)
	b.NewRecords = len(b.Records)
	return nil
}

// FuzzReceiver calls the receiver with any method, path and body. Whatever comes:
// 200 if and only if it is a POST to the right path, and then exactly its bytes
// and a record of them were committed; otherwise nothing is. The same bytes
// derived again come to the same records.
func FuzzReceiver(f *testing.F) {
	const token = "a-token-of-two-and-twenty"
	for _, body := range []string{
		`{"requestId":"r","batchNo":"b","code":0}`, `{"requestId":"r","batchNo":"b","code":0,"code":1}`, "", "[]", "null", "<html>", "{\"a\":\"\xff\"}",
		`{"requestId":"r","batchNo":"b","code":262,"cost":{"price":0.002,"currency":"CNY"},"data":{"country":"CN"}}`,
		`{"requestId":"r","batchNo":"b","code":1e400,"cost":{"price":-1e999,"currency":"CNY"}}`, strings.Repeat("[", 2000),
		strings.Repeat(`{"a":`, 2000) + "1" + strings.Repeat("}", 2000), "\ufeff{}", `{"requestId":" ","batchNo":"\u0000","code":0}`,
	} {
		f.Add("POST", "/callbacks/nxcloud/"+token, []byte(body), true)
	}
	for _, path := range []string{
		"/", "/callbacks/", "/callbacks/nxcloud/", "/callbacks/nxcloud/" + token + "/", "//callbacks/nxcloud/" + token, "/callbacks/nxcloud/../nxcloud/" + token,
		"/callbacks/nxcloud/" + token[:21], "/callbacks/nxcloud/" + token + "\x00", "/callbacks/NXCLOUD/" + token, "/callbacks/nxcloud.eu/" + token, "/callbacks/ucloud/x",
	} {
		f.Add("POST", path, []byte("{}"), false)
		f.Add("GET", path, []byte(nil), true)
	}
	vendor := nxcloud.Definition()
	connection, err := vendor.Connect(cty.ObjectVal(map[string]cty.Value{"callback": cty.ObjectVal(map[string]cty.Value{
		"tokens": cty.ListVal([]cty.Value{cty.StringVal(token)}), "allowed_cidrs": cty.ListValEmpty(cty.String),
	})}), providers.Options{})
	if err != nil {
		f.Fatal(err)
	}
	at := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	now := func() time.Time { at = at.Add(time.Millisecond); return at }
	rightPath := regexp.MustCompile(`^/callbacks/nxcloud/` + token + `/?$`)
	f.Fuzz(func(t *testing.T, method, path string, body []byte, known bool) {
		var log bytes.Buffer
		store := &notebook{}
		logger := slog.New(slog.NewTextHandler(&log, nil))
		metrics := NewMetrics("test")
		recorder := record.New(record.Options{
			Catalog: providers.NewCatalog([]*providers.Definition{vendor}), Store: store, Now: now, Log: logger, Meter: metrics,
			Accounts: map[string]*providers.Account{"nxcloud": {Account: plan.Account{Name: "nxcloud", Provider: "nxcloud"}, Connection: connection, Vendor: vendor}},
		})
		request := &http.Request{
			Method: method, URL: &url.URL{Path: path}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{},
			Body: io.NopCloser(bytes.NewReader(body)), ContentLength: -1, RemoteAddr: "192.0.2.1:1234",
		}
		if known {
			request.ContentLength = int64(len(body))
		}
		answer := httptest.NewRecorder()
		NewReceiver(recorder, metrics, now, logger).ServeHTTP(answer, request)
		right := method == http.MethodPost && rightPath.MatchString(path)
		want := http.StatusOK
		switch {
		case !right && method != http.MethodPost && answer.Code == http.StatusMethodNotAllowed:
			want = http.StatusMethodNotAllowed
		case !right:
			want = http.StatusNotFound
		case len(body) > record.MaxCallback:
			want = http.StatusRequestEntityTooLarge
		}
		if answer.Code != want {
			t.Fatalf("%q %q: %d, want %d", method, path, answer.Code, want)
		}
		if strings.Contains(answer.Body.String()+log.String(), token) {
			t.Fatal("the token is told")
		}
		if want != http.StatusOK {
			if len(store.batches) > 0 {
				t.Fatal("something was stored")
			}
			return
		}
		kept, redacted := connection.Redactor.Bytes(body) // byte for byte, but for our own token
		if len(store.batches) != 1 || len(store.batches[0].Raws) != 1 || store.batches[0].Raws[0].Redacted != redacted ||
			redacted == bytes.Equal(kept, body) || !bytes.Equal(store.batches[0].Raws[0].Body, kept) {
			t.Fatalf("stored %+v", store.batches)
		}
		raw, records := store.batches[0].Raws[0], store.batches[0].Records
		if len(records) != 1 || !raw.Derived || raw.Kind != state.RawCallback {
			t.Fatalf("%d records of %+v", len(records), raw)
		}
		if r := records[0]; r.RawID != raw.ID || r.Account != "nxcloud" || r.Type != "nxcloud_number_check" || !json.Valid(r.Attributes) {
			t.Fatalf("%+v", r)
		}
		again := record.Parse(vendor, &raw).Records
		if len(again) != 1 || !reflect.DeepEqual(records, again) {
			t.Fatalf("%+v, and again %+v", records, again)
		}
	})
}

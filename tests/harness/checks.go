package harness

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// Eventually waits until a condition holds, which says what is still wrong.
func Eventually(t testing.TB, check func() string) {
	t.Helper()
	deadline := time.Now().Add(Patience)
	for {
		wrong := check()
		if wrong == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %s: %s", Patience, wrong)
		}
		time.Sleep(again) // another process is waited for
	}
}

// Call makes a request and returns the answer; status 0 means that there was none,
// and the answer says why.
func Call(method, url, body string) (status int, answer string) {
	request, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return 0, err.Error()
	}
	client := http.Client{Timeout: Patience}
	response, err := client.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(content)
}

// Decode decodes one JSON value and nothing after it. Numbers are kept as they
// were written.
func Decode(t testing.TB, text string, to any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(to); err != nil {
		t.Fatalf("%v in %.300s", err, text)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		t.Fatalf("there is more than one JSON value in %.300s", text)
	}
}

// Wants fails the test for each attribute that is not as told; numbers are
// compared as they are written.
func Wants(t testing.TB, what string, got map[string]any, want map[string]any) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if wrong := Unless(got[name], want[name]); wrong != "" {
			t.Errorf("%s: %s: %s", what, name, wrong)
		}
	}
}

// Unless is empty when a value is as wanted, else what it is.
func Unless(got, want any) string {
	if text(got) == text(want) {
		return ""
	}
	return fmt.Sprintf("it is %s, want %s", text(got), text(want))
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// Says fails the test for each of several texts that is missing.
func Says(t testing.TB, what, in string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(in, part) {
			t.Errorf("%s does not say %q:\n%s", what, part, in)
		}
	}
}

package providers_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/providers"
)

func deflated(t testing.TB, body string) string {
	t.Helper()
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	if _, err := w.Write([]byte(body)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestUnpack(t *testing.T) {
	const text = `{"RetCode":0,"Message":"ok"}`
	damaged := []byte(packed(t, text))
	damaged[len(damaged)-6] ^= 1 // its checksum
	for name, test := range map[string]struct{ body, content, says string }{
		"plain":                {text, text, ""},
		"empty":                {"", "", ""},
		"binary":               {"\x1f\x8b", "\x1f\x8b", ""},
		"br, or anything":      {"\x0b\x02\x80hello\x03", "\x0b\x02\x80hello\x03", ""},
		"gzip":                 {packed(t, text), text, ""},
		"gzip of nothing":      {packed(t, ""), "", ""},
		"gzip twice":           {packed(t, packed(t, text)), text, ""},
		"deflate":              {deflated(t, text), text, ""},
		"deflate in gzip":      {packed(t, deflated(t, text)), text, ""},
		"members":              {packed(t, text[:9]) + packed(t, text[9:]), text, ""},
		"followed by anything": {packed(t, text) + "\r\n\x00\x00", text, ""},
		"cut in the header":    {packed(t, text)[:8], "", "cut off"},
		"cut in the checksum":  {packed(t, text)[:len(packed(t, text))-3], text, "cut off"},
		"a member cut":         {packed(t, text) + packed(t, text)[:5], text, "cut off"},
		"damaged":              {string(damaged), text, "damaged"},
		"a bomb":               {packed(t, strings.Repeat(" ", 5000)), strings.Repeat(" ", 1000), "over 1000 bytes"},
		"a bomb in deflate":    {deflated(t, strings.Repeat(" ", 5000)), strings.Repeat(" ", 1000), "over 1000 bytes"},
		"many small bombs":     {strings.Repeat(packed(t, strings.Repeat(" ", 300)), 9), strings.Repeat(" ", 1000), "over 1000 bytes"},
		"just within":          {packed(t, strings.Repeat(" ", 1000)), strings.Repeat(" ", 1000), ""},
		"too many layers":      {packed(t, packed(t, packed(t, packed(t, text)))), "", "again and again"},
	} {
		content, err := providers.Unpack([]byte(test.body), 1000)
		if string(content) != test.content || (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %q, %v", name, content, err)
		}
	}
	// What can be read grows with what arrived.
	body, last := []byte(packed(t, strings.Repeat(text, 40))), 0
	for i := range body {
		content, err := providers.Unpack(body[:i], 1<<20)
		if i > 3 && err == nil || i > 3 && !strings.HasPrefix(strings.Repeat(text, 40), string(content)) || i > 3 && len(content) < last {
			t.Fatalf("cut at %d: %d bytes, %v", i, len(content), err)
		}
		if i > 3 {
			last = len(content)
		}
	}
	if last == 0 {
		t.Error("nothing was read of a cut body")
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add([]byte("{}"))
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte("{}"))
	_ = w.Close()
	f.Add(b.Bytes())
	f.Add([]byte(deflated(f, "{}")))
	f.Fuzz(func(t *testing.T, body []byte) {
		content, err := providers.Unpack(body, 4096)
		if err == nil && len(content) > max(4096, len(body)) || err != nil && len(content) > 4096 {
			t.Fatalf("%d bytes of %d, %v", len(content), len(body), err)
		}
	})
}

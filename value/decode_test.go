package value

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"testing"
)

// slowJSON is DecodeTree by encoding/json alone.
func slowJSON(b []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.UseNumber()
	var x any
	if err := decoder.Decode(&x); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more")
	}
	return x, nil
}

// The quick way takes nothing that encoding/json refuses, and reads the same.
func FuzzQuickJSON(f *testing.F) {
	for _, text := range []string{
		`{"a":1,"b":[true,false,null,"x",-0.5e+10],"c":{"d":{}},"a":2}`, ` [ ] `, `{}`, `""`, `"é传"`, "\"\xff\"", `"\u0041"`, `01`, `-`, `1.`, `1e`, `.5`, `+1`, `tru`, `nul`,
		`{"a"}`, `{"a":}`, `{,}`, `[1,]`, `{"a":1,}`, `1 2`, `"a`, "\"\n\"", ``, ` `, `[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]`, `-0`, `00`, `1E5`, `{"":0}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		quick, ok := decodeQuick(b)
		if !ok {
			return
		}
		slow, err := slowJSON(b)
		if err != nil || !reflect.DeepEqual(quick, slow) {
			t.Fatalf("%q: quick %#v, encoding/json %#v, %v", b, quick, slow, err)
		}
	})
}

// What vendors send is read the quick way.
func TestQuickJSONTakesOrdinaryAnswers(t *testing.T) {
	for _, text := range []string{
		`{"message": "请求成功", "code": 0, "data": {"numberType": "mobile"}, "cost": {"price": 0.002, "currency": "CNY"}}`,
		`{"give_up_after":"72h","poll":{"interval":"60s","max_interval":"15m"},"prevent_forget":false,"rcpt_ref":"rcpt_1","suspend":false}`,
	} {
		quick, ok := decodeQuick([]byte(text))
		slow, err := slowJSON([]byte(text))
		if !ok || err != nil || !reflect.DeepEqual(quick, slow) {
			t.Errorf("%s: %#v, %v; %#v, %v", text, quick, ok, slow, err)
		}
	}
}

package functions

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/ianaindex"
)

// base64DecodeFunc takes the place of the library's, which writes what it
// cannot decode, secrets too, to the process's log.
var base64DecodeFunc = function.New(&function.Spec{
	Description: "Decodes a base64 text that holds UTF-8.",
	Params:      []function.Parameter{{Name: "str", Type: cty.String}},
	Type:        function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		decoded, err := base64.StdEncoding.DecodeString(args[0].AsString())
		if err != nil {
			return cty.NilVal, function.NewArgErrorf(0, "it is not base64: %w", err)
		}
		if !utf8.Valid(decoded) {
			return cty.NilVal, errors.New("what it decodes to is not valid UTF-8; pass it on as it is, or decode it with textdecodebase64 and the name of its encoding")
		}
		return cty.StringVal(string(decoded)), nil
	},
})

var base64GzipFunc = function.New(&function.Spec{
	Description: "Gzips a string, and writes the bytes in base64.",
	Params:      []function.Parameter{{Name: "str", Type: cty.String}},
	Type:        function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		if _, err := w.Write([]byte(args[0].AsString())); err != nil {
			return cty.NilVal, err
		}
		if err := errors.Join(w.Flush(), w.Close()); err != nil { // flushed, for Terraform's bytes
			return cty.NilVal, err
		}
		return cty.StringVal(base64.StdEncoding.EncodeToString(b.Bytes())), nil
	},
})

// namedEncoding is a character encoding by its IANA name or alias.
func namedEncoding(arg int, name string) (encoding.Encoding, string, error) {
	enc, err := ianaindex.IANA.Encoding(name)
	if err != nil || enc == nil {
		return nil, "", function.NewArgErrorf(arg, "%q is not the IANA name of an encoding that is known here; write such as \"UTF-16LE\" or \"windows-1252\"", name)
	}
	if canonical, err := ianaindex.IANA.Name(enc); err == nil {
		name = canonical
	}
	return enc, name, nil
}

var textEncodeBase64Func = function.New(&function.Spec{
	Description: "Encodes a string in a character encoding and the bytes in base64.",
	Params:      []function.Parameter{{Name: "string", Type: cty.String}, {Name: "encoding", Type: cty.String}},
	Type:        function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		enc, name, err := namedEncoding(1, args[1].AsString())
		if err != nil {
			return cty.NilVal, err
		}
		encoded, err := enc.NewEncoder().Bytes([]byte(args[0].AsString()))
		if err != nil {
			return cty.NilVal, function.NewArgErrorf(0, "%s has no code for some of its characters", name)
		}
		return cty.StringVal(base64.StdEncoding.EncodeToString(encoded)), nil
	},
})

var textDecodeBase64Func = function.New(&function.Spec{
	Description: "Decodes base64 and reads the bytes in a character encoding.",
	Params:      []function.Parameter{{Name: "source", Type: cty.String}, {Name: "encoding", Type: cty.String}},
	Type:        function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		enc, name, err := namedEncoding(1, args[1].AsString())
		if err != nil {
			return cty.NilVal, err
		}
		raw, err := base64.StdEncoding.DecodeString(args[0].AsString())
		if err != nil {
			return cty.NilVal, function.NewArgErrorf(0, "it is not base64: %w", err)
		}
		decoded, err := enc.NewDecoder().Bytes(raw)
		if err != nil || bytes.ContainsRune(decoded, utf8.RuneError) {
			return cty.NilVal, function.NewArgErrorf(0, "some of its bytes mean nothing in %s", name)
		}
		return cty.StringVal(string(decoded)), nil
	},
})

package view

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
)

// jsonString is a name and its text in a JSON file.
var jsonString = regexp.MustCompile(`"((?:[^"\\]|\\.)*)"\s*:\s*"((?:[^"\\]|\\.)*)"`)

// maskJSON overwrites the secrets of one file in JSON syntax: by place as far
// as it is JSON, and by the names of credentials beyond the first mistake.
func (v *View) maskJSON(src []byte, sensitive map[string]bool) {
	m := jsonMasker{v: v, src: src, sensitive: sensitive, decoder: json.NewDecoder(bytes.NewReader(bytes.Clone(src)))}
	m.decoder.UseNumber()
	_ = m.value(nil) // a mistake in the syntax ends it; the diagnostic tells
	for _, at := range jsonString.FindAllSubmatchIndex(src, -1) {
		name := string(src[at[2]:at[3]])
		if (sensitive[name] || v.secretName(name)) && !bytes.HasPrefix(src[at[4]:], []byte("${")) {
			overwrite(src, at[4], at[5])
		}
	}
}

// jsonMasker walks a JSON text, with the names of the properties it is in.
type jsonMasker struct {
	v         *View
	src       []byte
	sensitive map[string]bool
	decoder   *json.Decoder
}

func (m *jsonMasker) value(path []string) error {
	before := m.decoder.InputOffset()
	token, err := m.decoder.Token()
	if err != nil {
		return err
	}
	switch t := token.(type) {
	case json.Delim:
		for m.decoder.More() {
			inner := path
			if t == '{' {
				name, err := m.decoder.Token()
				if err != nil {
					return err
				}
				text, _ := name.(string) // a property's name is a string
				inner = append(path[:len(path):len(path)], text)
			}
			if err := m.value(inner); err != nil {
				return err
			}
		}
		_, err := m.decoder.Token() // the closing one
		return err
	case string:
		if m.secret(path) && !strings.HasPrefix(t, "${") {
			m.mask(before)
		}
	case json.Number:
		if m.secret(path) {
			m.mask(before)
		}
	}
	return nil
}

// mask overwrites the token that was just read; before it stand at most a
// separator and spaces.
func (m *jsonMasker) mask(before int64) {
	for before < int64(len(m.src)) && strings.ContainsRune(" \t\r\n:,", rune(m.src[before])) {
		before++
	}
	overwrite(m.src, int(before), int(m.decoder.InputOffset()))
}

// secret reports whether the value at a path may be one. Arrays add nothing to
// a path, for a block may stand in one or not.
func (m *jsonMasker) secret(path []string) bool {
	if len(path) == 1 {
		return m.sensitive[path[0]]
	}
	if len(path) < 3 {
		return false
	}
	last := path[len(path)-1]
	switch path[0] {
	case "provider":
		return !m.v.openArguments(path[1])[last]
	case "variable":
		return path[2] == "default" && m.sensitive[path[1]]
	case "notify":
		return last != "url" && last != "on"
	}
	return false
}

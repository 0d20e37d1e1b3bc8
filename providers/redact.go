package providers

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"html"
	"slices"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// minSecret is the length, in characters, from which a credential is looked
// for in what a vendor sends: a shorter one would be found in ordinary words.
const minSecret = 6

// Redactor overwrites an account's own credentials in what its vendor sent. It
// stands where the vendor's bytes come in, before anything is made of them, so
// that whatever is kept, logged or shown later is clean: answers and errors of
// the Client, callbacks in the receiver.
//
// A credential is found as it is, in capitals or small letters, and with any of
// its characters escaped as URLs, JSON and HTML do it, also twice; and in
// base64 (alone or within more) and in hex. A nil Redactor finds nothing.
type Redactor struct {
	known   []string
	secrets [][]rune
	begins  [256]bool // bytes with which a secret, or an escaped character, may begin
	encoded [][]byte  // base64 and hex, looked for as they are
}

// NewRedactor makes one for an account's credentials.
func NewRedactor(secrets ...string) *Redactor {
	r := &Redactor{known: secrets}
	for _, secret := range secrets {
		runes := []rune(secret)
		if len(runes) < minSecret {
			continue
		}
		r.secrets = append(r.secrets, runes)
		for _, first := range []rune{runes[0], unicode.ToLower(runes[0]), unicode.ToUpper(runes[0])} {
			r.begins[utf8.AppendRune(nil, first)[0]] = true
		}
		r.begins['%'], r.begins['\\'], r.begins['&'] = true, true, true
		digits := []byte(hex.EncodeToString([]byte(secret)))
		r.encoded = append(r.encoded, digits, bytes.ToUpper(digits))
		for _, alphabet := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			for before := range 3 {
				// The first and last characters depend on what stands beside the secret.
				text := alphabet.EncodeToString(append(make([]byte, before), secret...))
				end := len(text)
				if (before+len(secret))%3 != 0 {
					end--
				}
				r.encoded = append(r.encoded, []byte(text[[...]int{0, 2, 3}[before]:end]))
			}
		}
	}
	return r
}

// With is a Redactor that knows further secrets, such as a request's signature
// that never expires.
func (r *Redactor) With(secrets ...string) *Redactor {
	if len(secrets) == 0 {
		return r
	}
	return NewRedactor(append(slices.Clone(r.known), secrets...)...)
}

// Bytes returns the bytes with each credential overwritten by "*", and whether
// there was one; what is given is not changed. The beginning of a credential at
// the very end counts too: the rest was cut off.
func (r *Redactor) Bytes(b []byte) (clean []byte, redacted bool) {
	if r == nil || len(r.secrets) == 0 {
		return b, false
	}
	clean = b
	overwrite := func(from, to int) {
		if !redacted {
			clean, redacted = bytes.Clone(b), true
		}
		for i := from; i < to; i++ {
			clean[i] = '*'
		}
	}
	for i := 0; i < len(b); i++ {
		if !r.begins[b[i]] {
			continue
		}
		longest := 0
		for _, secret := range r.secrets {
			longest = max(longest, written(b[i:], secret))
		}
		if longest > 0 {
			overwrite(i, i+longest)
			i += longest - 1
		}
	}
	for _, text := range r.encoded {
		for from := 0; ; {
			i := bytes.Index(b[from:], text)
			if i < 0 {
				break
			}
			overwrite(from+i, from+i+len(text))
			from += i + len(text)
		}
	}
	return clean, redacted
}

// Text is Bytes for a text.
func (r *Redactor) Text(s string) string {
	clean, redacted := r.Bytes([]byte(s))
	if !redacted {
		return s
	}
	return string(clean)
}

// Answer redacts an answer's body, which may be read up to bound (see Unpack). Of
// a compressed one that holds a credential the content is kept in its place.
func (r *Redactor) Answer(a *Answer, bound int) {
	content, err := Unpack(a.Body, bound)
	clean, redacted := r.Bytes(content)
	if !redacted {
		return
	}
	a.Redacted, a.Sum = true, sha256.Sum256(a.Body)
	a.Body = clean
	a.Complete = a.Complete && err == nil
}

// written is how many bytes at the beginning of b write the secret, 0 when they
// do not.
func written(b []byte, secret []rune) int {
	at := 0
	for n, want := range secret {
		if at == len(b) {
			if n >= minSecret {
				return at
			}
			return 0
		}
		size := character(b[at:], want)
		if size == 0 {
			return 0
		}
		at += size
	}
	return at
}

// character is how many bytes at the beginning of b write one character, as it
// is or escaped; 0 when they write another. Letters may be of either case.
func character(b []byte, want rune) int {
	switch b[0] {
	case '\\':
		if n := backslashed(b, want); n > 0 {
			return n
		}
	case '%':
		if n := percented(b, want); n > 0 {
			return n
		}
	case '&':
		if end := bytes.IndexByte(b[:min(len(b), 12)], ';'); end > 0 {
			text := string(b[:end+1])
			for range 2 { // an entity within an entity: &amp;#43;
				if text = html.UnescapeString(text); !isEntity(text) {
					break
				}
			}
			if r, size := utf8.DecodeRuneInString(text); size == len(text) && same(r, want) {
				return end + 1
			}
		}
	}
	if r, size := utf8.DecodeRune(b); same(r, want) {
		return size
	}
	return 0
}

func isEntity(text string) bool { return len(text) > 2 && text[0] == '&' }

func same(a, b rune) bool {
	return a == b || unicode.ToLower(a) == unicode.ToLower(b)
}

// backslashed reads \/ \" \x2b \u002b, with any number of backslashes: JSON
// within JSON has several.
func backslashed(b []byte, want rune) int {
	n := 0
	for n < len(b) && b[n] == '\\' {
		n++
	}
	if n == len(b) {
		return 0
	}
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[b[n]]
	if digits > 0 && n+1+digits <= len(b) {
		if code, err := strconv.ParseUint(string(b[n+1:n+1+digits]), 16, 32); err == nil && same(rune(code), want) {
			return n + 1 + digits
		}
	}
	if r, size := utf8.DecodeRune(b[n:]); same(r, want) {
		return n + size
	}
	return 0
}

// percented reads %2B, and %252B, which is the same twice.
func percented(b []byte, want rune) int {
	var char [utf8.UTFMax]byte
	n, size := 0, 0
	for size < len(char) && n < len(b) && b[n] == '%' {
		n++
		for bytes.HasPrefix(b[n:], []byte("25")) && len(b) >= n+4 {
			n += 2
		}
		if n+2 > len(b) {
			return 0
		}
		code, err := strconv.ParseUint(string(b[n:n+2]), 16, 8)
		if err != nil {
			return 0
		}
		char[size] = byte(code)
		n, size = n+2, size+1
		if r, whole := utf8.DecodeRune(char[:size]); whole == size && r != utf8.RuneError {
			if same(r, want) {
				return n
			}
			return 0
		}
	}
	return 0
}

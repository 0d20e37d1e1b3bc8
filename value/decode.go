package value

import (
	"encoding/json"
	"unicode/utf8"
)

// quickJSON reads what DecodeTree reads, without its reflection: every answer and
// every stored value goes through here. It gives up (ok is false) at whatever is
// not plain, mistakes included, which encoding/json then judges.
type quickJSON struct {
	b  []byte
	at int
}

// quickDepth is how deep the quick way goes.
const quickDepth = 32

func decodeQuick(b []byte) (x any, ok bool) {
	q := quickJSON{b: b}
	if x, ok = q.value(0); !ok {
		return nil, false
	}
	q.space()
	return x, q.at == len(b)
}

func (q *quickJSON) space() {
	for q.at < len(q.b) {
		switch q.b[q.at] {
		case ' ', '\t', '\n', '\r':
			q.at++
		default:
			return
		}
	}
}

// next is the next byte that is no space; 0 at the end.
func (q *quickJSON) next() byte {
	q.space()
	if q.at == len(q.b) {
		return 0
	}
	return q.b[q.at]
}

func (q *quickJSON) value(depth int) (any, bool) {
	if depth > quickDepth {
		return nil, false
	}
	switch c := q.next(); c {
	case '{':
		return q.object(depth)
	case '[':
		return q.list(depth)
	case '"':
		return q.text()
	case 't':
		return true, q.word("true")
	case 'f':
		return false, q.word("false")
	case 'n':
		return nil, q.word("null")
	default:
		return q.number()
	}
}

func (q *quickJSON) word(w string) bool {
	if len(q.b)-q.at < len(w) || string(q.b[q.at:q.at+len(w)]) != w {
		return false
	}
	q.at += len(w)
	return true
}

func (q *quickJSON) object(depth int) (any, bool) {
	q.at++
	m := make(map[string]any)
	if q.next() == '}' {
		q.at++
		return m, true
	}
	for {
		if q.next() != '"' {
			return nil, false
		}
		key, ok := q.text()
		if !ok || q.next() != ':' {
			return nil, false
		}
		q.at++
		v, ok := q.value(depth + 1)
		if !ok {
			return nil, false
		}
		m[key] = v
		switch q.next() {
		case ',':
			q.at++
		case '}':
			q.at++
			return m, true
		default:
			return nil, false
		}
	}
}

func (q *quickJSON) list(depth int) (any, bool) {
	q.at++
	list := make([]any, 0)
	if q.next() == ']' {
		q.at++
		return list, true
	}
	for {
		v, ok := q.value(depth + 1)
		if !ok {
			return nil, false
		}
		list = append(list, v)
		switch q.next() {
		case ',':
			q.at++
		case ']':
			q.at++
			return list, true
		default:
			return nil, false
		}
	}
}

// text reads a string without escapes.
func (q *quickJSON) text() (string, bool) {
	start := q.at + 1
	high := byte(0)
	for i := start; i < len(q.b); i++ {
		switch c := q.b[i]; {
		case c == '"':
			text := q.b[start:i]
			q.at = i + 1
			return string(text), high < utf8.RuneSelf || utf8.Valid(text)
		case c < 0x20 || c == '\\':
			return "", false
		default:
			high |= c
		}
	}
	return "", false
}

// number reads -?(0|[1-9][0-9]*)(.[0-9]+)?([eE][+-]?[0-9]+)?
func (q *quickJSON) number() (any, bool) {
	start := q.at
	if q.peek() == '-' {
		q.at++
	}
	if q.peek() == '0' {
		q.at++
	} else if !q.digits() {
		return nil, false
	}
	if q.peek() == '.' {
		if q.at++; !q.digits() {
			return nil, false
		}
	}
	if c := q.peek(); c == 'e' || c == 'E' {
		q.at++
		if c := q.peek(); c == '+' || c == '-' {
			q.at++
		}
		if !q.digits() {
			return nil, false
		}
	}
	return json.Number(q.b[start:q.at]), true
}

func (q *quickJSON) peek() byte {
	if q.at == len(q.b) {
		return 0
	}
	return q.b[q.at]
}

func (q *quickJSON) digits() bool {
	start := q.at
	for q.at < len(q.b) && q.b[q.at] >= '0' && q.b[q.at] <= '9' {
		q.at++
	}
	return q.at > start
}

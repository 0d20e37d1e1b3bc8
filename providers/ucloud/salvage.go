package ucloud

import (
	"bytes"
	"encoding/json"
)

// layout is where the parts of a page lie in its bytes.
type layout struct {
	// fields are the texts of the envelope's fields, ReportSet left out; more than
	// one where a field is repeated.
	fields map[string][][]byte
	// reports are the texts of the reports that are whole.
	reports [][]byte
}

// split finds the parts of a page without decoding it: by brackets and strings
// alone, so that it works on a page that was cut at any byte, and a report that
// is no valid JSON costs no other. Complete says that the page was not cut, as
// far as its transport can tell.
func split(body []byte, complete bool) layout {
	l := layout{fields: make(map[string][][]byte)}
	s := scanner{text: trimMark(body)}
	s.whole = complete && bytes.HasSuffix(bytes.TrimSpace(body), []byte("}"))
	s.space()
	if !s.take('{') {
		return l
	}
	for {
		s.space()
		key, ok := s.value()
		if !ok {
			return l
		}
		var name string
		if json.Unmarshal(key, &name) != nil {
			return l
		}
		s.space()
		if !s.take(':') {
			return l
		}
		s.space()
		if name == "ReportSet" {
			ok = s.reportSet(&l)
		} else {
			var text []byte
			if text, ok = s.value(); ok {
				l.fields[name] = append(l.fields[name], text)
			}
		}
		if !ok {
			return l
		}
		s.space()
		if !s.take(',') {
			return l
		}
	}
}

// scanner walks over JSON text.
type scanner struct {
	text  []byte
	at    int
	whole bool // the text ends as a page does
}

func (s *scanner) space() {
	for s.at < len(s.text) && bytes.IndexByte([]byte(" \t\r\n"), s.text[s.at]) >= 0 {
		s.at++
	}
}

func (s *scanner) take(c byte) bool {
	if s.at < len(s.text) && s.text[s.at] == c {
		s.at++
		return true
	}
	return false
}

// reportSet walks over the value of ReportSet and notes its reports. One report
// without its list stands for a list of one; null and "" stand for none.
func (s *scanner) reportSet(l *layout) bool {
	if !s.take('[') {
		text, ok := s.value()
		if ok && string(text) != "null" && string(text) != `""` {
			l.reports = append(l.reports, text)
		}
		return ok
	}
	s.space()
	if s.take(']') {
		return true
	}
	for mended := 0; ; {
		s.space()
		text, ok := s.report(&mended)
		if !ok {
			return false
		}
		l.reports = append(l.reports, text)
		s.space()
		if s.take(']') {
			return true
		}
		if !s.take(',') {
			return false
		}
	}
}

// maxMended bounds how many broken reports of a page are looked into, for each
// takes a walk to the end of the page.
const maxMended = 2 * maxLimit

// report walks over one report. Quotes that are not escaped put the brackets
// out of step: then it ends where the next report seems to begin, if that is
// sooner.
func (s *scanner) report(mended *int) (text []byte, ok bool) {
	start := s.at
	text, ok = s.value()
	if len(text) == 0 || text[0] != '{' || ok && json.Valid(text) || !s.whole || *mended == maxMended {
		return text, ok // of a page that was cut, the last report is no riddle
	}
	*mended++
	end := s.at
	s.at = start
	if sooner, found := s.resync(); found && (!ok || s.at < end) {
		return sooner, true
	}
	s.at = end
	return text, ok
}

// resync ends a report that is no JSON where as many brackets close as opened,
// strings or not, and before text that looks like the beginning of another
// report or like the end of the list.
func (s *scanner) resync() (text []byte, ok bool) {
	start, depth := s.at, 0
	for i := start; i < len(s.text); i++ {
		switch s.text[i] {
		case '{':
			depth++
			continue
		case '}':
			depth--
		default:
			continue
		}
		if depth > 0 {
			continue
		}
		next := scanner{text: s.text, at: i + 1}
		next.space()
		if next.take(']') {
			next.space()
			if !next.take(',') && !next.take('}') {
				continue
			}
		} else {
			if !next.take(',') {
				continue
			}
			next.space()
			if !next.take('{') {
				continue
			}
			next.space()
			if !next.take('"') {
				continue
			}
		}
		s.at = i + 1
		return s.text[start:s.at], true
	}
	return nil, false
}

// value walks over one value; ok is false when it does not end within the text.
func (s *scanner) value() (text []byte, ok bool) {
	start := s.at
	if s.at >= len(s.text) {
		return nil, false
	}
	switch s.text[s.at] {
	case '"':
		ok = s.quoted()
	case '{', '[':
		ok = s.nested()
	default:
		for s.at < len(s.text) && bytes.IndexByte([]byte(",:]} \t\r\n"), s.text[s.at]) < 0 {
			s.at++
		}
		// A word or number at the very end may have been longer.
		ok = s.at > start && s.at < len(s.text)
	}
	return s.text[start:s.at], ok
}

func (s *scanner) quoted() bool {
	for s.at++; s.at < len(s.text); s.at++ {
		switch s.text[s.at] {
		case '\\':
			s.at++
		case '"':
			s.at++
			return true
		}
	}
	return false
}

func (s *scanner) nested() bool {
	depth := 0
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case '"':
			if !s.quoted() {
				return false
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		s.at++
		if depth == 0 {
			return true
		}
	}
	return false
}

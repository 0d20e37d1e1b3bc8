package providers

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// MaxCallback bounds the body of a callback, in bytes, as it came and as it is
// read.
const MaxCallback = 1 << 20

// maxLayers is how often a body may have been compressed: by the sender, and by
// a proxy on the way.
const maxLayers = 3

// Unpack is a body as it is read. We ask for no compression, but a proxy, or a
// sender who sets Content-Encoding, may use it all the same. The body is kept
// as it came; here, when it is read, it is unpacked, and since its first bytes
// say that it is compressed (no JSON begins so), replay reads old ones too.
//
// gzip and deflate (in zlib's form) are unpacked; br, zstd and deflate without
// its header are not, and are told as content that is no text (NotJSON). The content may
// have at most bound bytes. With an error it is the beginning that could be
// read: the rest is cut off, damaged, or beyond the bound.
func Unpack(body []byte, bound int) (content []byte, err error) {
	content = body
	for range maxLayers {
		open := opener(content)
		if open == nil {
			return content, err
		}
		var whole error
		if content, whole = unpack(open, content, bound); err == nil {
			err = whole
		}
		if errors.Is(whole, errTooLarge) {
			return content, err
		}
	}
	if opener(content) != nil {
		return nil, errors.New("is compressed again and again")
	}
	return content, err
}

// NotJSON says of content that holds no JSON object what it is not, for an error
// or a reason: "the answer " + NotJSON(body).
func NotJSON(content []byte) string {
	if utf8.Valid(content) {
		return "is not a JSON object"
	}
	return "is no text and not a JSON object; where it is compressed, ask for gzip or deflate, which are read"
}

var errTooLarge = errors.New("unpacks to more than is taken")

// opener finds by what a body is compressed, nil when it is not.
func opener(b []byte) func(*bytes.Reader) (io.Reader, error) {
	switch {
	case len(b) > 2 && b[0] == 0x1f && b[1] == 0x8b && b[2] == 8:
		return func(r *bytes.Reader) (io.Reader, error) {
			z, err := gzip.NewReader(r)
			if err != nil {
				return nil, err // a nil *Reader would be a reader
			}
			z.Multistream(false)
			return z, nil
		}
	case len(b) > 2 && b[0] == 0x78 && (int(b[0])<<8|int(b[1]))%31 == 0 && b[1]&0x20 == 0:
		return func(r *bytes.Reader) (io.Reader, error) { return zlib.NewReader(r) }
	}
	return nil
}

// unpack takes off one layer. Members of gzip that follow each other are one
// body; what follows them and is none is left alone.
func unpack(open func(*bytes.Reader) (io.Reader, error), body []byte, bound int) ([]byte, error) {
	var content bytes.Buffer
	in := bytes.NewReader(body)
	for first := true; ; first = false {
		if rest := body[len(body)-in.Len():]; !first && rest[0] != body[0] {
			return content.Bytes(), nil
		}
		z, err := open(in)
		if err != nil {
			return content.Bytes(), errors.New("is compressed and was cut off")
		}
		_, err = content.ReadFrom(io.LimitReader(z, int64(bound+1-content.Len())))
		switch {
		case content.Len() > bound:
			content.Truncate(bound)
			return content.Bytes(), fmt.Errorf("%w: over %d bytes", errTooLarge, bound)
		case errors.Is(err, io.ErrUnexpectedEOF):
			return content.Bytes(), errors.New("is compressed and was cut off")
		case err != nil:
			return content.Bytes(), errors.New("is compressed and damaged")
		case in.Len() == 0:
			return content.Bytes(), nil
		}
	}
}

// Open is an answer as it is read: unpacked, and judged before its content is
// looked at. The answer is that of the caller to go on with, also beside a
// fault: what could be unpacked of it is whole up to where it ends.
func Open(vendor string, a Answer) (Answer, *Error) {
	content, err := Unpack(a.Body, MaxAnswer)
	a.Body = content
	if err == nil {
		return a, JudgeTransport(vendor, a)
	}
	a.Complete = false
	if fault := judgeKnownStatus(vendor, a); fault != nil {
		return a, fault
	}
	return a, Fault(WrongContent, vendor, "the answer %w (HTTP %d); it is asked again later: check endpoint and what stands before it if this goes on", err, a.Status)
}

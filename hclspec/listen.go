package hclspec

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
)

// checkListen judges the form of a listen address, host:port.
func checkListen(attr *hcl.Attribute, listen string) *hcl.Diagnostic {
	if attr == nil {
		return nil
	}
	_, port, err := net.SplitHostPort(listen)
	if err == nil {
		if n, numberErr := strconv.Atoi(port); numberErr == nil && n >= 0 && n <= 65535 {
			return nil
		}
	}
	return mistake("Invalid listen address", fmt.Sprintf("%q is not an address to listen on; write a host and a port such as \"127.0.0.1:8480\".", listen), attr.Expr.Range().Ptr())
}

// sentence makes an error's text one: a capital and a full stop.
func sentence(text string) string {
	if text == "" {
		return text
	}
	first, size := utf8.DecodeRuneInString(text)
	text = string(unicode.ToUpper(first)) + text[size:]
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	return text
}

package hclspec

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
)

// checkListener judges where a block lets the agent listen: everything that can
// be told without this machine's network.
func checkListener(block string, attrs map[string]*hcl.Attribute, l Listener) *hcl.Diagnostic {
	attr := attrs["listen"]
	if attr == nil {
		return nil // the default is loopback
	}
	at := attr.Expr.Range().Ptr()
	invalid := func(why string) *hcl.Diagnostic {
		return mistake("Invalid listen address", fmt.Sprintf("%q is not an address to listen on%s; write a host and a port such as \"127.0.0.1:8480\".", l.Listen, why), at)
	}
	host, port, err := net.SplitHostPort(l.Listen)
	if err != nil {
		return invalid("")
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return invalid("")
	}
	loopback := host == "localhost"
	if host != "" && !loopback {
		ip, err := netip.ParseAddr(host)
		if err != nil {
			return invalid(": the host is an IP address of this machine, localhost, or empty for all of its addresses")
		}
		loopback = ip.Unmap().IsLoopback()
	}
	if loopback || l.WebConfigFile != "" || l.Insecure {
		return nil
	}
	return mistake("Listening in clear beyond loopback",
		fmt.Sprintf("%s listens on %s, beyond loopback, without TLS: set web_config_file, put a proxy with TLS before a loopback address, or say insecure = true.", block, l.Listen), at)
}

// checkApart is a mistake where both listeners want the same port.
func checkApart(attr *hcl.Attribute, admin, receiver string) *hcl.Diagnostic {
	adminHost, adminPort, err := net.SplitHostPort(admin)
	if err != nil {
		return nil // told before
	}
	host, port, err := net.SplitHostPort(receiver)
	if err != nil || port != adminPort || port == "0" {
		return nil
	}
	all := func(host string) bool {
		ip, err := netip.ParseAddr(host)
		return host == "" || err == nil && ip.IsUnspecified()
	}
	if host != adminHost && !all(host) && !all(adminHost) {
		return nil
	}
	d := mistake("One port for two listeners", fmt.Sprintf("agent.admin listens on %s and agent.receiver on %s: give one of them another port.", admin, receiver), nil)
	if attr != nil {
		d.Subject = attr.Expr.Range().Ptr()
	}
	return d
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

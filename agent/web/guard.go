package web

import (
	"net"
	"net/http"
	"net/url"
	"strings"
)

// guarded lets nobody act, or read, through somebody's browser: a page of another
// origin is refused, and without logins a name that leads here (DNS rebinding) too.
// Where listen is beyond loopback anybody may read without logins, and only whoever
// names the listener by its address may act.
func guarded(h http.Handler, listen string, logins bool) http.Handler {
	actions := http.NewCrossOriginProtection().Handler(h)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		closeAmbiguous(w, r)
		reading := r.Method == http.MethodGet || r.Method == http.MethodHead
		switch {
		case foreignOrigin(r):
			http.Error(w, "a page of another origin may not ask here", http.StatusForbidden)
		case !logins && !ownHost(r.Host, listen) && !(reading && unspecified(listen)):
			http.Error(w, "the agent does not answer to this name: use the address that it listens on, such as 127.0.0.1", http.StatusForbidden)
		default:
			actions.ServeHTTP(w, r)
		}
	})
}

// closeAmbiguous closes a connection after a body that says how long it is by
// Transfer-Encoding: it may have said so by Content-Length too, which net/http drops
// without a word, and whoever stands between may have believed that one.
func closeAmbiguous(w http.ResponseWriter, r *http.Request) {
	if len(r.TransferEncoding) > 0 {
		w.Header().Set("Connection", "close")
	}
}

// foreignOrigin reports whether a page of another origin asks.
func foreignOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || !strings.EqualFold(u.Host, r.Host)
}

// ownHost reports whether a request's Host is one that only leads here: loopback,
// what listen says, or, where that is all of a machine's addresses, any address.
func ownHost(host, listen string) bool {
	name := hostname(host)
	own := hostname(listen)
	ip := net.ParseIP(name)
	switch {
	case strings.EqualFold(name, "localhost"), ip != nil && ip.IsLoopback(), name != "" && strings.EqualFold(name, own):
		return true
	}
	return ip != nil && unspecified(listen)
}

// unspecified reports whether listen is all of a machine's addresses.
func unspecified(listen string) bool {
	own := hostname(listen)
	ip := net.ParseIP(own)
	return own == "" || ip != nil && ip.IsUnspecified()
}

// hostname is a host without its port.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.Trim(host, "[]")
}

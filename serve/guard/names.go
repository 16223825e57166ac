package guard

import (
	"net"
	"net/netip"
	"strings"

	"github.com/fmimg/fmimg/internal/option"
)

// names are what the server may be called in a Host header. A site whose name was made to lead to
// this machine (DNS rebinding) calls it by that name, which is not among them.
type names struct {
	known    map[string]bool // host names, in lower case
	loopback bool            // it listens there: localhost and addresses of the loopback are
	any      bool            // it listens on every address: every address is a name
}

// newNames returns the names of a server that listens on addr.
func newNames(addr string, hosts []string) (names, error) {
	n := names{known: map[string]bool{}}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case host == "" || (err == nil && ip.IsUnspecified()):
		n.any, n.loopback = true, true
	case Loopback(addr):
		n.loopback = true
	default:
		n.known[canonical(host)] = true
	}
	for _, name := range hosts {
		if name == "" || strings.ContainsAny(name, "/:@?#* \t\r\n") && net.ParseIP(name) == nil {
			return n, option.Errorf("host", option.Quoted(name), "a name without a port is needed, such as images.example.org")
		}
		n.known[canonical(name)] = true
	}
	return n, nil
}

// know reports whether a Host header names the server. The port is not looked at: tunnels and
// proxies have ports of their own, and no site can choose a name by it.
func (n names) know(hostport string) bool {
	host := hostOf(hostport)
	if n.known[host] {
		return true
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return n.loopback && host == "localhost"
	}
	return n.any || (n.loopback && ip.Unmap().IsLoopback())
}

// hostOf returns the host of a Host header, in lower case.
func hostOf(hostport string) string {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
		if inside, ok := strings.CutPrefix(hostport, "["); ok && strings.HasSuffix(inside, "]") {
			host = strings.TrimSuffix(inside, "]")
		}
	}
	return canonical(host)
}

// canonical returns a name, or an address, as it is compared: an address has many spellings, and
// browsers leave out its zone.
func canonical(host string) string {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().WithZone("").String()
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// Loopback reports whether an address to listen on, host:port, is of this machine alone.
func Loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	if canonical(host) == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// CheckAddr returns an [*pipeline.OptionError] for an address that other machines reach, unless
// there is a token. It is to be asked of the address before and after listening: a name may lead
// anywhere.
func CheckAddr(addr, token string) error {
	if token != "" || Loopback(addr) {
		return nil
	}
	return option.Errorf("addr", addr, "other machines reach it, and anyone there could draw and train").
		Cured("add %v, or listen on 127.0.0.1", option.Setting{Option: "token-file"})
}

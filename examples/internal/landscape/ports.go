package landscape

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// Ports of the servers, relative to the port of the page. With the default port of the page they are the default ports of the servers.
// Demo services and APIs use the ports after that of their server.
const (
	portsIDPorten     = 10
	portsMaskinporten = 20
	portsAltinn       = 30
	portsAnsattporten = 40
	portsHelseID      = 50
	portsKRR          = 60
	portsAll          = 70

	portsAdministration = 9 // after the port of the server
)

// locate parses -addr and returns the host and the port of the page.
func locate(addr string) (host string, base int, err error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, fmt.Errorf("-addr: %q must be HOST:PORT, such as 127.0.0.1:8070", addr)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return "", 0, fmt.Errorf("-addr: %q must be a loopback address: the secrets of these servers are public", host)
	}
	base, err = strconv.Atoi(port)
	switch {
	case err != nil || base < 0 || base+portsAll > 65536:
		return "", 0, fmt.Errorf("-addr: %q must be a port with %d ports after it", port, portsAll-1)
	case base == 0:
		base, err = freePorts()
	}
	return host, base, err
}

// freePorts returns the first of a row of free ports below the ephemeral range. It does not reserve them: if another program takes one,
// the start of a server fails.
func freePorts() (int, error) {
	const low, high = 20000, 32000
	rows := (high - low) / portsAll
	for i := range rows {
		base := low + (os.Getpid()+i)%rows*portsAll
		if rowIsFree(base) {
			return base, nil
		}
	}
	return 0, errors.New("-addr: no free ports")
}

func rowIsFree(base int) bool {
	for i := range portsAll {
		for _, host := range []string{"localhost", "127.0.0.1"} {
			l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(base+i)))
			if err != nil {
				return false
			}
			_ = l.Close()
		}
	}
	return true
}

// administration returns the URL of the administration of a server. Its host is that of the page.
func (at addresses) administration(server string) string {
	page, _ := url.Parse(at.Page) // built by addressesFrom, as server
	u, _ := url.Parse(server)
	port, _ := strconv.Atoi(u.Port())
	return page.Scheme + "://" + net.JoinHostPort(page.Hostname(), strconv.Itoa(port+portsAdministration))
}

// listenAt returns the -addr of a server.
func listenAt(base string) string {
	return strings.TrimSuffix(base[strings.Index(base, "://")+3:], "/")
}

package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
)

// Where the servers listen, counted from the port of the walk-through: from 8070, where they listen when they
// are started alone. Their neighbours (a demo service, an API) take the ports after theirs.
const (
	portsIDPorten     = 10
	portsMaskinporten = 20
	portsAltinn       = 30
	portsAnsattporten = 40
	portsAll          = 50
)

// locate reads -addr: the host of the walk-through and the first port.
func locate(addr string) (host string, base int, err error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, fmt.Errorf("-addr: %w", err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return "", 0, fmt.Errorf("-addr: %q is not this machine's own: nobody else should meet these servers", host)
	}
	base, err = strconv.Atoi(port)
	switch {
	case err != nil || base < 0 || base+portsAll > 65536:
		return "", 0, fmt.Errorf("-addr: %q is no port with %d more after it", port, portsAll-1)
	case base == 0:
		base, err = freePorts()
	}
	return host, base, err
}

// freePorts looks for a row of ports nobody listens on, below those the system hands out by itself. It is
// only a look: whoever takes one of them afterwards makes a server say so.
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

// listenAt is the -addr of a server.
func listenAt(base string) string {
	return strings.TrimSuffix(strings.TrimPrefix(base, "http://"), "/")
}

package logout

import (
	"net"
	"net/http"
	"time"
)

// Patient returns a Sender of NewSender that connects to a server on a busy machine, too: with a minute, which only ends a test that hangs.
func Patient(s Sender) Sender {
	h := s.(*httpSender)
	transport := h.client.Transport.(*http.Transport)
	dialer := &net.Dialer{Timeout: time.Minute, Control: h.control}
	transport.DialContext, transport.TLSHandshakeTimeout, transport.ResponseHeaderTimeout = dialer.DialContext, time.Minute, time.Minute
	return h
}

package logout_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/logout"
)

func TestSender(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	mux := http.NewServeMux()
	mux.HandleFunc("POST /ok", func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		if r.ParseForm() != nil || len(r.PostForm) != 1 || r.PostForm.Get("logout_token") != "the.token+&" || r.Header.Get("Cookie") != "" {
			w.WriteHeader(400)
			return
		}
		w.WriteHeader(204)
	})
	mux.HandleFunc("/redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/ok", http.StatusTemporaryRedirect) })
	mux.HandleFunc("/fails", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	plain, secure := httptest.NewServer(mux), httptest.NewUnstartedServer(mux)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // discards the error of the handshake below
	secure.StartTLS()
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	open := logout.NewSender(logout.SenderConfig{AllowHTTP: true, AllowPrivate: true, TLS: &tls.Config{RootCAs: roots}})
	send := func(s logout.Sender, uri string) error {
		return logout.Patient(s).Send(t.Context(), uri, "the.token+&")
	}

	require.NoError(t, send(open, plain.URL+"/ok"))
	require.NoError(t, send(open, secure.URL+"/ok"))
	require.EqualValues(t, 2, calls.Load())
	require.ErrorIs(t, send(open, plain.URL+"/fails"), logout.ErrRejected)
	require.ErrorIs(t, send(open, plain.URL+"/redirect"), logout.ErrRejected, "no redirects")
	require.EqualValues(t, 2, calls.Load())

	require.ErrorIs(t, send(logout.NewSender(logout.SenderConfig{AllowPrivate: true}), plain.URL+"/ok"), logout.ErrAddress, "https only")
	require.ErrorIs(t, send(logout.NewSender(logout.SenderConfig{AllowHTTP: true}), plain.URL+"/ok"), logout.ErrAddress, "loopback")
	require.ErrorIs(t, send(logout.NewSender(logout.SenderConfig{AllowHTTP: true, AllowPrivate: true, Ports: []uint16{443}}), plain.URL+"/ok"), logout.ErrAddress, "port")
	err := send(logout.NewSender(logout.SenderConfig{AllowPrivate: true}), secure.URL+"/ok")
	require.ErrorContains(t, err, "certificate", "system roots")
	require.NotContains(t, err.Error(), "the.token")
	require.EqualValues(t, 2, calls.Load())
}

// TestSenderAddresses: addresses inside the network are rejected in every spelling.
func TestSenderAddresses(t *testing.T) {
	t.Parallel()
	s := logout.NewSender(logout.SenderConfig{})
	for _, host := range strings.Fields(`127.0.0.1 127.255.255.254 0.0.0.0 10.1.2.3 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254
		100.64.0.1 100.127.255.255 192.0.0.1 192.0.2.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 192.88.99.1 224.0.0.1 239.255.255.255
		240.0.0.1 255.255.255.255 [::] [::1] [::ffff:127.0.0.1] [::ffff:10.0.0.1] [::ffff:a9fe:a9fe] [::127.0.0.1] [64:ff9b::7f00:1]
		[64:ff9b:1::7f00:1] [2002:7f00:1::] [2002:a00:1::1] [2001::1] [2001:db8::1] [3fff::1] [fc00::1] [fd12:3456::1] [fe80::1]
		[fec0::1] [ff02::1] [100::1] [5f00::1] localhost`) {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			err := s.Send(ctx, "https://"+host+"/out", "t")
			require.ErrorIs(t, err, logout.ErrAddress)
		})
	}
	for _, uri := range []string{"", "out", "//a.example/", "ftp://a.example/", "http://a.example/", "https://u:p@a.example/", "javascript:x", "https:a.example"} {
		require.ErrorIs(t, s.Send(t.Context(), uri, "t"), logout.ErrAddress, uri)
	}
}

// TestSenderGivesUp: a call ends if the client does not answer.
func TestSenderGivesUp(t *testing.T) {
	t.Parallel()
	done := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-done }))
	t.Cleanup(srv.Close)
	t.Cleanup(func() { close(done) })
	s := logout.NewSender(logout.SenderConfig{AllowHTTP: true, AllowPrivate: true})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, s.Send(ctx, srv.URL, "t"), context.DeadlineExceeded)
}

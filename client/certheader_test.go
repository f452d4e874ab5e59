package client_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
)

// item writes a certificate as a byte sequence of RFC 8941.
func item(c *x509.Certificate) string {
	return ":" + base64.StdEncoding.EncodeToString(c.Raw) + ":"
}

// TestCertificateFromHeader: the fields of RFC 9440 count from a trusted proxy only, and in one form only.
func TestCertificateFromHeader(t *testing.T) {
	t.Parallel()
	f, err := client.CertificateFromHeader(netip.MustParsePrefix("192.0.2.0/28"), netip.MustParsePrefix("2001:db8::5/128"))
	require.NoError(t, err)
	leaf, above, root := tlsCert(t, tlsCAs().issuing), tlsCAs().issuing.Certificate, tlsCAs().root.Certificate
	raw := base64.StdEncoding.EncodeToString(leaf.Raw)
	const proxy, proxy6 = "192.0.2.15:4711", "[2001:db8::5]:4711"
	for name, tt := range map[string]struct {
		peer         string
		certs, chain []string
		want         []*x509.Certificate
		rejected     bool
	}{
		"a certificate":                      {peer: proxy, certs: []string{item(leaf)}, want: []*x509.Certificate{leaf}},
		"over IPv6":                          {peer: proxy6, certs: []string{item(leaf)}, want: []*x509.Certificate{leaf}},
		"over a mapped address":              {peer: "[::ffff:192.0.2.15]:4711", certs: []string{item(leaf)}, want: []*x509.Certificate{leaf}},
		"with a chain":                       {peer: proxy, certs: []string{item(leaf)}, chain: []string{item(above) + ", " + item(root)}, want: []*x509.Certificate{leaf, above, root}},
		"with a chain of two lines":          {peer: proxy, certs: []string{item(leaf)}, chain: []string{item(above), item(root)}, want: []*x509.Certificate{leaf, above, root}},
		"no field":                           {peer: proxy},
		"another peer without a field":       {peer: "198.51.100.1:4711"},
		"forged by another peer":             {peer: "198.51.100.1:4711", certs: []string{item(leaf)}, rejected: true},
		"a forged chain":                     {peer: "198.51.100.1:4711", chain: []string{item(above)}, rejected: true},
		"forged by a neighbour of the proxy": {peer: "192.0.2.16:4711", certs: []string{item(leaf)}, rejected: true},
		"forged by a neighbour over IPv6":    {peer: "[2001:db8::6]:4711", certs: []string{item(leaf)}, rejected: true},
		"a peer without a port":              {peer: "192.0.2.15", certs: []string{item(leaf)}, rejected: true},
		"a peer that is no address":          {peer: "@", certs: []string{item(leaf)}, rejected: true},
		"no peer":                            {certs: []string{item(leaf)}, rejected: true},
		"two certificates":                   {peer: proxy, certs: []string{item(leaf), item(leaf)}, rejected: true},
		"two in one value":                   {peer: proxy, certs: []string{item(leaf) + "," + item(leaf)}, rejected: true},
		"a chain alone":                      {peer: proxy, chain: []string{item(above)}, rejected: true},
		"an empty value":                     {peer: proxy, certs: []string{""}, rejected: true},
		"an empty sequence":                  {peer: proxy, certs: []string{"::"}, rejected: true},
		"one colon":                          {peer: proxy, certs: []string{":"}, rejected: true},
		"no colons":                          {peer: proxy, certs: []string{raw}, rejected: true},
		"PEM":                                {peer: proxy, certs: []string{"-----BEGIN CERTIFICATE-----"}, rejected: true},
		"a parameter":                        {peer: proxy, certs: []string{item(leaf) + ";a=1"}, rejected: true},
		"a line break":                       {peer: proxy, certs: []string{":\n" + raw + ":"}, rejected: true},
		"no certificate":                     {peer: proxy, certs: []string{":MAA=:"}, rejected: true},
		"bytes after the certificate":        {peer: proxy, certs: []string{":" + base64.StdEncoding.EncodeToString(append(leaf.Raw[:len(leaf.Raw):len(leaf.Raw)], 0)) + ":"}, rejected: true},
		"an empty chain":                     {peer: proxy, certs: []string{item(leaf)}, chain: []string{""}, rejected: true},
		"a chain with a hole":                {peer: proxy, certs: []string{item(leaf)}, chain: []string{item(above) + ",," + item(root)}, rejected: true},
		"six certificates":                   {peer: proxy, certs: []string{item(leaf)}, chain: []string{strings.Repeat(item(above)+",", 4) + item(above)}, rejected: true},
		"45 KiB":                             {peer: proxy, certs: []string{item(leaf)}, chain: []string{strings.Repeat(" ", 45<<10)}, rejected: true},
	} {
		r := httptest.NewRequest(http.MethodGet, "/userinfo", nil)
		r.RemoteAddr = tt.peer
		r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{root}} // of the proxy
		for _, value := range tt.certs {
			r.Header.Add("Client-Cert", value)
		}
		for _, value := range tt.chain {
			r.Header.Add("Client-Cert-Chain", value)
		}
		got, err := client.RequestFrom(httptest.NewRecorder(), r, f)
		if tt.rejected {
			require.ErrorIs(t, err, portner.InvalidRequest, name)
			require.Nil(t, got.Certificate, name)
			continue
		}
		require.NoError(t, err, name)
		if len(tt.want) == 0 {
			require.Nil(t, got.Certificate, "%s: the certificate of the proxy is not that of the client", name)
			continue
		}
		require.Equal(t, tt.want, append([]*x509.Certificate{got.Certificate}, got.Intermediates...), name)
	}
}

// TestCertificateFromHeaderTrust: the networks of the proxies are required, and none is every address.
func TestCertificateFromHeaderTrust(t *testing.T) {
	t.Parallel()
	for name, proxies := range map[string][]netip.Prefix{
		"none": nil, "no network": {{}}, "every IPv4 address": {netip.MustParsePrefix("0.0.0.0/0")},
		"every IPv6 address beside a proxy": {netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("::/0")},
		"a mapped network":                  {netip.PrefixFrom(netip.MustParseAddr("::ffff:192.0.2.1"), 128)},
	} {
		f, err := client.CertificateFromHeader(proxies...)
		require.Error(t, err, name)
		require.Nil(t, f, name)
	}
	list := []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}
	f, err := client.CertificateFromHeader(list...)
	require.NoError(t, err)
	list[0] = netip.MustParsePrefix("198.51.100.1/32")
	r := httptest.NewRequest(http.MethodGet, "/userinfo", nil)
	r.RemoteAddr = "198.51.100.1:4711"
	r.Header.Set("Client-Cert", item(theSelfSigned()))
	_, err = f(r)
	require.Error(t, err, "the list of the caller is copied")
}

// FuzzCertificateFromHeader: each certificate has one spelling in a field, apart from the space around it.
func FuzzCertificateFromHeader(f *testing.F) {
	valid := item(theSelfSigned())
	f.Add(valid, "", false)
	f.Add(valid, valid+" , "+valid, true)
	f.Add(":MAA=:", "::", true)
	trusted, err := client.CertificateFromHeader(netip.MustParsePrefix("192.0.2.1/32"))
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, leaf, above string, chained bool) {
		r := httptest.NewRequest(http.MethodGet, "/userinfo", nil)
		r.RemoteAddr = "192.0.2.1:4711"
		r.Header["Client-Cert"] = []string{leaf}
		want := strings.Trim(leaf, " \t")
		if chained {
			r.Header["Client-Cert-Chain"] = []string{above}
			for part := range strings.SplitSeq(above, ",") {
				want += "," + strings.Trim(part, " \t")
			}
		}
		chain, err := trusted(r)
		if err != nil {
			require.Empty(t, chain)
			return
		}
		var got []string
		for _, c := range chain {
			got = append(got, item(c))
		}
		require.Equal(t, want, strings.Join(got, ","))
	})
}

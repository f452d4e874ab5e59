package logout

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSenderPorts: without a configuration logout tokens are sent to port 443 of public addresses only.
func TestSenderPorts(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		cfg     SenderConfig
		address string
		allowed bool
	}{
		"https":                       {SenderConfig{}, "198.41.0.4:443", true},
		"another port":                {SenderConfig{}, "198.41.0.4:8443", false},
		"a port beside":               {SenderConfig{}, "198.41.0.4:442", false},
		"the port of http":            {SenderConfig{AllowHTTP: true}, "198.41.0.4:80", false},
		"IPv6":                        {SenderConfig{}, "[2a00:1450::1]:443", true},
		"IPv6, another port":          {SenderConfig{}, "[2a00:1450::1]:25", false},
		"private":                     {SenderConfig{}, "10.0.0.1:443", false},
		"private, allowed":            {SenderConfig{AllowPrivate: true}, "10.0.0.1:8443", true},
		"configured":                  {SenderConfig{Ports: []uint16{8443}}, "198.41.0.4:8443", true},
		"not configured":              {SenderConfig{Ports: []uint16{8443}}, "198.41.0.4:443", false},
		"private, configured":         {SenderConfig{AllowPrivate: true, Ports: []uint16{8443}}, "10.0.0.1:8443", true},
		"private, not configured":     {SenderConfig{AllowPrivate: true, Ports: []uint16{8443}}, "10.0.0.1:443", false},
		"configured, private address": {SenderConfig{Ports: []uint16{8443}}, "10.0.0.1:8443", false},
	} {
		err := (&httpSender{cfg: tt.cfg}).control("tcp", tt.address, nil)
		if tt.allowed {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorIs(t, err, ErrAddress, name)
	}
}

package standintest_test

import (
	"context"
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/canary"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/standin/standintest"
	"github.com/portner-go/portner/keyset"
)

const (
	configured = "q8H2vTz5yWm0RkN7uXc4LbP9sJdF1gAe" // a secret of the configuration
	cookie     = "nV4xT7bQ2kWm9cRz5LhP8sJd3FgYaU6oEi1yXqZt0Mw"
	proof      = "eyJwcm9vZiI6MX0.eyJwcm9vZiI6MX0.cHJvb2Ytc2lnbmF0dXJl"
	verifier   = "Zk3v-Hq9_TtY2mWc8LrXn5PbJd7FsGaU1oEi4QyRz0M"
)

// leaking is a stand-in that lets one text leave through a channel.
type leaking struct {
	flags   standin.Flags
	channel canary.Channel
	text    string

	key   keyset.Key
	state *standin.State
	sites standin.Sites
	log   *slog.Logger
}

func (l *leaking) Greet(io.Writer)              {}
func (l *leaking) Reload(context.Context) error { return nil }
func (l *leaking) Serve(context.Context) error  { return l.state.Store.Close() }

func (l *leaking) command() standin.Command {
	l.flags.NewMeter = func() (*standin.Meter, error) {
		return &standin.Meter{
			Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if l.channel == canary.Metric {
					_, _ = io.WriteString(w, `requests{attribute="`+l.text+`"} 1`)
				}
			}),
			OnEvent: func(context.Context, portner.Event) {}, OnSweep: nil, Store: func(s standin.Store) standin.Store { return s },
		}, nil
	}
	return standin.Command{Name: "leaking", Addr: "localhost:0", Flags: &l.flags, Open: func(ctx context.Context, log *slog.Logger) (_ standin.Server, err error) {
		if l.state, err = l.flags.OpenState(ctx, log); err != nil {
			return nil, err
		}
		if l.key, err = l.flags.NewKey(keyset.ES256); err != nil {
			return nil, err
		}
		l.flags.Addr, l.log = "", log
		if l.sites, err = standin.Listen(l.flags, "http://localhost:1"); err != nil {
			return nil, err
		}
		l.sites[0].Handle(l)
		return l, nil
	}}
}

// ServeHTTP accepts a request, whose values are collected, and leaks at another path.
func (l *leaking) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/leak" {
		_, _ = io.Copy(io.Discard, r.Body)
		return
	}
	switch l.channel {
	case canary.Log:
		l.log.Debug("a line", "value", l.text)
	case canary.Panic:
		panic(l.text)
	case canary.ErrorPage:
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, l.text)
	case canary.Page:
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, l.text)
	case canary.URL:
		w.Header().Set("Location", "/?value="+l.text)
		w.WriteHeader(http.StatusSeeOther)
	}
}

// request uses the server, and makes it leak.
func (l *leaking) request(t *testing.T, path string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "http://localhost:1"+path, strings.NewReader(url.Values{"code_verifier": {verifier}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Dpop", proof)
	r.AddCookie(&http.Cookie{Name: "session", Value: cookie})
	defer func() { require.Equal(t, path == "/leak" && l.channel == canary.Panic, recover() != nil) }()
	l.sites.Handler(standin.Running{Store: l.state.Store, Log: l.log}).ServeHTTP(httptest.NewRecorder(), r)
}

// TestLeakingStandIn: a stand-in that leaks one value fails its tests, for each kind of value, channel and form. One that leaks nothing passes.
func TestLeakingStandIn(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "config.json")
	text, err := json.Marshal(map[string]any{"settings": map[string]any{}, "clients": []any{map[string]any{"client_secret": configured}}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(config, text, 0o600))
	forms := map[string]func(string) string{
		"plain": func(s string) string { return s }, "hex": func(s string) string { return hex.EncodeToString([]byte(s)) },
		"base64":    func(s string) string { return base64.StdEncoding.EncodeToString([]byte("ab" + s)) },
		"base64url": func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte("a" + s)) },
		"escaped": func(s string) string {
			var b strings.Builder
			for i := range len(s) {
				fmt.Fprintf(&b, "%%%02x", s[i])
			}
			return b.String()
		},
		"reversed": func(s string) string { b := []byte(s); slices.Reverse(b); return string(b) },
	}
	for _, channel := range []canary.Channel{"", canary.Log, canary.Metric, canary.Panic, canary.ErrorPage, canary.Page, canary.URL} {
		r := canary.New()
		l := &leaking{channel: channel}
		// The metrics are seen in a cleanup, which the inner test has.
		t.Run("use "+string(channel), func(t *testing.T) {
			_, err := standintest.PrepareWith(t, r, l.command(), slog.DiscardHandler, "-config", config)
			require.NoError(t, err)
			l.request(t, "/")
			d, err := l.key.Signer.(*ecdsa.PrivateKey).Bytes()
			require.NoError(t, err)
			all := []string{}
			for name, form := range forms {
				for _, v := range []string{configured, cookie, proof, verifier, string(d)} {
					if v == string(d) && (name == "plain" || name == "reversed") {
						v = new(big.Int).SetBytes(d).String() // as package fmt prints it
					}
					all = append(all, form(v))
				}
			}
			l.text = strings.Join(all, " ")
			l.request(t, "/leak")
		})
		found := map[string]bool{}
		for _, leak := range r.Leaks() {
			require.Equal(t, channel, leak.Channel)
			found[string(leak.Kind)+" "+leak.Spelling] = true
		}
		if channel == "" {
			require.Empty(t, found)
			continue
		}
		for _, kind := range []canary.Kind{canary.ClientSecret, canary.Cookie, canary.Proof, canary.Verifier, canary.Key} {
			for _, spelling := range []string{"plain", "hex", "base64", "every byte url-encoded", "reversed"} {
				key := string(kind) + " " + spelling
				require.True(t, found[key] || spelling == "base64" && (found[key+" after one byte"] || found[key+" after two bytes"]), "%s: %s: %v", channel, key, found)
			}
		}
	}
}

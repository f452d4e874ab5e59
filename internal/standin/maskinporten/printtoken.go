package maskinporten

import (
	"cmp"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/standin"
)

// printToken sends a grant of a built-in client and prints the token. If no server listens at the issuer, one without a listener handles the
// request; its token cannot be verified afterwards.
func printToken(ctx context.Context, opt Options, stdout, stderr io.Writer) error {
	var claims map[string]any
	if err := json.Unmarshal([]byte(opt.claims), &claims); err != nil {
		return fmt.Errorf(`-claims: must be a JSON object, such as {"scope":"eksempel:data.read"}: %w`, err)
	}
	d, err := opt.Document()
	if err != nil {
		return err
	}
	c, err := ParseConfig(d)
	if err != nil {
		return err
	}
	own := opt.TLS.Scheme() + "://" + opt.Addr
	if !c.Skyporten {
		own += "/"
	}
	issuer := cmp.Or(opt.Issuer, c.Issuer, own)
	if listens(ctx, issuer) {
		return requestToken(ctx, opt, issuer, claims, stdout)
	}
	opt.Addr, opt.Issuer = "", issuer
	s, err := Open(ctx, opt, slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelError})))
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "portner token: no server at %s: the key of this token is discarded\n", issuer)
	opt.HTTP = &http.Client{Transport: standin.Inside{Handler: s.Handler()}}
	return errors.Join(requestToken(ctx, opt, s.Issuer, claims, stdout), s.State.Store.Close())
}

// listens reports whether a server accepts connections at the host of the issuer.
func listens(ctx context.Context, issuer string) bool {
	u, err := url.Parse(issuer)
	if err != nil {
		return false
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	c, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

// requestToken signs a grant, sends it and prints the access token.
func requestToken(ctx context.Context, opt Options, issuer string, claims map[string]any, stdout io.Writer) error {
	clientID, header, key, err := credentials(opt)
	if err != nil {
		return err
	}
	now := time.Now().Unix()
	payload := map[string]any{"aud": issuer, "iss": clientID, "scope": DemoScope, "iat": now, "exp": now + 120, "jti": rand.Text()}
	maps.Copy(payload, claims)
	assertion, err := Sign(key, header, payload)
	if err != nil {
		return err
	}
	form := url.Values{"grant_type": {client.JWTBearer}, "assertion": {assertion}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(issuer, "/")+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := opt.Outgoing().Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", resp.Status, body)
	}
	_, err = fmt.Fprintln(stdout, answer.AccessToken)
	return err
}

// credentials returns those of a built-in client: the certificate of the test authority, or the public test key.
func credentials(opt Options) (clientID string, header map[string]any, key *rsa.PrivateKey, err error) {
	if opt.TestCA == "" {
		return DemoClient, map[string]any{"alg": "RS256", "kid": DemoKID}, DemoKey(), nil
	}
	if err := MakeTestCA(opt.TestCA, time.Now()); err != nil {
		return "", nil, nil, fmt.Errorf("-testca: %w", err)
	}
	var chain []string
	if err := Blocks(filepath.Join(opt.TestCA, "seid2.pem"), func(b []byte) error {
		chain = append(chain, base64.StdEncoding.EncodeToString(b))
		return nil
	}); err != nil {
		return "", nil, nil, err
	}
	err = Blocks(filepath.Join(opt.TestCA, "seid2.key.pem"), func(b []byte) error {
		parsed, err := x509.ParsePKCS8PrivateKey(b)
		key, _ = parsed.(*rsa.PrivateKey)
		return err
	})
	if err == nil && key == nil {
		err = fmt.Errorf("-testca: no RSA key in seid2.key.pem")
	}
	return DemoCertificate, map[string]any{"alg": "RS256", "x5c": chain}, key, err
}

// Blocks calls f with each block of a PEM file.
func Blocks(file string, f func([]byte) error) error {
	rest, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("-testca: %w", err)
	}
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil
		}
		if err := f(block.Bytes); err != nil {
			return fmt.Errorf("-testca: %s: %w", file, err)
		}
	}
}

// Sign returns a compact JWS with RS256 (RFC 7515 appendix A.2).
func Sign(key *rsa.PrivateKey, header, payload map[string]any) (string, error) {
	var parts []string
	for _, part := range []map[string]any{header, payload} {
		b, err := json.Marshal(part)
		if err != nil {
			return "", err
		}
		parts = append(parts, base64.RawURLEncoding.EncodeToString(b))
	}
	input := strings.Join(parts, ".")
	sum := sha256.Sum256([]byte(input))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	return input + "." + base64.RawURLEncoding.EncodeToString(signature), err
}

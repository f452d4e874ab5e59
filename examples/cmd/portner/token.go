package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/digdir/altinn"
	"github.com/portner-go/portner/examples/internal/programs"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/standin/ansattporten"
	"github.com/portner-go/portner/internal/standin/compat"
	"github.com/portner-go/portner/internal/standin/helseid"
	"github.com/portner-go/portner/internal/standin/idporten"
)

// printToken prints an access token of a running server, or of one that ends with the command.
func printToken(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	s, rest, err := named(args, "token NAME [flags]", stdout)
	if err != nil {
		return err
	}
	switch s.name {
	case "maskinporten":
		return programs.Maskinporten().PrintToken(ctx, rest, stdout, stderr)
	case "altinn":
		return exchanged(ctx, rest, stdout)
	case "helseid":
		return boundToken(ctx, rest, stdout, stderr)
	case "krr", compat.Name:
		return fmt.Errorf("%s: there is no such token: krr accepts those of maskinporten and idporten, and %s answers curl with grant_type=client_credentials", s.name, compat.Name)
	}
	return loggedIn(ctx, s, rest, stdout, stderr)
}

// login is a login of a user at a client.
type login struct {
	standin.TLS
	config, issuer, clientID, user, scope, acr, resource string

	client             standin.ClientEntry
	username, password string
	http               *http.Client
}

func (l *login) define(fs *flag.FlagSet) {
	fs.StringVar(&l.config, "config", "", "configuration `file` of the server (default: a server that ends with this command, with the configuration of portner init)")
	fs.StringVar(&l.issuer, "issuer", "", "issuer `URL` of the running server (default: as the configuration)")
	fs.StringVar(&l.clientID, "client", "", "`client_id` (default: the first client of the configuration for logins)")
	fs.StringVar(&l.user, "user", "", "`username` (default: the first user of the configuration)")
	fs.StringVar(&l.scope, "scope", "openid profile", "`scopes`, separated by spaces; every consent is given")
	fs.StringVar(&l.acr, "acr", "", "`level`, the parameter acr_values")
	fs.StringVar(&l.resource, "resource", "", "`URL` of an API, the parameter resource")
	standin.BoolVar(fs, &l.InsecureTrustSelfSigned, "insecure-trust-self-signed", "requests accept any certificate")
}

// loggedIn logs a user in, and prints the access token.
func loggedIn(ctx context.Context, s server, args []string, stdout, stderr io.Writer) error {
	var l login
	fs := flag.NewFlagSet("token "+s.name, flag.ContinueOnError)
	l.define(fs)
	if err := standin.ParseFlags(fs, args, stdout); err != nil {
		return err
	}
	d := standin.Document{}
	var err error
	if l.config == "" {
		d.Text, err = initial(s.name)
	} else {
		d, err = standin.ReadDocument(l.config)
	}
	if err != nil {
		return err
	}
	addr, err := l.choose(s.name, d)
	if err != nil {
		return err
	}
	if l.issuer == "" {
		l.issuer = "http://" + addr
	}
	if l.config != "" && listens(ctx, l.issuer) {
		l.http = l.Outgoing()
	} else if l.http, err = temporary(ctx, s.name, l.issuer, d, stderr); err != nil {
		return err
	}
	token, err := l.run(ctx)
	if err == nil {
		_, err = fmt.Fprintln(stdout, token)
	} else if strings.Contains(err.Error(), string(portner.InvalidScope)) {
		err = fmt.Errorf("%w (the client is %q of the configuration, and its scopes are %s)", err, l.client.ClientID, strings.Join(l.client.Scopes, " "))
	}
	return err
}

// choose chooses the client and the user from a configuration, and the issuer if it has one. It returns the address of the server.
func (l *login) choose(name string, d standin.Document) (addr string, err error) {
	var common standin.Common
	var accounts []standin.Account
	flags := []string{}
	if d.Path != "" {
		flags = []string{"-config", d.Path}
	}
	if name == "idporten" {
		opt := programs.IDPorten()
		settings := opt.Command().Parse(flags, io.Discard)
		d.AllowHTTP = opt.AllowHTTP
		c, failed := idporten.ParseConfig(d, false)
		err = errors.Join(failed, settings)
		common, addr = c.Common, opt.Addr
		for _, u := range c.Users {
			if u.Active == nil || *u.Active {
				accounts = append(accounts, u.Account)
			}
		}
	} else {
		opt := programs.Ansattporten()
		settings := opt.Command().Parse(flags, io.Discard)
		d.AllowHTTP = opt.AllowHTTP
		c, failed := ansattporten.ParseConfig(d)
		err = errors.Join(failed, settings)
		common, addr = c.Common, opt.Addr
		for _, u := range c.Users {
			accounts = append(accounts, u.Account)
		}
	}
	if err != nil {
		return "", err
	}
	if l.issuer == "" {
		l.issuer = common.Issuer
	}
	i := slices.IndexFunc(common.Clients, func(e standin.ClientEntry) bool {
		return l.clientID == e.ClientID || l.clientID == "" && !e.Disabled && e.HasGrant(client.AuthorizationCode) && len(e.RedirectURIs) > 0
	})
	if i < 0 {
		return "", fmt.Errorf("-client: the configuration has no client %q for logins", l.clientID)
	}
	l.client = common.Clients[i]
	i = slices.IndexFunc(accounts, func(a standin.Account) bool { return l.user == "" || l.user == a.Username })
	if i < 0 {
		var names []string
		for _, a := range accounts {
			names = append(names, a.Username)
		}
		if len(names) == 0 {
			return "", errors.New("the configuration has no users: add one to users")
		}
		return "", fmt.Errorf("-user: the configuration has no user %q: it has %s", l.user, strings.Join(names, ", "))
	}
	l.username, l.password = accounts[i].Username, accounts[i].Password
	return addr, nil
}

// temporary returns a client whose requests a server in this process handles.
func temporary(ctx context.Context, name, issuer string, d standin.Document, stderr io.Writer) (*http.Client, error) {
	f := standin.Flags{Issuer: issuer, TestIssuer: issuer, ConfigFile: d.Path, Text: d.Text}
	var s interface{ Handler() http.Handler }
	var err error
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	switch name {
	case "idporten":
		s, err = idporten.Open(ctx, idporten.Options{Flags: f}, log)
	case "ansattporten":
		s, err = ansattporten.Open(ctx, ansattporten.Options{Flags: f}, log)
	case "helseid":
		s, err = helseid.Open(ctx, helseid.Options{Flags: f}, log)
	}
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(stderr, "portner token: the token is not of a server that runs at %s, and the key of this token is discarded (-config FILE is the configuration of a server that runs)\n", issuer)
	return &http.Client{Transport: standin.Inside{Handler: s.Handler()}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, nil
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

// exchanged exchanges a token at a running Altinn, and prints the new one.
func exchanged(ctx context.Context, args []string, stdout io.Writer) error {
	var t standin.TLS
	fs := flag.NewFlagSet("token altinn", flag.ContinueOnError)
	base := fs.String("altinn", "http://localhost:8100", "base `URL` of the running Altinn")
	from := fs.String("from", "maskinporten", "`name` of the service of the token: id-porten, maskinporten or altinnstudio")
	token := fs.String("token", "", "the `token` that is exchanged, such as of portner token maskinporten; required")
	standin.BoolVar(fs, &t.InsecureTrustSelfSigned, "insecure-trust-self-signed", "requests accept any certificate")
	if err := standin.ParseFlags(fs, args, stdout); err != nil {
		return err
	}
	if *token == "" {
		return errors.New("-token: is required (-h lists the flags)")
	}
	if services := []string{"id-porten", "maskinporten", "altinnstudio"}; !slices.Contains(services, *from) {
		return fmt.Errorf("-from: %q is none of %s", *from, strings.Join(services, ", "))
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(*base, "/")+altinn.ExchangePath+url.PathEscape(*from), nil)
	if err != nil {
		return fmt.Errorf("-altinn: %w", err)
	}
	r.Header.Set("Authorization", "Bearer "+*token)
	status, body, err := ask(t.Outgoing(), r)
	if err != nil {
		return fmt.Errorf("%w (portner altinn is the server; -altinn names another address)", err)
	}
	if status != http.StatusOK {
		return fmt.Errorf("%d %s: %s", status, http.StatusText(status), cmp.Or(string(bytes.TrimSpace(body)), "no body, as at Altinn; the log of the server has the reason"))
	}
	var text string
	if json.Unmarshal(body, &text) != nil {
		text = string(body) // a bare token
	}
	_, err = fmt.Fprintln(stdout, text)
	return err
}

// ask sends a request and reads the answer.
func ask(hc *http.Client, r *http.Request) (int, []byte, error) {
	resp, err := hc.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, body, err
}

package scope_test

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/scope"
)

func TestNarrow(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name               string
		requested, granted []string
		change             func(*scope.Client)
		want               []string
		wantErr            error
	}{
		{"without the parameter: all scopes of the grant", nil, list("openid", "nav:open"), nil, list("openid", "nav:open"), nil},
		{"narrower, in the grant's order", list("nav:open", "openid"), list("openid", "profile", "nav:open"), nil, list("openid", "nav:open"), nil},
		{"wider", list("openid", "nav:granted"), list("openid"), nil, nil, scope.ErrNotGranted},
		{"the registration has more scopes than the grant", nil, list("openid"), nil, list("openid"), nil},
		{"a scope is no longer registered", nil, list("openid", "nav:open"), func(c *scope.Client) { c.Scopes = list("openid") }, list("openid"), nil},
		{
			"a requested scope is no longer registered", list("nav:open"), list("openid", "nav:open"),
			func(c *scope.Client) { c.Scopes = list("openid") }, nil, scope.ErrNotGranted,
		},
		{"inactive", nil, list("openid", "nav:inactive"), nil, list("openid"), nil},
		{"inactive and requested", list("nav:inactive"), list("openid", "nav:inactive"), nil, nil, scope.ErrNotGranted},
		{"only an inactive scope", nil, list("nav:inactive"), nil, nil, scope.ErrNothingLeft},
		{"access withdrawn", nil, list("nav:granted", "nav:open"), func(c *scope.Client) { c.Organisation = owner }, list("nav:open"), nil},
		{"integration type changed", nil, list("openid", "nav:open"), func(c *scope.Client) { c.IntegrationType = "krr" }, list("nav:open"), nil},
		{"consent is part of the grant", nil, list("nav:consent"), nil, list("nav:consent"), nil},
		{"empty grant", nil, nil, nil, nil, scope.ErrNothingLeft},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := everything()
			if tt.change != nil {
				tt.change(&c)
			}
			p, err := scope.Narrow(tt.requested, tt.granted, c, registry(t))
			require.ErrorIs(t, err, tt.wantErr)
			require.Equal(t, tt.want, p.Granted)
			if err != nil {
				require.Equal(t, scope.Plan{}, p)
			}
		})
	}
}

// A narrower token does not disclose more than a token with all scopes of the grant.
func TestNarrowStaysPrivate(t *testing.T) {
	t.Parallel()
	p, err := scope.Narrow(list("nav:short"), list("openid", "nav:pseudo", "nav:opaque", "nav:short"), everything(), registry(t))
	require.NoError(t, err)
	require.True(t, p.Pseudonymous)
	require.Equal(t, scope.Opaque, p.TokenType)
	require.Equal(t, time.Minute, p.AccessTokenMaxAge, "limits follow the scopes of the token")
	require.Equal(t, list("https://api.example.no/"), p.Audience)
	require.False(t, p.OpenID)

	c := everything()
	c.Scopes = list("openid", "nav:short") // the client lost the scopes that protect the user
	p, err = scope.Narrow(nil, list("openid", "nav:pseudo", "nav:opaque", "nav:short"), c, registry(t))
	require.NoError(t, err)
	require.True(t, p.Pseudonymous)
	require.Equal(t, scope.Opaque, p.TokenType)

	// A scope without a record counts as opaque.
	p, err = scope.Narrow(nil, list("nav:deleted", "nav:short"), everything(), registry(t))
	require.NoError(t, err)
	require.Equal(t, list("nav:short"), p.Granted)
	require.Equal(t, scope.Opaque, p.TokenType)

	p, err = scope.Narrow(list("openid"), list("openid", "nav:open"), everything(), registry(t))
	require.NoError(t, err)
	require.False(t, p.LoginOnly, "the grant has a scope of an API: it does not end at logout")
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	s := time.Second
	for _, tt := range []struct {
		lifetime, maxAge, remaining, want time.Duration
	}{
		{120 * s, 0, 0, 120 * s}, // remaining 0: the grant has no end
		{120 * s, 30 * s, 0, 30 * s},
		{120 * s, 600 * s, 0, 120 * s}, // a limit does not extend
		{120 * s, 120 * s, 120 * s, 120 * s},
		{120 * s, 30 * s, 10 * s, 10 * s},
		{120 * s, 0, 90 * s, 90 * s},
		{120 * s, 0, 7200 * s, 120 * s},
		{120 * s, 30 * s, -1 * s, 0}, // the grant has ended: ends now
		{0, 30 * s, 90 * s, 0},       // no default was applied: ends now
		{-5 * s, 0, 90 * s, 0},
		{120 * s, -1, 0, 120 * s},
	} {
		var end time.Time
		if tt.remaining != 0 {
			end = now.Add(tt.remaining)
		}
		require.Equal(t, tt.want, scope.Expiry(now, tt.lifetime, tt.maxAge, end).Sub(now), "%+v", tt)
	}
}

// universe returns the names that random requests consist of: all records and names without a record.
func universe() []string {
	u := append(slices.Clone(everything().Scopes), "no_pid", "nav:other", "OPENID", "eidas")
	return u
}

// pick selects an ordered subset without duplicates.
func pick(data []byte, from []string) []string {
	var s []string
	for _, b := range data {
		if v := from[int(b)%len(from)]; !slices.Contains(s, v) {
			s = append(s, v)
		}
	}
	return s
}

func isSubsequence(sub, of []string) bool {
	for _, v := range of {
		if len(sub) > 0 && sub[0] == v {
			sub = sub[1:]
		}
	}
	return len(sub) == 0
}

// FuzzEvaluate checks the properties of an evaluation over random requests, registrations, consents and answers, and then
// narrows the granted scopes.
func FuzzEvaluate(f *testing.F) {
	f.Add([]byte{0, 1}, []byte{0, 1, 2, 3}, []byte{}, []byte{}, uint8(0))
	f.Add([]byte{0, 14, 15, 17}, []byte{0, 14, 15, 17, 18, 19}, []byte{14}, []byte{15}, uint8(1))
	f.Add([]byte{0, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21}, []byte{1, 2, 3, 4}, []byte{14}, []byte{15}, uint8(7))
	for flags := range uint8(8) {
		f.Add([]byte{0, flags, flags + 7, flags + 14}, []byte{0, flags, flags + 14}, []byte{flags + 14}, []byte{14, flags}, flags)
	}
	src := registry(f)
	f.Fuzz(func(t *testing.T, requested, registered, memory, answer []byte, flags uint8) {
		properties(t, src, requested, registered, memory, answer, flags)
	})
}

// The same properties over 5,000 derived requests, without the fuzzer.
func TestEvaluateProperties(t *testing.T) {
	t.Parallel()
	src := registry(t)
	for i := range uint32(5000) {
		d := sha256.Sum256(binary.BigEndian.AppendUint32(nil, i))
		n := 1 + int(d[31])%10
		properties(t, src, d[:n], append(d[4:24:24], d[:n]...), d[24:28], d[10:14], d[30])
	}
}

func properties(t *testing.T, src scope.Source, requestedBytes, registeredBytes, memoryBytes, answerBytes []byte, flags uint8) {
	t.Helper()
	all := universe()
	requested := pick(requestedBytes, all)
	r := scope.Request{
		Client:    scope.Client{Organisation: consumer, IntegrationType: "api_klient", Scopes: pick(registeredBytes, all)},
		Requested: requested, Scopes: src, Now: now, PromptConsent: flags&2 != 0, AllowNoPID: flags&4 != 0,
	}
	if flags&1 != 0 {
		r.Answer = &scope.Answer{Shown: pick(memoryBytes, all), Approved: pick(answerBytes, all)}
	}
	for i, name := range pick(memoryBytes, all) {
		r.Consents = append(r.Consents, scope.Consent{Scope: name, Version: []string{"", "2"}[i%2], ExpiresAt: now.Add(time.Duration(i%3-1) * time.Minute)})
	}
	p, err := scope.Evaluate(r)
	checkPlan(t, requested, r, p, err)
	if err != nil || len(p.Granted) == 0 {
		return
	}
	checkNarrow(t, pick(answerBytes, p.Granted), p, r)
}

func checkPlan(t *testing.T, requested []string, r scope.Request, p scope.Plan, err error) {
	t.Helper()
	if !isSubsequence(p.Granted, requested) {
		t.Fatalf("granted %q of %q: not a subsequence", p.Granted, requested)
	}
	if slices.Contains(p.Granted, "no_pid") {
		t.Fatal("no_pid granted")
	}
	if err != nil && (len(p.Granted) > 0 || len(p.NeedsConsent) > 0 || p.OpenID) {
		t.Fatalf("%v, and granted: %+v", err, p)
	}
	var refused *scope.RefusedError
	switch {
	case errors.As(err, &refused):
		checkRefusals(t, requested, r, refused.Refusals)
	case errors.Is(err, scope.ErrAllDeclined):
		if slices.Contains(requested, "openid") || len(p.Declined) == 0 {
			t.Fatalf("all declined: %+v", p)
		}
	case err != nil:
		t.Fatal(err)
	}
	for _, name := range p.Granted {
		if !slices.Contains(r.Client.Scopes, name) {
			t.Fatalf("%s is not registered", name)
		}
		s := src(r, name)
		if s == nil {
			continue // built in
		}
		if s.Inactive || !s.AccessibleForAll && r.Scopes.Access(name, consumer) != scope.Approved {
			t.Fatalf("%s is not accessible", name)
		}
		if s.RequiresUserConsent && !consented(r, name) {
			t.Fatalf("%s without consent", name)
		}
		if s.ATMaxAge > 0 && (p.AccessTokenMaxAge == 0 || p.AccessTokenMaxAge > time.Duration(s.ATMaxAge)*time.Second) {
			t.Fatalf("%s: at_max_age exceeded: %v", name, p.AccessTokenMaxAge)
		}
		if s.TokenType == scope.Opaque && p.TokenType != scope.Opaque {
			t.Fatalf("%s in a self-contained token", name)
		}
	}
	for _, name := range p.Declined {
		if slices.Contains(p.Granted, name) || r.Answer == nil || !slices.Contains(r.Answer.Shown, name) {
			t.Fatalf("%s declined", name)
		}
	}
	if err == nil {
		n := len(p.Granted) + len(p.Declined) + len(p.NeedsConsent)
		if slices.Contains(requested, "no_pid") {
			n++
		}
		if n != len(requested) {
			t.Fatalf("%d of %d scopes are decided", n, len(requested))
		}
	}
	for _, name := range requested {
		if s := src(r, name); s != nil && s.RequiresPseudonymousTokens && refused == nil && !p.Pseudonymous {
			t.Fatalf("%s is requested and the plan is not pseudonymous", name)
		}
	}
}

func src(r scope.Request, name string) *scope.Scope { return r.Scopes.Scope(name) }

func consented(r scope.Request, name string) bool {
	if r.Answer != nil && slices.Contains(r.Answer.Shown, name) {
		return slices.Contains(r.Answer.Approved, name)
	}
	return !r.PromptConsent && slices.ContainsFunc(r.Consents, func(c scope.Consent) bool {
		return c.Scope == name && c.ExpiresAt.After(r.Now) && c.Version == src(r, name).ConsentVersion
	})
}

func checkRefusals(t *testing.T, requested []string, r scope.Request, refused []scope.Refusal) {
	t.Helper()
	if len(refused) == 0 {
		t.Fatal("an error without a refusal")
	}
	for _, f := range refused {
		if !slices.Contains(requested, f.Scope) || f.Reason == "" {
			t.Fatalf("refused %+v", f)
		}
		if s := src(r, f.Scope); s != nil && f.Reason == scope.Unknown {
			t.Fatalf("%s has a record", f.Scope)
		}
	}
}

func checkNarrow(t *testing.T, requested []string, grant scope.Plan, r scope.Request) {
	t.Helper()
	p, err := scope.Narrow(requested, grant.Granted, r.Client, r.Scopes)
	if err != nil {
		t.Fatalf("narrowing %q to %q: %v", grant.Granted, requested, err)
	}
	want := requested
	if len(want) == 0 {
		want = grant.Granted
	}
	if len(p.Granted) != len(want) || !isSubsequence(p.Granted, grant.Granted) {
		t.Fatalf("narrowed %q to %q: %q", grant.Granted, requested, p.Granted)
	}
	if p.TokenType != grant.TokenType || p.LoginOnly != grant.LoginOnly {
		t.Fatalf("narrowing changed the grant: %+v", p)
	}
	if _, err := scope.Narrow(list("nav:never"), grant.Granted, r.Client, r.Scopes); err == nil {
		t.Fatal("widened")
	}
}

func TestPrivacy(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		granted              []string
		pseudonymous, opaque bool
	}{
		{nil, false, false},
		{list("openid", "profile", "nav:open"), false, false},
		{list("openid", "nav:pseudo"), true, false},
		{list("nav:open", "nav:opaque"), false, true},
		{list("nav:opaque", "nav:pseudo"), true, true},
		{list("nav:deleted"), false, true},
	} {
		pseudonymous, opaque := scope.Privacy(tt.granted, registry(t))
		require.Equal(t, tt.pseudonymous, pseudonymous, tt.granted)
		require.Equal(t, tt.opaque, opaque, tt.granted)
	}
}

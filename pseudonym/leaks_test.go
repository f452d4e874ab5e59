package pseudonym_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/pseudonym"
)

func TestIdentifying(t *testing.T) {
	t.Parallel()
	for _, claim := range strings.Fields(`pid PID name given_name family_name middle_name nickname preferred_username profile picture
		website email email_verified gender birthdate phone_number phone_number_verified address name#nn family_name#ja-Kana-JP
		eidas_person_identifier eidas_identifier eidas_firstname eidas_date_of_birth eidas-personidentifier eidas-dateofbirth
		Email https://example.no/claims/pid https://example.no/claims#email urn:example:pid urn:altinn:person:identifier-no
		http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress fnr ssn upn`) {
		require.True(t, pseudonym.Identifying(claim), claim)
	}
	for _, claim := range strings.Fields(`sub iss aud exp iat nbf jti sid nonce acr amr auth_time locale zoneinfo updated_at scope
		client_id client_amr client_orgno consumer supplier delegation_source token_type authorization_details cnf at_hash
		client_onbehalfof active expires_in client_name resource_name username_is_not_here pid_allowed`) {
		require.False(t, pseudonym.Identifying(claim), claim)
	}
	require.False(t, pseudonym.Identifying(""))
}

func TestStrip_H1(t *testing.T) {
	t.Parallel()
	var claims map[string]any
	require.NoError(t, json.Unmarshal([]byte(`{"sub":"s","pid":"01818012345","name":"Ola","acr":"x",
		"authorization_details":[{"type":"idporten:fullmakt","authorizer":{"name":"Kari","pid":"02828012345"},"permissions":[{"role":"r"}]}],
		"deep":{"a":[[{"email":"o@example.no","ok":1}]]}}`), &claims))
	claims["typed"] = []map[string]any{{"pid": pid, "ok": 2}}
	pseudonym.Strip(claims)
	out, err := json.Marshal(claims)
	require.NoError(t, err)
	require.JSONEq(t, `{"sub":"s","acr":"x","authorization_details":[{"type":"idporten:fullmakt","authorizer":{},"permissions":[{"role":"r"}]}],
		"deep":{"a":[[{"ok":1}]]},"typed":[{"ok":2}]}`, string(out))
	pseudonym.Strip(nil)
}

func TestLeaks_H1(t *testing.T) {
	t.Parallel()
	nested, err := json.Marshal(map[string]string{"a": `{"b":"{\"pid\":\"0181801\u00332345\"}"}`})
	require.NoError(t, err)
	for _, tt := range []struct {
		payload string
		id      string
		want    bool
	}{
		{`{"pid":"01818012345"}`, pid, true},
		{`{"x":"NO/01818012345/a"}`, pid, true},
		{`{"x":"99182582701818012345"}`, pid, true}, // run together with an organisation number
		{`{"x":1818012345}`, pid, true},             // JSON numbers have no leading zero
		{`{"x":41818012345}`, "41818012345", true},
		{`{"x":"018180 12345"}`, pid, true},
		{`{"x":"018180-12345"}`, pid, true},
		{`{"x":"01.81.80 123 45"}`, pid, true},
		{`{"x":"\u0030\u0031\u0038\u0031\u0038\u0030\u0031\u0032\u0033\u0034\u0035"}`, pid, true},
		{`{"x":"0181801\u00332345"}`, pid, false}, // another number
		{`{"x":"018180\u00312345"}`, pid, true},
		{`{"x":"https:\/\/a.no\/?p=%30%3181801%32345"}`, pid, true},
		{`{"x":"%5Cu0030%5Cu003181801%32345"}`, pid, true}, // escapes of escapes
		{`{"x":"018180\n12345"}`, pid, true},
		{`{"x":"01818012346"}`, pid, false},
		{`{"x":"0181801","y":"2345"}`, pid, false},
		{`{"exp":1818012300,"iat":45}`, pid, false},
		{`01818012345`, pid, true},
		{`0181801234`, pid, false},
		{``, pid, false},
		{`{"x":"\`, pid, false},
		{`{"x":"\u00`, pid, false},
		{`{"x":"%3`, pid, false},
		{`{"x":"a\qb 100% \uD800 "}`, pid, false},
		{`{"email":"Ola.Nordmann@Example.NO"}`, "ola.nordmann@example.no", true},
		{`{"email":"ola.nordmann@example.no"}`, "Ola.Nordmann@example.no", true},
		{`{"email":"ola\u002bx\u0040example.no"}`, "ola+x@example.no", true},
		{`{"email":"ola\u0026x@example.no"}`, "ola&x@example.no", true},
		{`{"email":"\u00e5se@example.no"}`, "åse@example.no", true},
		{`{"email":"\ud83d\ude00x@example.no"}`, "😀x@example.no", true},
		{`{"x":"mailto:ola%40example.no"}`, "ola@example.no", true},
		{`{"x":"kari@example.no"}`, "ola@example.no", false},
		{`{"x":"SE\/NO\/1234"}`, "SE/NO/1234", true},
		{`{"phone":"+47 123 45 678"}`, "+4712345678", false}, // text, not digits: pass it as the claim has it
		{`{"phone":"+47 123 45 678"}`, "4712345678", true},
		{string(nested), pid, false},
		{`{"x":"Ola"}`, "Ola", false},    // shorter than MinIdentifier
		{`{"x":"12345"}`, "12345", true}, // a short number by itself
		{`{"exp":1912345678}`, "12345", false},
		{`{"exp":1912345}`, "12345", false},
		{`{"exp":1234567}`, "12345", false},
		{`{"x":"a12345b"}`, "12345", true},
		{`{"x":""}`, "", false},
	} {
		require.Equal(t, tt.want, pseudonym.Leaks([]byte(tt.payload), tt.id), "%s in %s", tt.id, tt.payload)
	}
	require.True(t, pseudonym.Leaks([]byte(`{"x":"b@example.no"}`), pid, "", "b@example.no"))
	require.False(t, pseudonym.Leaks([]byte(`{"x":"01818012345"}`)))
}

// Any depth of JSON in JSON is undone; past a limit nothing is let through.
func TestLeaksNested_H1(t *testing.T) {
	t.Parallel()
	hidden := `"018180\u00312345"`
	for range 6 {
		require.True(t, pseudonym.Leaks([]byte(hidden), pid), hidden)
		out, err := json.Marshal(hidden)
		require.NoError(t, err)
		hidden = string(out)
	}
	require.True(t, pseudonym.Leaks([]byte(strings.Repeat(`\`, 2000)), pid), "unreadable: refused")
}

// seedToken is an access token's payload as ID-porten issues it, without the pid.
const seedToken = `{"sub":"ERIFvpD7pM6j6Xvrnz0ml53V-L_W5ZDSs3kYMs6dTVc","acr":"idporten-loa-substantial","scope":"openid profile",` +
	`"iss":"https://idporten.dev","client_amr":"client_secret_basic","exp":1678376095,"iat":1678375495,"jti":"tbnAiyCO2Lc",` +
	`"client_id":"democlient_idporten","consumer":{"authority":"iso6523-actorid-upis","ID":"0192:991825827"}}`

func TestLeaksDoesNotAllocate(t *testing.T) {
	payload, email := []byte(seedToken), "ola.nordmann@example.no"
	n := testing.AllocsPerRun(100, func() {
		if pseudonym.Leaks(payload, pid, email) {
			t.Fatal("found")
		}
	})
	require.Zero(t, n)
}

func BenchmarkLeaks(b *testing.B) {
	payload := []byte(seedToken)
	for _, ids := range [][]string{{pid}, {pid, "ola.nordmann@example.no"}} {
		b.Run(fmt.Sprint(len(ids)), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				pseudonym.Leaks(payload, ids...)
			}
		})
	}
}

// FuzzLeaks: whatever encoding/json makes of claims that hold an identifier, it is found, and
// again after escaping characters one by one. Where the decoded values do not hold it, it is not.
func FuzzLeaks(f *testing.F) {
	f.Add("x", "y", pid, uint64(0))
	f.Add("<", ">", "ola+&@example.no", uint64(0xaaaa))
	f.Add(`\`, `"`, "SE/NO/12 34", uint64(1))
	f.Fuzz(func(t *testing.T, before, after, id string, mask uint64) {
		if len(id) < 9 || strings.ContainsAny(id, `\%`) || !validText(before+id+after) {
			return
		}
		out, err := json.Marshal(map[string]string{"c": before + id + after})
		if err != nil || !pseudonym.Leaks(out, id) {
			t.Fatalf("%q not found in %s", id, out)
		}
		var escaped strings.Builder
		for i, c := range []byte(id) {
			if c < 0x80 && mask>>(i%64)&1 == 1 {
				fmt.Fprintf(&escaped, `\u%04x`, c)
			} else {
				escaped.WriteByte(c)
			}
		}
		if p := `{"c":"` + escaped.String() + `"}`; !pseudonym.Leaks([]byte(p), id) {
			t.Fatalf("%q not found in %s", id, p)
		}
	})
}

// validText: what a JSON reader gives back unchanged.
func validText(s string) bool {
	out, err := json.Marshal(s)
	var back string
	return err == nil && json.Unmarshal(out, &back) == nil && back == s && !strings.ContainsAny(s, "\x00\b\f\n\r\t") && strings.ToValidUTF8(s, "") == s
}

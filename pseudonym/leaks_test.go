package pseudonym_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/pseudonym"

	"github.com/portner-go/portner/internal/slow"
)

func TestIdentifying(t *testing.T) { // not parallel: it counts allocations
	for _, claim := range strings.Fields(`pid PID name given_name family_name middle_name nickname preferred_username profile picture
		website email email_verified gender birthdate phone_number phone_number_verified address name#nn family_name#ja-Kana-JP
		eidas_person_identifier eidas_identifier eidas_firstname eidas_date_of_birth eidas-personidentifier eidas-dateofbirth
		Email https://example.no/claims/pid https://example.no/claims#email urn:example:pid urn:altinn:person:identifier-no
		http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress fnr ssn upn
		updated_at updatedAt given-name givenName phoneNumber streetAddress postalCode postal_code nationalIdentityNumber
		fødselsnummer FØDSELSNUMMER fodselsnummer foedselsnummer fødselsdato fødested personnummer d-nummer navn fornavn etternavn mellomnavn
		Fornavn fullt_navn epost e-post epostadresse adresse postadresse bostedsAdresse gateadresse mobil mobilnummer mobiltelefon telefon
		namn fornamn Etternamn mellomnamn fullt_namn brukarnamn visningsnavn visningsnamn pikenavn kortnavn foretrukketNavn personnr fnummer
		identitetsnummer folkeregisteridentifikator personidentifikator kontonummer kontonr bosted gate gatenavn husnummer tlfnummer
		displayName cn mail telephoneNumber userPrincipalName sAMAccountName legal_name maiden_name photo avatar iban
		telefonnummer tlf postnummer poststed kjønn brukernavn https://example.no/claims/fødselsnummer navn#nn`) {
		require.True(t, pseudonym.Identifying(claim), claim)
	}
	for _, claim := range strings.Fields(`sub iss aud exp iat nbf jti sid nonce acr amr auth_time locale zoneinfo scope
		client_id client_amr client_orgno consumer supplier delegation_source token_type authorization_details cnf at_hash
		client_onbehalfof active expires_in client_name resource_name username_is_not_here pid_allowed
		organisasjonsnavn organisasjonsnummer organisasjonsnamn mailbox_id gatekeeper rolle roller virksomhet tenant_id name_of_service p`) {
		require.False(t, pseudonym.Identifying(claim), claim)
	}
	require.False(t, pseudonym.Identifying(""))
	require.True(t, pseudonym.Identifying("email"+strings.Repeat("x", 1000)))
	require.True(t, pseudonym.Identifying(strings.Repeat("x", 1000)+"adresse"))
	require.False(t, pseudonym.Identifying(strings.Repeat("æ", 1000)))
	require.Zero(t, slow.Allocations(t, 100, func() { pseudonym.Identifying("https://example.no/claims/Fødsels_Nummer") }))
}

func TestStrip(t *testing.T) {
	t.Parallel()
	var claims map[string]any
	require.NoError(t, json.Unmarshal([]byte(`{"sub":"s","pid":"01818012345","name":"Ola","acr":"x","mobilnummer":"90000000",
		"authorization_details":[{"type":"idporten:fullmakt","authorizer":{"name":"Kari","pid":"02828012345"},"permissions":[{"role":"r"}]}],
		"deep":{"a":[[{"email":"o@example.no","ok":1}]]}}`), &claims))
	objects := []map[string]any{{"pid": pid, "ok": 2}}
	claims["objects"] = objects
	claims["texts"] = map[string]string{"fornavn": "Ola", "ok": "3"}
	claims["raw"] = json.RawMessage(`{"pid":"01818012345","number":12345678901234567890}`)
	claims["roles"] = []string{"a"}
	require.NoError(t, pseudonym.Strip(claims))
	out, err := json.Marshal(claims)
	require.NoError(t, err)
	require.JSONEq(t, `{"sub":"s","acr":"x","authorization_details":[{"type":"idporten:fullmakt","authorizer":{},"permissions":[{"role":"r"}]}],
		"deep":{"a":[[{"ok":1}]]},"objects":[{"ok":2}],"texts":{"ok":"3"},"raw":{"number":12345678901234567890},"roles":["a"]}`, string(out))
	require.Contains(t, string(out), "12345678901234567890", "numbers keep their digits")
	require.Contains(t, objects[0], "pid", "nested values of the caller do not change")
	require.NoError(t, pseudonym.Strip(nil))
}

func TestStripRejectsWhatItCannotInspect(t *testing.T) {
	t.Parallel()
	type person struct{ PID string }
	cycle := map[string]any{}
	cycle["self"] = cycle
	for name, value := range map[string]any{
		"struct": person{pid}, "pointer": &person{pid}, "struct in a map": map[string]any{"a": person{pid}},
		"struct in a list": []any{person{pid}}, "list of structs": []person{{pid}}, "bytes": []byte(pid), "time": time.Time{},
		"function": func() {}, "broken JSON": json.RawMessage("{"), "cycle": cycle, "map of structs": map[string]person{"a": {pid}},
	} {
		err := pseudonym.Strip(map[string]any{"claim": value})
		require.ErrorContains(t, err, `claim "claim"`, name)
		require.NotContains(t, err.Error(), pid, name)
		out, err := pseudonym.Encode(map[string]any{"claim": value})
		require.Error(t, err, name)
		require.Nil(t, out, name)
	}
}

func TestEncode(t *testing.T) {
	t.Parallel()
	id := identifier(t, "pid", pid)
	claims := map[string]any{"sub": "s", "pid": pid, "address": map[string]any{"street": "x"}, "roles": []string{"a"}, "org": map[string]any{"navn": "x", "ok": 1}}
	out, err := pseudonym.Encode(claims, id)
	require.NoError(t, err)
	require.Equal(t, `{"org":{"ok":1},"roles":["a"],"sub":"s"}`, string(out))
	require.Len(t, claims, 5, "the claims of the caller do not change")

	claims["note"] = "ring 018180 12345"
	out, err = pseudonym.Encode(claims, id)
	require.ErrorIs(t, err, pseudonym.ErrLeak)
	require.Nil(t, out)

	out, err = pseudonym.Encode(nil)
	require.NoError(t, err)
	require.Equal(t, `{}`, string(out))
}

func TestLeaks(t *testing.T) {
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
		{`{"x":"99182582701818012345"}`, pid, true}, // after an organisation number, without a separator
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
		{`{"phone":"+47 123 45 678"}`, "+4712345678", false}, // text, not digits: matches as written only
		{`{"phone":"+47 123 45 678"}`, "4712345678", true},
		{string(nested), pid, false},
		{`{"x":"Ola"}`, "Ola", false},    // shorter than minIdentifier
		{`{"x":"12345"}`, "12345", true}, // a short number, not part of a longer one
		{`{"exp":1912345678}`, "12345", false},
		{`{"exp":1912345}`, "12345", false},
		{`{"exp":1234567}`, "12345", false},
		{`{"x":"a12345b"}`, "12345", true},
		{`12345`, "12345", true}, // a short number that is the whole payload
		{`12345,"x"`, "12345", true},
		{`"x",12345`, "12345", true},
		{`123456`, "12345", false},
		{`012345`, "12345", false},
		{`12345 6`, "12345", true},
		{`1-2-3-4-5`, "12345", true},
		{`1234`, "12345", false},
		{`{"x":""}`, "", false},
	} {
		require.Equal(t, tt.want, pseudonym.Leaks([]byte(tt.payload), ids(tt.id)...), "%s in %s", tt.id, tt.payload)
	}
	require.True(t, pseudonym.Leaks([]byte(`{"x":"b@example.no"}`), append(ids(pid, "b@example.no"), pseudonym.Identifier{})...))
	require.False(t, pseudonym.Leaks([]byte(`{"x":"01818012345"}`)))
}

// Escapes in JSON inside JSON are removed; above the limit every payload leaks.
func TestLeaksNested(t *testing.T) {
	t.Parallel()
	escaped := `"018180\u00312345"`
	for range 6 {
		require.True(t, pseudonym.Leaks([]byte(escaped), ids(pid)...), escaped)
		out, err := json.Marshal(escaped)
		require.NoError(t, err)
		escaped = string(out)
	}
	require.True(t, pseudonym.Leaks([]byte(strings.Repeat(`\`, 2000)), ids(pid)...), "too many layers of escapes")
}

// ids returns identifiers with these values, without empty ones.
func ids(values ...string) []pseudonym.Identifier {
	var all []pseudonym.Identifier
	for _, v := range values {
		if id, err := pseudonym.NewIdentifier("test", v); err == nil {
			all = append(all, id)
		}
	}
	return all
}

// seedToken is the payload of an access token of ID-porten, without the pid.
const seedToken = `{"sub":"ERIFvpD7pM6j6Xvrnz0ml53V-L_W5ZDSs3kYMs6dTVc","acr":"idporten-loa-substantial","scope":"openid profile",` +
	`"iss":"https://idporten.dev","client_amr":"client_secret_basic","exp":1678376095,"iat":1678375495,"jti":"tbnAiyCO2Lc",` +
	`"client_id":"democlient_idporten","consumer":{"authority":"iso6523-actorid-upis","ID":"0192:991825827"}}`

func TestLeaksDoesNotAllocate(t *testing.T) {
	payload, identifiers := []byte(seedToken), ids(pid, "ola.nordmann@example.no")
	n := slow.Allocations(t, 100, func() {
		if pseudonym.Leaks(payload, identifiers...) {
			t.Fatal("found")
		}
	})
	require.Zero(t, n)
}

func BenchmarkLeaks(b *testing.B) {
	payload := []byte(seedToken)
	for _, identifiers := range [][]pseudonym.Identifier{ids(pid), ids(pid, "ola.nordmann@example.no")} {
		b.Run(fmt.Sprint(len(identifiers)), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				pseudonym.Leaks(payload, identifiers...)
			}
		})
	}
}

// FuzzLeaks checks that an identifier is found in the output of encoding/json, and also if any of its characters are escaped.
func FuzzLeaks(f *testing.F) {
	f.Add("x", "y", pid, uint64(0))
	f.Add("<", ">", "ola+&@example.no", uint64(0xaaaa))
	f.Add(`\`, `"`, "SE/NO/12 34", uint64(1))
	for i, id := range []string{pid, "123456789", "kari@example.no", "blåbær-123", "\u2028\u2029<>&123", "9578-6000-4-123456789"} {
		f.Add("a"+id[:1], id, id, uint64(1)<<i|uint64(i))
	}
	f.Fuzz(func(t *testing.T, before, after, id string, mask uint64) {
		if len(id) < 9 || strings.ContainsAny(id, `\%`) || !validText(before+id+after) {
			return
		}
		out, err := json.Marshal(map[string]string{"c": before + id + after})
		if err != nil || !pseudonym.Leaks(out, ids(id)...) {
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
		if p := `{"c":"` + escaped.String() + `"}`; !pseudonym.Leaks([]byte(p), ids(id)...) {
			t.Fatalf("%q not found in %s", id, p)
		}
	})
}

// validText reports whether s is the same text after encoding and decoding.
func validText(s string) bool {
	out, err := json.Marshal(s)
	var back string
	return err == nil && json.Unmarshal(out, &back) == nil && back == s && !strings.ContainsAny(s, "\x00\b\f\n\r\t") && strings.ToValidUTF8(s, "") == s
}

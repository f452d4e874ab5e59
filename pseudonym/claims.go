package pseudonym

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// ErrLeak reports that encoded claims contain an identifier.
var ErrLeak = errors.New("pseudonym: encoded claims contain an identifier")

// Encode removes identifying claims, encodes the rest as JSON and checks the result for the identifiers. It does not change
// claims. It returns [ErrLeak] if the result contains an identifier, and the errors of [Strip].
func Encode(claims map[string]any, identifiers ...Identifier) ([]byte, error) {
	kept, err := stripObject(claims, 0)
	if err != nil {
		return nil, err
	}
	encoded, err := json.Marshal(kept)
	if err != nil {
		return nil, fmt.Errorf("pseudonym: %w", err)
	}
	if Leaks(encoded, identifiers...) {
		return nil, ErrLeak
	}
	return encoded, nil
}

// Strip removes identifying claims from claims, also from objects and lists inside other claims. Call it after all claims are
// added. It replaces nested maps and slices by copies and does not modify them.
//
// It inspects nil, strings, booleans, numbers, json.RawMessage, []string, []any, []map[string]any, map[string]string and
// map[string]any. It returns an error for a value of another type, such as a struct, and for more than 100 levels of nesting. Do
// not send claims then.
func Strip(claims map[string]any) error {
	for name, value := range claims {
		if Identifying(name) {
			delete(claims, name)
			continue
		}
		kept, err := stripValue(value, 0)
		if err != nil {
			return fmt.Errorf("pseudonym: claim %q: %w", name, err)
		}
		claims[name] = kept
	}
	return nil
}

var errDepth = errors.New("more than 100 levels of nesting")

// maxDepth is the number of levels of objects and lists that a claim may have. It ends the recursion for a map that contains
// itself.
const maxDepth = 100

// stripValue returns value without identifying members.
func stripValue(value any, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errDepth
	}
	switch v := value.(type) {
	case nil, string, bool, json.Number, []string, float64, float32,
		int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64:
		return v, nil
	case map[string]any:
		return stripObject(v, depth)
	case map[string]string:
		return stripStrings(v), nil
	case []any:
		return stripList(v, depth)
	case []map[string]any:
		return stripList(v, depth)
	case json.RawMessage:
		return stripRaw(v, depth)
	}
	return nil, fmt.Errorf("cannot inspect a value of type %T", value)
}

func stripObject(members map[string]any, depth int) (map[string]any, error) {
	kept := make(map[string]any, len(members))
	for name, value := range members {
		if Identifying(name) {
			continue
		}
		v, err := stripValue(value, depth+1)
		if err != nil {
			return nil, fmt.Errorf("member %q: %w", name, err)
		}
		kept[name] = v
	}
	return kept, nil
}

func stripStrings(members map[string]string) map[string]string {
	kept := make(map[string]string, len(members))
	for name, value := range members {
		if !Identifying(name) {
			kept[name] = value
		}
	}
	return kept
}

func stripList[T any](items []T, depth int) ([]any, error) {
	kept := make([]any, len(items))
	for i, item := range items {
		var err error
		if kept[i], err = stripValue(item, depth+1); err != nil {
			return nil, fmt.Errorf("item %d: %w", i, err)
		}
	}
	return kept, nil
}

// stripRaw decodes JSON to inspect it. Numbers keep their digits.
func stripRaw(text json.RawMessage, depth int) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return nil, err
	}
	return stripValue(value, depth+1)
}

// Identifying reports whether a claim identifies a user by its name: national identity numbers, names, contact data,
// the instant at which the data of a user changed, and claims derived from these. The pairwise "sub" is not one of them.
//
// It covers the standard claims of OIDC Core §5.1, the claims of ID-porten, the eIDAS attributes in all spellings, and common
// English and Norwegian names. Case, the characters "_" and "-", a language tag ("name#nn") and a namespace
// ("https://example.no/claims/pid") do not matter. Other names may hold identifiers too: check encoded claims with [Leaks].
func Identifying(claim string) bool {
	name := claim
	if i := strings.IndexByte(name, '#'); i > 0 && !strings.Contains(name, "://") {
		name = name[:i]
	}
	if i := strings.LastIndexAny(name, "/#:"); i >= 0 {
		name = name[i+1:]
	}
	var space [maxName]byte // keeps the canonical name off the heap
	canonical := appendCanonical(space[:0], name)
	if identifyingNames[string(canonical)] || len(name) >= len(adresse) && strings.EqualFold(name[len(name)-len(adresse):], adresse) {
		return true
	}
	for _, prefix := range identifyingPrefixes {
		if len(canonical) >= len(prefix) && string(canonical[:len(prefix)]) == prefix {
			return true
		}
	}
	return false
}

const (
	maxName = 64
	adresse = "adresse" // Norwegian names of addresses end with it
)

// appendCanonical appends name in lower case, without "_", "-" and spaces, with æ, ø and å written as ae, o and a. It stops after
// maxName bytes.
func appendCanonical(dst []byte, name string) []byte {
	for _, c := range name {
		if len(dst) > maxName-2 {
			break
		}
		switch c {
		case '_', '-', ' ':
			continue
		case 'æ', 'Æ':
			dst = append(dst, "ae"...)
			continue
		case 'ø', 'Ø':
			c = 'o'
		case 'å', 'Å':
			c = 'a'
		}
		switch {
		case 'A' <= c && c <= 'Z':
			dst = append(dst, byte(c)+'a'-'A')
		case c < 0x80:
			dst = append(dst, byte(c))
		default:
			dst = append(dst, '?')
		}
	}
	return dst
}

// identifyingPrefixes: a canonical name that begins with one of them identifies a user.
var identifyingPrefixes = []string{
	"email", "phone", "mobile", "eidas", "birth", "address", "postal", "street",
	"epost", "telefon", "mobil", "fodsel", "foedsel", "adresse",
}

// identifyingNames are the other canonical names that identify a user.
var identifyingNames = set(`pid fnr dnr ssn nin fodselsnummer personnummer dnummer personidentifier personident nationalid
	nationalidentitynumber nationalidentifier personalnumber identifierno
	fnummer personnr identitetsnummer folkeregisteridentifikator personidentifikator kontonummer kontonr iban
	name givenname familyname middlename firstname lastname surname fullname
	displayname commonname cn legalname maidenname
	navn fornavn etternavn mellomnavn fulltnavn slektsnavn kallenavn brukernavn visningsnavn kortnavn pikenavn foretrukketnavn
	namn fornamn etternamn mellomnamn fulltnamn slektsnamn kallenamn brukarnamn visningsnamn
	nickname preferredusername username uniquename upn userprincipalname samaccountname loginhint
	mail telephonenumber photo avatar
	fodested bosted gate gatenavn husnummer tlf tlfnr tlfnummer poststed postnummer kjonn kjoenn profilbilde bilde
	profile picture website gender dateofbirth updatedat`)

func set(names string) map[string]bool {
	all := map[string]bool{}
	for name := range strings.FieldsSeq(names) {
		all[name] = true
	}
	return all
}

package ansattporten_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/digdir/ansattporten"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/norway"
)

// detailsOf returns the authorization_details of a token response, which its access token must have, too.
func detailsOf(t testing.TB, a optest.Answer) string {
	t.Helper()
	require.Equal(t, http.StatusOK, a.Status, a.JSON)
	text := string(must(jsonText(a.JSON["authorization_details"])))
	require.JSONEq(t, text, string(must(jsonText(claims(t, a.String("access_token"))["authorization_details"]))))
	return text
}

const (
	severalServices = `[{"type":"ansattporten:altinn:service","resource":"` + service + `","allow_multiple_organizations":true}]`
	severalCases    = `[{"type":"ansattporten:altinn:resource","resource":"` + case3 + `","actions":["read","write"],"allow_multiple_organizations":true}]`
	severalEmployer = `[{"type":"ansattporten:orgno","allow_multiple_organizations":true}]`
)

// fullRegister has rights of every type at two organisations.
func fullRegister() *register {
	parties := func() []ansattporten.Reportee {
		return []ansattporten.Reportee{
			{Orgno: digdir, Name: "DIGDIR", UnitType: "ORGL", Rights: []string{"read", "write"}},
			{Orgno: leikanger, Name: "LEIKANGER", UnitType: "BEDR", Rights: []string{"read"}},
		}
	}
	r := mandates()
	r.mandates[0].Permissions = append(r.mandates[0].Permissions, ansattporten.Permission{Owner: "digdir", Role: "skatt"})
	r.resources = map[string]ansattporten.Resource{
		service: {Name: "Tjeneste", Reportees: append(parties(), ansattporten.Reportee{})}, case3: {Name: "Sak", Reportees: parties()},
	}
	r.employers = parties()
	return r
}

// reportees changes the reportees of a resource.
func (r *register) reportees(resource string, f func([]ansattporten.Reportee) []ansattporten.Reportee) {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := r.resources[resource]
	found.Reportees = f(found.Reportees)
	r.resources[resource] = found
}

func firstOnly(list []ansattporten.Reportee) []ansattporten.Reportee { return list[:1] }

func readOnly(list []ansattporten.Reportee) []ansattporten.Reportee {
	list[0].Rights = []string{"read"}
	return list
}

func more(list []ansattporten.Reportee) []ansattporten.Reportee {
	list[0].Rights, list[1].Rights = []string{"read", "write", "delete"}, []string{"read", "write"}
	list[0].Name = "NYTT NAVN"
	return append(list, ansattporten.Reportee{Orgno: brreg, Name: "BRREG"})
}

func none([]ansattporten.Reportee) []ansattporten.Reportee { return nil }

// TestRefreshEvaluatesRights: a right that the user has lost since the login is not in the tokens of a refresh or of a code. Rights
// that the user has gained are not, either. A grant whose details are all lost ends.
func TestRefreshEvaluatesRights(t *testing.T) {
	t.Parallel()
	const (
		identified = `"Authority":"iso6523-actorid-upis","ID":"0192:`
		serviceA   = `{"Rights":["read","write"],` + identified + digdir + `","Name":"DIGDIR"}`
		serviceB   = `{"Rights":["read"],` + identified + leikanger + `","Name":"LEIKANGER"}`
		partyA     = `{"orgno":{"authority":"iso6523-actorid-upis","ID":"0192:` + digdir + `"},"resource":"` + case3 + `","actions":["read","write"],"name":"DIGDIR","unit_type":"ORGL"}`
		partyB     = `{"orgno":{"authority":"iso6523-actorid-upis","ID":"0192:` + leikanger + `"},"resource":"` + case3 + `","actions":["read"],"name":"LEIKANGER","unit_type":"BEDR"}`
		employerA  = `{"orgno":{` + identified + digdir + `"},"name":"DIGDIR","rights":["read","write"]}`
		employerB  = `{"orgno":{` + identified + leikanger + `"},"name":"LEIKANGER","rights":["read"]}`
	)
	services := func(list string) string {
		return `[{"type":"ansattporten:altinn:service","resource":"` + service + `","resource_name":"Tjeneste","reportees":[` + list + `]}]`
	}
	cases := func(list string) string {
		return `[{"type":"ansattporten:altinn:resource","resource":"` + case3 + `","resource_name":"Sak","authorized_parties":[` + list + `]}]`
	}
	employers := func(list string) string {
		return `[{"type":"ansattporten:orgno","authorized_parties":[` + list + `]}]`
	}
	mandate := func(permissions string) string {
		return `[{"type":"idporten:fullmakt","authorizer":{"name":"Gro Gammel","pid":"21879498012"},"authorized_representative":{"name":"Kari Nordmann","pid":"` +
			personPID + `"},"permissions":[` + permissions + `]}]`
	}
	const helse, skatt = `{"owner":"digdir","role":"helse"}`, `{"owner":"digdir","role":"skatt"}`
	organisations := []string{digdir, leikanger}
	for name, tt := range map[string]struct {
		details string
		pick    []string
		change  func(r *register)
		before  string
		after   string // "" if the grant ends
	}{
		"service: nothing lost": {severalServices, organisations, func(*register) {}, services(serviceA + "," + serviceB), services(serviceA + "," + serviceB)},
		"service: more rights": {
			severalServices, organisations, func(r *register) { r.reportees(service, more) }, services(serviceA + "," + serviceB), services(serviceA + "," + serviceB),
		},
		"service: one organisation lost": {
			severalServices, organisations, func(r *register) { r.reportees(service, firstOnly) }, services(serviceA + "," + serviceB), services(serviceA),
		},
		"service: one right lost": {
			severalServices, organisations, func(r *register) { r.reportees(service, readOnly) }, services(serviceA + "," + serviceB),
			services(`{"Rights":["read"],` + identified + digdir + `","Name":"DIGDIR"}` + "," + serviceB),
		},
		"service: all lost":         {severalServices, organisations, func(r *register) { r.reportees(service, none) }, services(serviceA + "," + serviceB), ""},
		"service: resource unknown": {severalServices, organisations, func(r *register) { r.unknown = true }, services(serviceA + "," + serviceB), ""},
		"service: the user themselves": {
			severalServices,
			[]string{"self"},
			func(r *register) { r.err = errors.New("down: a user without rights of others has nothing to lose") },
			`[{"type":"ansattporten:altinn:service"}]`, `[{"type":"ansattporten:altinn:service"}]`,
		},
		"service: no one": {severalServices, []string{}, func(r *register) { r.err = errors.New("down") }, `[]`, `[]`},
		"resource: one action lost": {
			severalCases, organisations, func(r *register) { r.reportees(case3, readOnly) }, cases(partyA + "," + partyB),
			cases(`{"orgno":{"authority":"iso6523-actorid-upis","ID":"0192:` + digdir + `"},"resource":"` + case3 + `","actions":["read"],"name":"DIGDIR","unit_type":"ORGL"}` + "," + partyB),
		},
		"resource: one organisation lost": {
			severalCases, organisations, func(r *register) { r.reportees(case3, firstOnly) }, cases(partyA + "," + partyB), cases(partyA),
		},
		"resource: all actions lost": {severalCases, []string{leikanger}, func(r *register) {
			r.reportees(case3, func(l []ansattporten.Reportee) []ansattporten.Reportee { l[1].Rights = []string{"other"}; return l })
		}, cases(partyB), ""},
		"employer: one lost": {
			severalEmployer, organisations, func(r *register) { r.employers = r.employers[:1] }, employers(employerA + "," + employerB), employers(employerA),
		},
		"employer: all lost":    {severalEmployer, organisations, func(r *register) { r.employers = nil }, employers(employerA + "," + employerB), ""},
		"mandate: nothing lost": {fullmaktRequest, []string{"m1"}, func(*register) {}, mandate(helse + "," + skatt), mandate(helse + "," + skatt)},
		"mandate: one role lost": {fullmaktRequest, []string{"m1"}, func(r *register) {
			r.mandates[0].Permissions = r.mandates[0].Permissions[:1]
		}, mandate(helse + "," + skatt), mandate(helse)},
		"mandate: lost": {fullmaktRequest, []string{"m1"}, func(r *register) { r.mandates = r.mandates[1:] }, mandate(helse + "," + skatt), ""},
		"mandate: another person gives the roles": {fullmaktRequest, []string{"m1"}, func(r *register) {
			r.mandates[0].PID = must(norway.ParsePID("45840375084"))
		}, mandate(helse + "," + skatt), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := fullRegister()
			op := newOP(t, r)
			q, p := represent(t, op, tt.details, tt.pick)
			a := op.Exchange(t, q, p.Code(t))
			require.JSONEq(t, tt.before, detailsOf(t, a))
			q, p = represent(t, op, tt.details, tt.pick)
			tt.change(r)
			redeemed := op.Exchange(t, q, p.Code(t))
			refreshed := op.Refresh(t, "tjeneste", a.String("refresh_token"))
			if tt.after == "" {
				require.Equal(t, "invalid_grant", redeemed.String("error"))
				require.Equal(t, "invalid_grant", refreshed.String("error"))
				r.unknown, r.resources, r.employers, r.mandates = false, fullRegister().resources, fullRegister().employers, fullRegister().mandates
				require.Equal(t, "invalid_grant", op.Refresh(t, "tjeneste", a.String("refresh_token")).String("error"), "the grant has ended")
				return
			}
			require.JSONEq(t, tt.after, detailsOf(t, redeemed))
			require.JSONEq(t, tt.after, detailsOf(t, refreshed))
			require.JSONEq(t, tt.after, detailsOf(t, op.Refresh(t, "tjeneste", refreshed.String("refresh_token"))))
		})
	}
}

// TestRefreshWithoutRegister: a register that does not answer is an outage. The refresh token stays valid.
func TestRefreshWithoutRegister(t *testing.T) {
	t.Parallel()
	r := fullRegister()
	op := newOP(t, r)
	q, p := represent(t, op, severalServices, []string{digdir})
	a := op.Exchange(t, q, p.Code(t))
	r.err = errors.New("down")
	require.Equal(t, http.StatusServiceUnavailable, op.Refresh(t, "tjeneste", a.String("refresh_token")).Status)
	r.err = nil
	require.Equal(t, detailsOf(t, a), detailsOf(t, op.Refresh(t, "tjeneste", a.String("refresh_token"))))
}

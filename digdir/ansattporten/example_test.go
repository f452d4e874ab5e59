package ansattporten_test

import (
	"context"
	"fmt"

	"github.com/portner-go/portner/digdir/ansattporten"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/session"
)

// rights is a source with one organisation.
type rights struct{}

func (rights) Exist(context.Context, []string) error { return nil }

func (rights) Reportees(context.Context, norway.PID, []string) ([]ansattporten.Resource, error) {
	return []ansattporten.Resource{{
		Name: "Skjema", Reportees: []ansattporten.Reportee{{Orgno: "991825827", Name: "DIGDIR", Rights: []string{"Read"}}},
	}}, nil
}

// A representation page shows the resource and offers the choices of the type, and the token names the chosen organisation.
func ExampleServiceType() {
	types, _ := rar.NewRegistry(ansattporten.ServiceType(rights{})) // for provider.Config.AuthorizationDetails
	details, _ := types.Parse([]byte(`[{"type":"ansattporten:altinn:service","resource":"urn:altinn:resource:2480:40"}]`))
	pid, _ := pseudonym.NewIdentifier(session.TypePID, "45840375084")
	person := rar.Request{Identifiers: []pseudonym.Identifier{pid}}
	offer, _ := types.Offer(context.Background(), person, details)
	fmt.Println(offer.Represented[0].Title+":", offer.Selection.Choices[0].Name)
	granted, _ := offer.Grant(context.Background(), []string{"991825827"}, nil)
	fmt.Println(string(granted))
	// Output:
	// Skjema: DIGDIR
	// [{"type":"ansattporten:altinn:service","resource":"urn:altinn:resource:2480:40","resource_name":"Skjema","reportees":[{"Rights":["Read"],"Authority":"iso6523-actorid-upis","ID":"0192:991825827","Name":"DIGDIR"}]}]
}

// A provider with the profile of Ansattporten. The other fields of its configuration are left out.
func ExampleProfile() {
	cfg := provider.Config{Profile: ansattporten.Profile()}
	fmt.Println(cfg.Profile.RequiredParameters, cfg.Profile.Levels.Values())
	// Output: [state nonce code_challenge] [low substantial high]
}

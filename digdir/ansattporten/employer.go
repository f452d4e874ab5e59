package ansattporten

import (
	"context"
	"encoding/json"

	"github.com/portner-go/portner/rar"
)

// Orgno is the type for an organisation that follows from a work identity (an e-mail domain, an Entra
// tenant) and not from a register of rights.
const Orgno = "ansattporten:orgno"

// Employers knows the organisations of work identities.
type Employers interface {
	// Employers returns the organisations of the person with this subject (session.Identity.Subject); none
	// is no error.
	Employers(ctx context.Context, subject string) ([]Reportee, error)
}

// OrgnoType is ansattporten:orgno.
func OrgnoType(source Employers) rar.Type {
	t := orgnoType{source}
	return rar.Type{
		Name: Orgno, Members: optionMembers, Alone: true, Choices: t.choices, Grant: t.grant, Multiple: multiple, Required: required,
		Validate: func(d rar.Detail) error { _, err := read(d); return err },
	}
}

type orgnoType struct{ source Employers }

// ask returns those every detail allows: they are about the same organisations.
func (t orgnoType) ask(ctx context.Context, r rar.Request, details []rar.Detail) ([]Reportee, error) {
	all, err := readAll(details)
	if err != nil {
		return nil, err
	}
	parties, err := t.source.Employers(ctx, r.Subject)
	if err != nil {
		return nil, err
	}
	for _, o := range all {
		o.required = true // nobody is their own employer
		if parties, err = offered(parties, o); err != nil {
			return nil, err
		}
	}
	return parties, nil
}

func (t orgnoType) choices(ctx context.Context, r rar.Request, details []rar.Detail) ([]rar.Choice, error) {
	parties, err := t.ask(ctx, r, details)
	return union(r, parties), err
}

// employment is the answer. The two texts about it are read together: authorized_parties with orgno, name
// and rights (idporten section 18.4), orgno with Authority and ID (maskinporten-altinn section 4.3).
type employment struct {
	Type    string     `json:"type"`
	Parties []employer `json:"authorized_parties"`
}

type employer struct {
	Orgno  identifier `json:"orgno"`
	Name   string     `json:"name"`
	Rights []string   `json:"rights"`
}

func (t orgnoType) grant(ctx context.Context, r rar.Request, details []rar.Detail, chosen []string) ([]json.RawMessage, error) {
	parties, err := t.ask(ctx, r, details)
	if err != nil {
		return nil, err
	}
	organisations, _ := chosenOf(parties, chosen)
	if len(organisations) == 0 {
		return nil, nil
	}
	e := employment{Type: Orgno}
	for _, p := range organisations {
		e.Parties = append(e.Parties, employer{identify(p.Orgno), p.Name, list(p.Rights)})
	}
	return encode([]any{e})
}

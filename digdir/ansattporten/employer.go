package ansattporten

import (
	"context"
	"encoding/json"

	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/rar"
)

// typeOrgno is the type for organisations that follow from a work identity.
const typeOrgno = "ansattporten:orgno"

// EmployerSource finds the organisations of work identities.
type EmployerSource interface {
	// Employers returns the organisations of the user with this subject (session.Identity.Subject), which may be none. It is called
	// after the login only, once in an HTTP request.
	Employers(ctx context.Context, subject string) ([]Reportee, error)
}

// OrgnoType returns the type ansattporten:orgno, for an organisation that follows from a work identity, such as an e-mail domain or
// an Entra tenant. rar.NewRegistry rejects the type if source is nil.
func OrgnoType(source EmployerSource) rar.Type {
	if fields.IsNil(source) {
		return rar.Type{Name: typeOrgno}
	}
	t := orgnoType{source}
	return rar.Type{
		Name: typeOrgno, Members: optionMembers, Alone: true,
		Describe: t.describe, Choices: t.choices, Grant: t.grant, Refresh: t.refresh, Multiple: multiple, Required: required,
		Validate: func(d rar.Detail) error { _, err := read(d); return err },
	}
}

type orgnoType struct{ source EmployerSource }

// employers loads the organisations that every detail allows.
func (t orgnoType) employers(ctx context.Context, r rar.Request, details []rar.Detail) ([]Reportee, error) {
	all, err := readAll(details)
	if err != nil {
		return nil, err
	}
	parties, err := rar.Once(r, typeOrgno, func() ([]Reportee, error) { return t.source.Employers(ctx, r.Subject) })
	if err != nil {
		return nil, err
	}
	for _, o := range all {
		o.required = true // excludes the user as a party
		if parties, err = filter(parties, o); err != nil {
			return nil, err
		}
	}
	return parties, nil
}

// describe says that the employer is disclosed, with the rights of the user there.
func (orgnoType) describe(_ context.Context, r rar.Request, details []rar.Detail) ([]rar.Text, error) {
	w := wordsFor(r.Locale)
	texts := make([]rar.Text, len(details))
	for i := range texts {
		texts[i] = rar.Text{Title: w.employer, Lines: []string{w.rights}}
	}
	return texts, nil
}

func (t orgnoType) choices(ctx context.Context, r rar.Request, details []rar.Detail) ([]rar.Choice, error) {
	parties, err := t.employers(ctx, r, details)
	return union(r, parties), err
}

// employment is the granted detail (docs/spec/ansattporten.md §4.3).
type employment struct {
	Type    string     `json:"type"`
	Parties []employer `json:"authorized_parties"`
}

type employer struct {
	Orgno  identifier `json:"orgno"`
	Name   string     `json:"name"`
	Rights []string   `json:"rights"`
}

func (t orgnoType) grant(ctx context.Context, r rar.Request, details []rar.Detail, selected []string) ([]json.RawMessage, error) {
	parties, err := t.employers(ctx, r, details)
	if err != nil {
		return nil, err
	}
	organisations, _ := pick(parties, selected)
	if len(organisations) == 0 {
		return nil, nil
	}
	e := employment{Type: typeOrgno}
	for _, p := range organisations {
		e.Parties = append(e.Parties, employer{identify(p.Orgno), p.Name, notNil(p.Rights)})
	}
	return encode([]any{e})
}

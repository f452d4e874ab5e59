package scope

import "time"

// Shown is one scope as a consent page shows it. All of it is text to be escaped; the page shows
// the client's name and organisation number beside it (idporten section 12.5, security G14).
type Shown struct {
	Name        string // the value of its checkbox
	Description string // never empty
	// Long is the long description in Markdown, "" if there is none.
	Long string
	// Lasts is how long the access lasts at most. Other scopes of the grant may shorten it.
	Lasts time.Duration
}

// Show returns the scopes the person has to be asked about, in a language and in request order.
// Authorization is how long the client's authorizations last (authorization_lifetime).
func (p *Plan) Show(lang string, authorization time.Duration) []Shown {
	shown := make([]Shown, len(p.NeedsConsent))
	for i, s := range p.NeedsConsent {
		shown[i] = Shown{
			Name:        s.Name,
			Description: s.DescriptionIn(lang),
			Long:        s.LongDescriptionIn(lang),
			Lasts:       lower(authorization, seconds(s.AuthorizationMaxLifetime)),
		}
	}
	return shown
}

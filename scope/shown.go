package scope

import "time"

// Shown is one scope as a consent page shows it. The page must escape all texts, and must also show the name and the
// organisation of the client.
type Shown struct {
	Name        string        // value of the checkbox
	Description string        // never empty
	Long        string        // long description in Markdown, "" if there is none
	Lasts       time.Duration // longest duration of the access; other scopes of the grant may shorten it
}

// Show returns the scopes of p.NeedsConsent in a language ("nn", "en-GB") and in the order of the request. authorization is the
// lifetime of the client's grants.
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

package policies

import "github.com/portner-go/portner/acr"

// sufficient reports whether an achieved level satisfies a request. Without acr_values the minimum is substantial.
func sufficient(achieved string, acrValues []string) bool {
	if len(acrValues) == 0 {
		return acr.IDPorten.AtLeast(achieved, acr.Substantial) // an unknown level never suffices
	}
	return acr.IDPorten.Satisfies(achieved, acrValues) // "idporten-loa-hihg" alone: false
}

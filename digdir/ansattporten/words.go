package ansattporten

import "strings"

// words are the texts of rar.Type.Describe in one language.
type words struct {
	actions, roles, rights string
	employer, mandate      string
}

// wordsFor returns the texts of a language ("nn", "en-GB"), or those of bokmål if it is unknown.
func wordsFor(locale string) words {
	primary, _, _ := strings.Cut(strings.ToLower(locale), "-")
	if w, ok := allWords[primary]; ok {
		return w
	}
	return allWords["nb"]
}

var allWords = map[string]words{
	"nb": {"Handlinger", "Roller", "Tjenesten får vite hvilke rettigheter du har der.", "Virksomheten du arbeider for", "Fullmakt fra en annen person"},
	"nn": {"Handlingar", "Roller", "Tenesta får vite kva rettar du har der.", "Verksemda du arbeider for", "Fullmakt frå ein annan person"},
	"en": {"Actions", "Roles", "The service learns which rights you have there.", "The organisation you work for", "Mandate from another person"},
	"se": {"Doaimmat", "Rollat", "Bálvalus oažžu diehtit makkár vuoigatvuođat dus leat doppe.", "Fitnodat man ovddas don barggat", "Fápmudus nuppi olbmos"},
}

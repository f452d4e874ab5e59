package idporten

import (
	"regexp"
	"strings"
)

// span is a part of a long description. The template writes the tags, so that the text cannot contain HTML.
type span struct {
	Text   string
	Strong bool
	Em     bool
	Href   string // https URL of a link; "" for text
}

// The subset of Markdown in long descriptions: paragraphs, bold, italic, and https links (docs.digdir.no: oidc_protocol_scope).
var (
	mdBreak = regexp.MustCompile(`\n[ \t]*\n\s*`)
	mdSpan  = regexp.MustCompile(`\[([^\[\]]+)\]\((https://[^\s()<>*"]+)\)|\*\*([^*\s](?:[^*]*[^*\s])?)\*\*|\*([^*\s](?:[^*]*[^*\s])?)\*`)
)

// markdown parses a long description into paragraphs.
func markdown(text string) [][]span {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil
	}
	var paragraphs [][]span
	for _, p := range mdBreak.Split(text, -1) {
		paragraphs = append(paragraphs, spans(p))
	}
	return paragraphs
}

func spans(p string) []span {
	var out []span
	last := 0
	for _, m := range mdSpan.FindAllStringSubmatchIndex(p, -1) {
		if m[0] > last {
			out = append(out, span{Text: p[last:m[0]]})
		}
		last = m[1]
		switch {
		case m[2] >= 0:
			out = append(out, span{Text: p[m[2]:m[3]], Href: p[m[4]:m[5]]})
		case m[6] >= 0:
			out = append(out, span{Text: p[m[6]:m[7]], Strong: true})
		default:
			out = append(out, span{Text: p[m[8]:m[9]], Em: true})
		}
	}
	if last < len(p) {
		out = append(out, span{Text: p[last:]})
	}
	return out
}

package main

import (
	"html/template"
	"regexp"
	"strings"
)

// The subset of Markdown that long descriptions may hold (idporten section 12.2): paragraphs, bold,
// italic, and links to https.
var (
	mdLink   = regexp.MustCompile(`\[([^\[\]]+)\]\((https://[^\s()&<>*"]+(?:&amp;[^\s()&<>*"]+)*)\)`)
	mdBold   = regexp.MustCompile(`\*\*([^*\s](?:[^*]*[^*\s])?)\*\*`)
	mdItalic = regexp.MustCompile(`\*([^*\s](?:[^*]*[^*\s])?)\*`)
	mdBreak  = regexp.MustCompile(`\n[ \t]*\n\s*`)
)

// markdown renders a long description. Everything is escaped first, so that only what is put in here
// can be HTML.
func markdown(text string) template.HTML {
	if strings.TrimSpace(text) == "" {
		return ""
	}
	var b strings.Builder
	for _, paragraph := range mdBreak.Split(strings.TrimSpace(text), -1) {
		p := template.HTMLEscapeString(paragraph)
		p = mdBold.ReplaceAllString(p, "<strong>$1</strong>")
		p = mdItalic.ReplaceAllString(p, "<em>$1</em>")
		p = mdLink.ReplaceAllString(p, `<a href="$2" rel="noopener noreferrer" target="_blank">$1</a>`)
		b.WriteString("<p>" + p + "</p>")
	}
	return template.HTML(b.String()) //nolint:gosec // escaped above
}

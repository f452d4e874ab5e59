package httpx

import (
	"net/http"
	"strings"
)

// Accepts returns the weight of a media type in Accept, in thousandths, and whether a range names it (RFC 9110 §12.5.1). The range that names
// most of it counts. Without Accept every type is accepted.
func Accepts(h http.Header, media string) (weight int, named bool) {
	kind, _, _ := strings.Cut(media, "/")
	best, n := 0, 0 // 1 for */*, 2 for type/*, 3 for the type
	for _, line := range h["Accept"] {
		for element := range strings.SplitSeq(line, ",") {
			if n++; n > maxAccepted {
				return 0, false
			}
			element, params, _ := strings.Cut(element, ";")
			rank := 0
			switch strings.ToLower(strings.Trim(element, " \t")) {
			case media:
				rank = 3
			case kind + "/*":
				rank = 2
			case "*/*":
				rank = 1
			}
			if w := weightOf(params); rank > best || rank > 0 && rank == best && w > weight {
				best, weight = rank, w
			}
		}
	}
	if len(h["Accept"]) == 0 {
		return 1000, false
	}
	return weight, best == 3
}

// AcceptsHTML reports whether a request is that of a browser that shows a page: its Accept names text/html and does not prefer JSON to it
// (RFC 9110 §12.5.1). The range */* names no type: programs send it.
func AcceptsHTML(h http.Header) bool {
	html, json, n := 0, 0, 0
	for _, line := range h["Accept"] {
		for element := range strings.SplitSeq(line, ",") {
			if n++; n > maxAccepted {
				return false
			}
			media, params, _ := strings.Cut(element, ";")
			switch strings.ToLower(strings.Trim(media, " \t")) {
			case "text/html":
				html = max(html, weightOf(params))
			case "application/json":
				json = max(json, weightOf(params))
			}
		}
	}
	return html > 0 && html >= json
}

package httpx

import (
	"net/http"
	"strings"
)

// AcceptsHTML reports whether a request is that of a browser that shows a page: its Accept names text/html and does not prefer JSON to it (RFC 9110
// §12.5.1). The range */* names no type: programs send it.
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

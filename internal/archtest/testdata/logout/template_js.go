package logout

import "html/template"

func raw(s string) template.JS { return template.JS(s) }

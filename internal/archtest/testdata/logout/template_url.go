package logout

import "html/template"

func raw(s string) template.URL { return template.URL(s) }

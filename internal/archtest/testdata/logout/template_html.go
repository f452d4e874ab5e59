package logout

import "html/template"

func raw(s string) template.HTML { return template.HTML(s) }

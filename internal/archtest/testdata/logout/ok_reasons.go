package logout

type event struct{ Name, Reason string }

type fault struct {
	code   int
	reason string
}

const reasonConstant = "of_constant"

func emit(name, reason string) event { return event{Name: name, Reason: reason} }

func cause() string { return "of_function" }

func ended() (ok bool, reason string) { return true, "of_result" }

func reasonsOfAllForms() []any {
	reason := "of_variable"
	return []any{emit("other", "of_argument"), event{Reason: "of_field"}, fault{1, "of_position"}, []fault{{2, "of_element"}}, reason}
}

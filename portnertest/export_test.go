package portnertest

// Sources returns the rules with their sources.
func Sources() map[Rule]string { return sources }

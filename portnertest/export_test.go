package portnertest

// Sources returns the rules with their sources.
func Sources() map[Rule]string { return sources }

// Probed returns the rules that a browser probes.
func Probed() []Rule { return probed }

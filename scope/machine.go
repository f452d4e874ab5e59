package scope

// EvaluateMachine decides a request without a user: a client requests an access token for itself or for its organisation. Scopes that
// concern a user, or that require a consent or a login, are refused with UserRequired. If requested is nil, the plan grants every
// registered scope of an API that is not refused. It returns a *[RefusedError] if the client may not have a requested scope.
func EvaluateMachine(requested []string, c Client, src Source) (Plan, error) {
	names := requested
	if requested == nil {
		names = c.Scopes
	}
	p := Plan{TokenType: SelfContained}
	var refused []Refusal
	for _, name := range names {
		s, reason := admit(name, c, src)
		if reason == "" && s.needsUser() {
			reason = UserRequired
		}
		switch {
		case reason == "" && (requested != nil || ofAPI(name)):
			p.Pseudonymous = p.Pseudonymous || s.RequiresPseudonymousTokens
			p.grant(s, len(names))
		case reason != "" && requested != nil:
			refused = append(refused, Refusal{name, reason})
		}
	}
	if len(refused) > 0 {
		return Plan{Pseudonymous: p.Pseudonymous}, &RefusedError{refused}
	}
	return p, nil
}

// needsUser reports whether a scope is for tokens of users only.
func (s *Scope) needsUser() bool {
	return s.RequiresUser || s.RequiresUserConsent || s.RequiresUserAuthentication || Reserved(s.Name) && s.Name != Introspection
}

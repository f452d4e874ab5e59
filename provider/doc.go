// Package provider makes one OpenID provider of the packages of this module: one Config, one http.Handler.
//
// A host gives [New] a store, keys, client registrations, secrets, and a function that shows its pages:
//
//	op, err := provider.New(provider.Config{
//		Issuer: "https://login.example.no", Profile: provider.OpenIDConnect(),
//		Store: store, Keys: keys, Clients: clients, Users: users, Page: page,
//		Secrets: secrets, PairwiseKey: pairwiseKey,
//	})
//	http.ListenAndServe("localhost:8080", op)
//
// # Pages
//
// The provider calls Config.Page for the paths of Config.Pages, with the pending authorization request. The function
// either writes a page and returns nil, or continues the request and returns the [authorize.Decision] of one of its verbs:
//
//	func page(w http.ResponseWriter, r *http.Request, p *authorize.Pending) *authorize.Decision {
//		switch {
//		case r.Method != http.MethodPost:
//		case p.Step == authorize.ConsentStep:
//			return p.Consent(r.Context(), r.PostForm["scope"])
//		default:
//			if user, ok := checkPassword(r.PostForm); ok {
//				return p.LogIn(r.Context(), session.Authentication{Identity: session.Identity{Subject: user}, AMR: []string{"pwd"}})
//			}
//		}
//		templates.ExecuteTemplate(w, string(p.Step), p) // the form posts the fields request and csrf back
//		return nil
//	}
//
// The provider verifies the cookie of the browser, the origin and the CSRF token before it calls the function.
//
// # Profiles
//
// A [Profile] holds what differs between services. [OpenIDConnect] is a plain OpenID provider. [IDPorten] is Norway's national
// login. A profile is required, because its levels, claims and subject identifiers are visible to every client.
//
// # Users and claims
//
// Config.Users is called once per request, and returns whether a user is enabled and the claims of the user. A user who is disabled or
// removed loses every token at the next use. Config.Claims adds claims to id_tokens, JWT access tokens, introspection and
// userinfo:
//
//	func claims(_ context.Context, d *token.Document) error {
//		d.Set("roles", d.User.Claims["roles"])
//		return nil
//	}
//
// # Stores
//
// [Store] has twelve methods, each one atomic. Package storage/memory is a bounded store in memory, and package
// storage/storagetest proves other stores.
//
// # Endpoints in other handlers
//
// Each endpoint is also a field of [Provider], with a core that takes and returns values: Authorize.Authorize, Authorize.Push,
// Token.Issue, Token.Introspect, Token.DescribeUser, Token.Revoke. Hosts with another router call the cores and write the replies.
//
// # Operation
//
// The package starts no goroutine and keeps no state between requests, so that several nodes can serve one issuer with the same
// store, keys and secrets. The host runs the HTTP server (TLS, timeouts, a limit for headers), sweeps its store, and calls
// keyset.Set.Run. Config.Logger and Config.OnEvent receive one record per decision.
//
// The package implements OIDC Core, Discovery, RP-Initiated, Front-Channel and Back-Channel Logout 1.0, and RFC 6749, 6750, 7009,
// 7636, 7662, 8414, 8707, 9101, 9126, 9207, 9396 and 9700.
package provider

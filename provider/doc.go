// Package provider combines the packages of this module into one OpenID provider: one [Config], one [http.Handler].
//
// A host gives [New] a store, keys, client registrations, secrets, and a function that shows its pages:
//
//	keys, err := keyset.Directory{Path: "keys", Alg: keyset.RS256}.Open() // creates and rotates key files
//	clients, err := client.NewRegistry(client.Environment{}, client.Client{
//		ClientID: "my-app", ApplicationType: client.Native, RedirectURIs: []string{"http://127.0.0.1/cb"},
//		Scopes: []string{"openid", "profile"},
//	})
//	op, err := provider.New(provider.Config{
//		Issuer: "https://login.example.no", Profile: provider.OpenIDConnect(),
//		Store: memory.New(), Keys: keys, Clients: clients, Users: users, Page: page,
//		Secrets: []portner.Secret{secret}, PairwiseKey: pairwiseKey, // two results of portner.NewSecret, kept by the host
//	})
//	go keys.Run(ctx)
//	server := &http.Server{Addr: "localhost:8080", Handler: op, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second}
//	server.ListenAndServe() // behind a proxy that terminates TLS
//
// On a developer's machine the issuer may be http://localhost:8080. An issuer may have a path: every endpoint, page and redirect is
// below it, and its cookies have names of their own, so several providers can share a host. A proxy must leave the path in requests.
//
// # Pages
//
// The host owns the pages for login, step-up, consent and representation. The provider redirects the browser to their paths
// (Config.Pages), and calls Config.Page there with the pending authorization request. The function either writes a page and
// returns nil, or continues the request and returns the [authorize.Decision] of one of the methods of [authorize.Pending]:
//
//	func page(w http.ResponseWriter, r *http.Request, p *authorize.Pending) *authorize.Decision {
//		switch {
//		case r.PostForm.Has("cancel"):
//			return p.Cancel(r.Context())
//		case r.Method != http.MethodPost:
//		case p.Step == authorize.ConsentStep:
//			return p.Consent(r.Context(), r.PostForm["scope"])
//		default: // LoginStep; StepUpStep in profiles with Levels
//			if user, ok := checkPassword(r.PostForm); ok {
//				return p.LogIn(r.Context(), session.Authentication{Identity: session.Identity{Subject: user}, AMR: []string{"pwd"}})
//			}
//		}
//		templates.ExecuteTemplate(w, string(p.Step), p) // "login", "step-up" or "consent"
//		return nil
//	}
//
// Every form of a page posts two hidden fields back:
//
//	<input type="hidden" name="request" value="{{.Sealed}}"><input type="hidden" name="csrf" value="{{.CSRF}}">
//
// The provider verifies the browser's cookie, the origin and the CSRF token before it calls the function. Browsers send the origin; a script
// that posts the form adds the header field Origin. The host authenticates the user and limits failed logins. RepresentationStep occurs only
// with Config.AuthorizationDetails.
//
// # Profiles
//
// A [Profile] holds what differs between services. [OpenIDConnect] is a plain OpenID provider. [IDPorten] is Norway's national
// login. A profile is required, because its levels, claims and subject identifiers are visible to every client.
//
// # Users and claims
//
// Config.Users is called once per request, and returns whether a user is enabled and the claims of the user. The provider
// rejects every token of a user who is disabled or removed, at the next use. A resource server that verifies a JWT access token
// itself accepts it until it expires. Config.Claims adds claims to id_tokens, JWT access tokens, introspection and userinfo:
//
//	func claims(_ context.Context, d *token.Document) error {
//		d.Set("roles", d.User.Claims["roles"])
//		return nil
//	}
//
// # Stores
//
// [Store] has twelve methods, each one atomic. Package storage/memory is a bounded store in memory, whose records are lost when
// the process ends. Package storage/storagetest checks other stores.
//
// # Endpoints in other handlers
//
// Each endpoint is also a field of [Provider]. Its methods for requests take and return values: Authorize.Authorize,
// Authorize.Resume, Authorize.Push, Token.Issue, Token.Introspect, Token.DescribeUser, Token.Revoke and Logout.Logout. Hosts with
// another router call these and write the replies.
//
// # Operation
//
// The package starts no goroutine that outlives a request. It keeps no state of users or requests in the process, so several
// nodes can serve one issuer with the same store, keys and secrets. Only failed client authentications are counted per node,
// unless Config.Attempts counts them for all. The host runs the HTTP server (TLS, timeouts, a limit for headers), sweeps its
// store, and calls [keyset.Set.Run]. Config.Logger and Config.OnEvent receive one record per decision.
//
// The package implements OIDC Core, Discovery, RP-Initiated, Front-Channel and Back-Channel Logout 1.0, and RFC 6749, 6750, 7009,
// 7636, 7662, 8414, 8707, 9101, 9126, 9207, 9396 and 9700.
package provider

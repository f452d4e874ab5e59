package authorizations_test

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/digdir/authorizations"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/token"
)

// A host mounts the API beside its provider.
func Example() {
	serve := func(op *provider.Provider, cfg provider.Config) (http.Handler, error) {
		api, err := authorizations.New(authorizations.Config{
			Store: cfg.Store, Vault: op.Vault, Tokens: op.Token.Minter(), Clients: cfg.Clients, Scopes: cfg.Scopes, Sessions: op.Sessions,
			Sufficient: func(level string) bool { return acr.IDPorten.AtLeast(level, acr.Substantial) },
		})
		if err != nil {
			return nil, err
		}
		mux := http.NewServeMux()
		mux.Handle("/api/{path...}", http.StripPrefix("/api", api.Handler()))
		return op.Handler(mux), nil
	}
	_ = serve
}

// A page of the host ends the newest authorization of the user who is logged in.
func ExampleAPI_Revoke() {
	endNewest := func(w http.ResponseWriter, r *http.Request, api *authorizations.API) error {
		ctx, now := r.Context(), time.Now()
		subject, reason, err := api.PageUser(ctx, r.Header, w.Header(), now)
		if err != nil {
			return err
		}
		if subject == "" {
			return fmt.Errorf("the user must log in: %s", reason)
		}
		page, err := api.OfUser(ctx, subject, authorizations.Filter{WithoutConsent: true, Locale: "nb"}, now)
		if err != nil || len(page.Authorizations) == 0 {
			return err
		}
		return api.Revoke(ctx, subject, page.Authorizations[0].ID, now)
	}
	_ = endNewest
	fmt.Println(authorizations.Scope)
	// Output: idporten:authorizations
}

// A router that is not net/http: authenticate the caller, then call the core.
func ExampleAPI_List() {
	list := func(ctx context.Context, api *authorizations.API, r token.APIRequest) (authorizations.Page, error) {
		caller, err := api.AuthenticateUser(ctx, r, authorizations.Scope)
		if err != nil {
			return authorizations.Page{}, err // portner.ErrorReply(err) is the response
		}
		return api.List(ctx, caller, authorizations.ListRequest{})
	}
	_ = list
}

package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/portner-go/portner/internal/standin/changes"
)

// routeCustomers adds the paths of the customers of a supplier's client: onbehalfof of the registration.
func (h *handler) routeCustomers(api router, l List) {
	const path = "/clients/{key}/onbehalfof"
	api("GET "+path, func(r *http.Request) (int, any, error) {
		e, err := h.entry(l, r.PathValue("key"))
		return http.StatusOK, append([]changes.Entry{}, customers(e)...), err
	})
	api("GET "+path+"/{value}", func(r *http.Request) (int, any, error) {
		e, err := h.entry(l, r.PathValue("key"))
		if err != nil {
			return 0, nil, err
		}
		i := indexOf(customers(e), r.PathValue("value"))
		if i < 0 {
			return 0, nil, errNotFound
		}
		return http.StatusOK, customers(e)[i], nil
	})
	api("POST "+path, func(r *http.Request) (int, any, error) {
		one, err := readEntry(r)
		if err != nil {
			return 0, nil, err
		}
		return http.StatusCreated, one, h.changeCustomers(r.Context(), l, r.PathValue("key"), func(all []changes.Entry) ([]changes.Entry, error) {
			if value := one.Text("onbehalfof"); indexOf(all, value) >= 0 {
				return nil, &refusal{http.StatusConflict, "onbehalfof", fmt.Sprintf("%q exists", value)}
			}
			return append(all, one), nil
		})
	})
	api("PUT "+path+"/{value}", func(r *http.Request) (int, any, error) {
		one, err := readEntry(r)
		if err != nil {
			return 0, nil, err
		}
		if one["onbehalfof"] == nil {
			one["onbehalfof"] = encode(r.PathValue("value"))
		}
		return http.StatusOK, one, h.changeCustomers(r.Context(), l, r.PathValue("key"), func(all []changes.Entry) ([]changes.Entry, error) {
			i := indexOf(all, r.PathValue("value"))
			if i < 0 {
				return nil, errNotFound
			}
			all[i] = one
			return all, nil
		})
	})
	api("DELETE "+path+"/{value}", func(r *http.Request) (int, any, error) {
		return http.StatusNoContent, nil, h.changeCustomers(r.Context(), l, r.PathValue("key"), func(all []changes.Entry) ([]changes.Entry, error) {
			i := indexOf(all, r.PathValue("value"))
			if i < 0 {
				return nil, errNotFound
			}
			return slices.Delete(all, i, i+1), nil
		})
	})
}

// changeCustomers replaces the customers of a client by what edit returns for them.
func (h *handler) changeCustomers(ctx context.Context, l List, key string, edit func([]changes.Entry) ([]changes.Entry, error)) error {
	_, err := h.update(ctx, l, key, func(old changes.Entry) (changes.Entry, error) {
		all, err := edit(customers(old))
		if err != nil {
			return nil, err
		}
		delete(old, "onbehalfof")
		if len(all) > 0 {
			old["onbehalfof"] = encode(all)
		}
		return old, nil
	})
	return h.explained(l, err)
}

// customers returns the customers of a client.
func customers(e changes.Entry) (all []changes.Entry) {
	if json.Unmarshal(e["onbehalfof"], &all) != nil {
		return nil
	}
	return all
}

func indexOf(all []changes.Entry, value string) int {
	return slices.IndexFunc(all, func(one changes.Entry) bool { return one.Text("onbehalfof") == value })
}

package grant

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
	"github.com/portner-go/portner/token"
)

// vouchers maps vouchers to users. If raced is set, Voucher also finds redeemed vouchers, as if another request redeemed them afterwards.
type vouchers struct {
	users    map[storage.Hash]string
	redeemed map[storage.Hash]bool
	store    *memory.Store
	raced    bool
	fault    error
}

func (v *vouchers) Voucher(_ context.Context, hash storage.Hash, _ time.Time) (string, error) {
	if user, ok := v.users[hash]; ok && (v.raced || !v.redeemed[hash]) {
		return user, v.fault
	}
	return "", errors.Join(storage.ErrNotFound, v.fault)
}

func (v *vouchers) Redeem(ctx context.Context, hash storage.Hash, i *storage.Issuance, now time.Time) error {
	if v.redeemed[hash] {
		return storage.ErrConsumed
	}
	v.redeemed[hash] = true
	return v.store.InsertGrant(ctx, i, now)
}

func TestVoucher(t *testing.T) {
	t.Parallel()
	v := &vouchers{users: map[storage.Hash]string{storage.HashOf("v1"): "kari"}, redeemed: map[storage.Hash]bool{}}
	shop := optest.Clients(t)[0]
	shop.ClientID, shop.FrontchannelLogoutURI, shop.IntegrationType = "shop", "", "" // the integration types of ID-porten have no such grant type
	shop.GrantTypes, shop.Scopes = append(shop.GrantTypes, Handler(v).Type), []string{"test:api"}
	op := optest.New(t, optest.Options{Clients: []client.Client{shop}, Change: func(c *provider.Config) {
		c.GrantHandlers = []token.GrantHandler{Handler(v)}
	}})
	v.store = op.Store
	redeem := func(clientID, voucher string) optest.Answer {
		return op.Call(t, "/token", clientID, url.Values{"grant_type": {"urn:example:grant-type:voucher"}, "voucher": {voucher}})
	}
	require.Equal(t, "unauthorized_client", redeem("tjeneste", "v1").String("error"))
	require.Equal(t, "invalid_grant", redeem("shop", "other").String("error"))
	a := redeem("shop", "v1")
	require.Equal(t, http.StatusOK, a.Status, "%v", a.JSON)
	require.Equal(t, "test:api", a.String("scope"))
	require.Equal(t, true, op.Introspect(t, "owner", a.String("access_token")).JSON["active"])

	for _, v.raced = range []bool{false, true} {
		a = redeem("shop", "v1")
		require.Equal(t, http.StatusBadRequest, a.Status)
		require.Equal(t, "invalid_grant", a.String("error"))
		require.Equal(t, "The voucher is unknown or was used.", a.String("error_description"))
	}
	v.fault = storage.ErrFull
	require.Equal(t, http.StatusServiceUnavailable, redeem("shop", "v1").Status)
}

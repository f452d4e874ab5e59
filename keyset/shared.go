package keyset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/storage"
)

// Shared keeps the keys of a provider in a store that its nodes share, and rotates them. Each node opens the set, and calls Set.Run.
// Nodes that start at the same time on an empty store make one key. Their clocks may differ by five minutes, and their fields Set, Alg,
// Every, PublishLead and Keep are equal.
//
// A set signs as long as what it loaded decides which key signs: for PublishLead after it loaded the keys, and as long as its newest key
// is not planned to retire. If the store is down for longer, Set.Sign returns an error that wraps portner.ErrUnavailable, because other
// nodes may sign with a newer key.
//
// To take a stolen key out of use, call Store.DeleteSigningKey: the nodes drop the key at their next rotation, within an hour, or when
// they are restarted. The key that was published beside it signs. If there is no other key, the first node to rotate makes one, which
// signs at once.
type Shared struct {
	// Store has the keys. Required.
	Store Store
	// Set is the name of the set, such as the issuer. Required.
	Set string
	// Secrets seal the private keys. Required. They may be those of provider.Config.Secrets. The first one seals, and every one opens.
	// To rotate, put a new secret in front on every node within PublishLead: until then a node without it cannot load a key that was
	// sealed with it, and keeps the keys that it has. An old secret is needed until the keys that it sealed are deleted: for
	// PublishLead, Every, Keep and a day.
	Secrets []portner.Secret
	// Alg is the algorithm of the keys. Required. A set has keys of one algorithm.
	Alg string
	// Every is how long a key signs. The default is DefaultEvery; it must not be less than PublishLead.
	Every time.Duration
	// PublishLead is how long a key is published before it signs. The default is DefaultPublishLead. The minimum is 125
	// minutes: an hour until every node has loaded the key, and MinPublishLead.
	PublishLead time.Duration
	// Keep is how long a key is published after its last signature; see Rotation.Keep. The default is DefaultKeep.
	Keep time.Duration
	// Now is the clock of Open and Run. If nil, it is time.Now.
	Now func() time.Time
	// Logger receives the errors of Run. If nil, Run discards them.
	Logger *slog.Logger
}

// Open returns the set of the keys in the store. If there are no keys, it creates the first one, which signs at once. It reports every
// problem of the configuration and of the keys at once, and returns an error if the store does.
func (h Shared) Open(ctx context.Context) (*Set, error) {
	plan := schedule{alg: h.Alg, every: h.Every, lead: h.PublishLead, keep: h.Keep}.withDefaults()
	var c fields.Checker
	c.RequireValue(h.Store, "Store")
	c.Require(h.Set != "", "Set")
	c.Require(len(h.Secrets) > 0, "Secrets")
	for i, s := range h.Secrets {
		c.Secret(fmt.Sprintf("Secrets[%d]", i), s)
	}
	c.Join("", plan.check())
	keys := &sharedKeys{Shared: h}
	if c.Err() == nil {
		derived, err := seal.NewKeys(h.Set, h.Secrets...)
		if err != nil { // of a field that was checked before
			return nil, fmt.Errorf("keyset: %w", err)
		}
		keys.box = derived.Box("signing key")
	}
	return open(ctx, &source{schedule: plan, keys: keys, clock: h.Now, logger: h.Logger, strict: true}, &c)
}

// sharedKeys is the keyStore of a Shared.
type sharedKeys struct {
	Shared
	box *seal.Box
}

func storeError(err error) error { return &portner.FieldError{Field: "Store", Err: err} }

func (h *sharedKeys) empty() error {
	return storeError(fmt.Errorf("has no keys of set %q", h.Set))
}

// load reads every key. It reports every problem at once, with the number of the key in the field.
func (h *sharedKeys) load(ctx context.Context) ([]storedKey, error) {
	records, err := h.Store.SigningKeys(ctx, h.Set)
	if err != nil {
		return nil, storeError(err)
	}
	var c fields.Checker
	var all, live []storedKey
	for _, r := range records {
		field := fmt.Sprintf("Store/%d", r.Number)
		k := storedKey{number: r.Number, created: r.CreatedAt, activeFrom: r.ActiveFrom}
		if len(r.Key) > 0 { // otherwise it was deleted
			if k.key, err = h.open(r); err != nil {
				c.Add(field, err)
				continue
			}
			live = append(live, k)
			c.Add(field, checkOrder(live))
		}
		all = append(all, k)
	}
	return all, c.Err()
}

// open opens and validates the key of a record. It drops the errors of parsers, which may quote the key.
func (h *sharedKeys) open(r storage.SigningKey) (Key, error) {
	if err := checkAlg(r.Alg, h.Alg); err != nil {
		return Key{}, err
	}
	text, err := h.box.Open(r.Key, sealedWith(r))
	if err != nil {
		return Key{}, errors.New("cannot be opened: it was sealed with none of Secrets, or for another record or Set")
	}
	key, rest, err := parsePEM(text, r.Alg)
	if err != nil || len(rest) > 0 || key.KID != r.KID {
		return Key{}, errors.New("is not the private key of its KID")
	}
	return key, nil
}

// insert seals and stores a key.
func (h *sharedKeys) insert(ctx context.Context, k storedKey) error {
	text, err := MarshalPEM(k.key)
	if err != nil {
		return err
	}
	r := storage.SigningKey{
		Set: h.Set, Number: k.number, KID: k.key.KID, Alg: k.key.Alg,
		CreatedAt: k.created.UTC(), ActiveFrom: k.activeFrom.UTC(),
	}
	r.Key = h.box.Seal(text, sealedWith(r))
	clear(text)
	switch err := h.Store.InsertSigningKey(ctx, r); {
	case errors.Is(err, storage.ErrConflict):
		return storage.ErrConflict
	case err != nil:
		return storeError(err)
	}
	return nil
}

func (h *sharedKeys) remove(ctx context.Context, expired []storedKey, _ time.Time) error {
	var errs []error
	for _, k := range expired {
		if err := h.Store.DeleteSigningKey(ctx, h.Set, k.key.KID); err != nil {
			errs = append(errs, storeError(err))
		}
	}
	return errors.Join(errs...)
}

// sealedWith returns the associated data of the key of a record: every other field. Whoever can write to the store cannot move a key to
// another number or another time.
func sealedWith(r storage.SigningKey) string {
	var b bytes.Buffer
	for _, text := range []string{r.Set, r.KID, r.Alg} {
		b.WriteString(strconv.Quote(text))
	}
	for _, at := range []time.Time{r.CreatedAt, r.ActiveFrom} {
		b.WriteByte(' ')
		if !at.IsZero() {
			b.WriteString(strconv.FormatInt(at.UnixNano(), 10))
		}
	}
	b.WriteByte(' ')
	b.WriteString(strconv.FormatInt(r.Number, 10))
	return b.String()
}

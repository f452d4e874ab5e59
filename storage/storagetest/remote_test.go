package storagetest_test

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
	"github.com/portner-go/portner/storage/storagetest"
)

// call is a request of a remote store, and reply its response.
type call struct {
	Method string
	Args   []any
}

type reply struct {
	Results []any
	Verdict string
}

func init() {
	for _, v := range []any{
		storage.Hash{},
		storage.Session{},
		[]storage.Session(nil),
		storage.Outcome{},
		storage.AuthorizationCode{},
		storage.Issuance{},
		storage.RefreshToken{},
		storage.Grant{},
		[]storage.Grant(nil),
		storage.AccessToken{},
		storage.Revocation{},
		storage.GrantQuery{},
		storage.ConsentKey{},
		[]storage.Consent(nil),
		storage.PushedRequest{},
		time.Time{},
		time.Duration(0),
	} {
		gob.Register(v)
	}
}

var errorsByText = map[string]error{}

func init() {
	for _, err := range []error{storage.ErrNotFound, storage.ErrConsumed, storage.ErrRevoked, storage.ErrConflict} {
		errorsByText[err.Error()] = err
	}
}

// serve serves a store to the connections of remote stores.
func serve(t *testing.T, s any) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go answerCalls(c, reflect.ValueOf(s))
		}
	}()
	return l.Addr().String()
}

func answerCalls(c net.Conn, s reflect.Value) {
	defer c.Close()
	in, out := gob.NewDecoder(c), gob.NewEncoder(c)
	for {
		var q call
		if in.Decode(&q) != nil {
			return
		}
		method := s.MethodByName(q.Method)
		args := []reflect.Value{reflect.ValueOf(context.Background())}
		for i, a := range q.Args {
			v, want := reflect.ValueOf(a), method.Type().In(i+1)
			switch {
			case !v.IsValid():
				v = reflect.Zero(want)
			case want.Kind() == reflect.Pointer && v.Kind() != reflect.Pointer:
				p := reflect.New(want.Elem())
				p.Elem().Set(v)
				v = p
			}
			args = append(args, v)
		}
		results := method.Call(args)
		var r reply
		for _, v := range results[:len(results)-1] {
			r.Results = append(r.Results, v.Interface())
		}
		if err, _ := results[len(results)-1].Interface().(error); err != nil {
			r.Verdict = err.Error()
		}
		if out.Encode(r) != nil {
			return
		}
	}
}

// remote is a store in another process. It has a pool of connections, one for each call.
type remote struct {
	addr    string
	retries int // of a call whose connection broke
	pool    *sync.Pool
}

func connect(addr string, retries int) remote { return remote{addr, retries, &sync.Pool{}} }

type connection struct {
	net.Conn
	in  *gob.Decoder
	out *gob.Encoder
}

func (s remote) call(ctx context.Context, method string, args ...any) (results []any, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for range s.retries + 1 {
		if results, err = s.once(method, args); !errors.Is(err, portner.ErrUnavailable) {
			break
		}
	}
	return results, err
}

func (s remote) once(method string, args []any) ([]any, error) {
	c, ok := s.pool.Get().(*connection)
	if !ok {
		conn, err := net.Dial("tcp", s.addr)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", portner.ErrUnavailable, err)
		}
		c = &connection{conn, gob.NewDecoder(conn), gob.NewEncoder(conn)}
	}
	var r reply
	err := c.out.Encode(call{method, args})
	if err == nil {
		err = c.in.Decode(&r)
	}
	if err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("%w: %w", portner.ErrUnavailable, err)
	}
	s.pool.Put(c)
	if r.Verdict == "" {
		return r.Results, nil
	}
	if verdict, ok := errorsByText[r.Verdict]; ok {
		return r.Results, verdict
	}
	return r.Results, errors.New(r.Verdict)
}

// at returns a result, or the zero value.
func at[T any](results []any, i int) (v T) {
	if i < len(results) {
		v, _ = results[i].(T)
	}
	return v
}

func (s remote) Session(ctx context.Context, h storage.Hash, now time.Time) (storage.Session, error) {
	r, err := s.call(ctx, "Session", h, now)
	return at[storage.Session](r, 0), err
}

func (s remote) ReplaceSession(ctx context.Context, old storage.Hash, next storage.Session, limit int, now time.Time) ([]storage.Session, error) {
	r, err := s.call(ctx, "ReplaceSession", old, next, limit, now)
	return at[[]storage.Session](r, 0), err
}

func (s remote) EndSession(ctx context.Context, h storage.Hash, now time.Time) (storage.Session, error) {
	r, err := s.call(ctx, "EndSession", h, now)
	return at[storage.Session](r, 0), err
}

func (s remote) Consents(ctx context.Context, key storage.ConsentKey, now time.Time) ([]storage.Consent, error) {
	r, err := s.call(ctx, "Consents", key, now)
	return at[[]storage.Consent](r, 0), err
}

func (s remote) FinishRequest(ctx context.Context, o storage.Outcome, now time.Time) error {
	_, err := s.call(ctx, "FinishRequest", o, now)
	return err
}

func (s remote) Code(ctx context.Context, h storage.Hash, now time.Time) (storage.AuthorizationCode, error) {
	r, err := s.call(ctx, "Code", h, now)
	return at[storage.AuthorizationCode](r, 0), err
}

func (s remote) RedeemCode(ctx context.Context, h storage.Hash, i *storage.Issuance, now time.Time) error {
	method, args := "RedeemCode", []any{h, storage.Issuance{}, now}
	if i != nil {
		args[1] = *i
	} else {
		method = "ConsumeCode"
	}
	_, err := s.call(ctx, method, args...)
	return err
}

func (s remote) RefreshToken(ctx context.Context, h storage.Hash, now time.Time) (storage.RefreshToken, storage.Grant, error) {
	r, err := s.call(ctx, "RefreshToken", h, now)
	return at[storage.RefreshToken](r, 0), at[storage.Grant](r, 1), err
}

func (s remote) RotateRefreshToken(ctx context.Context, h storage.Hash, i *storage.Issuance, grace time.Duration, now time.Time) error {
	_, err := s.call(ctx, "RotateRefreshToken", h, *i, grace, now)
	return err
}

func (s remote) AccessToken(ctx context.Context, h storage.Hash, now time.Time) (storage.AccessToken, storage.Grant, error) {
	r, err := s.call(ctx, "AccessToken", h, now)
	return at[storage.AccessToken](r, 0), at[storage.Grant](r, 1), err
}

func (s remote) Revoke(ctx context.Context, rev storage.Revocation, now time.Time) error {
	_, err := s.call(ctx, "Revoke", rev, now)
	return err
}

func (s remote) Grants(ctx context.Context, q storage.GrantQuery, now time.Time) ([]storage.Grant, error) {
	r, err := s.call(ctx, "Grants", q, now)
	return at[[]storage.Grant](r, 0), err
}

func (s remote) PushRequest(ctx context.Context, p storage.PushedRequest, now time.Time) error {
	_, err := s.call(ctx, "PushRequest", p, now)
	return err
}

func (s remote) PushedRequest(ctx context.Context, h storage.Hash, now time.Time) (storage.PushedRequest, error) {
	r, err := s.call(ctx, "PushedRequest", h, now)
	return at[storage.PushedRequest](r, 0), err
}

func (s remote) ConsumePushedRequest(ctx context.Context, h storage.Hash, now time.Time) error {
	_, err := s.call(ctx, "ConsumePushedRequest", h, now)
	return err
}

func (s remote) ConsumeJTI(ctx context.Context, clientID string, key storage.Hash, end, now time.Time) error {
	_, err := s.call(ctx, "ConsumeJTI", clientID, key, end, now)
	return err
}

// served is a store in memory behind a remote one, which cannot send a nil issuance.
type served struct{ *memory.Store }

func (s served) ConsumeCode(ctx context.Context, h storage.Hash, _ storage.Issuance, now time.Time) error {
	return s.RedeemCode(ctx, h, nil, now)
}

// defectVariable makes TestProcesses and TestLostResponses use a store with a defect.
const defectVariable = "PORTNER_TEST_DEFECT"

// nodeAt returns a store of the server, which has the defect that the environment names.
func nodeAt(addr string) storagetest.Node {
	s := connect(addr, 0)
	n := storagetest.Node{Store: s, PushedRequests: s, Replay: s}
	switch os.Getenv(defectVariable) {
	case "the lock of a redemption is that of a process":
		n.Store = ownRedemptions{s, &sync.Mutex{}}
	case "the jtis of a process":
		n.Replay = memory.New()
	case "fails where others wait":
		n.Store = gaveUp{s}
	case "calls again after a lost response":
		n.Store = connect(addr, 1)
	case "an outage is no error":
		n.Store = optimist{s}
	case "an outage is not reported as one":
		n.Store = unnamed{s}
	case "ends sessions in several calls":
		n.Store = piecemeal{s}
	}
	return n
}

// A store of a server passes.
func TestProcesses(t *testing.T) {
	storagetest.RunProcesses(t, func(t *testing.T) string { return serve(t, served{memory.New()}) },
		func(_ *testing.T, backend string) storagetest.Node { return nodeAt(backend) })
}

func TestLostResponses(t *testing.T) {
	storagetest.RunLostResponses(t, func(t *testing.T) (string, string) { return "", serve(t, served{memory.New()}) },
		func(_ *testing.T, _, addr string) storagetest.Node { return nodeAt(addr) })
}

// Stores that are wrong only with several processes, or only if connections break, are rejected.
func TestSuiteRejectsWrongServers(t *testing.T) {
	slow.WithoutRaceDetector(t)
	if testing.Short() {
		t.Skip("races need their rounds")
	}
	for defect, tt := range map[string]struct{ test, says string }{
		"the lock of a redemption is that of a process": {"TestProcesses", "used one code, want exactly 1"},
		"the jtis of a process":                         {"TestProcesses", "used one jti, want exactly 1"},
		"fails where others wait":                       {"TestProcesses", "serialization failure"},
		"calls again after a lost response":             {"TestLostResponses", "it returned the verdict"},
		"an outage is no error":                         {"TestLostResponses", "it returned nil"},
		"an outage is not reported as one":              {"TestLostResponses", "wraps portner.ErrUnavailable"},
		"ends sessions in several calls":                {"TestLostResponses", "changes were made"},
	} {
		t.Run(defect, func(t *testing.T) {
			t.Parallel()
			exe, err := os.Executable()
			require.NoError(t, err)
			var out []byte
			for range 10 { // where a connection breaks, and which caller is first, is chance
				cmd := exec.CommandContext(t.Context(), exe, "-test.run=^"+tt.test+"$", "-test.v")
				cmd.Env = append(os.Environ(), defectVariable+"="+defect)
				if out, err = cmd.CombinedOutput(); err != nil {
					break
				}
			}
			require.Error(t, err, "the suite passes: %s", out)
			require.Contains(t, string(out), tt.says)
			require.Contains(t, string(out), "rule: ")
		})
	}
}

// ownRedemptions reads a code and then redeems it, under a lock of its process.
type ownRedemptions struct {
	remote
	lock *sync.Mutex
}

func (s ownRedemptions) RedeemCode(ctx context.Context, h storage.Hash, i *storage.Issuance, now time.Time) error {
	s.lock.Lock()
	defer s.lock.Unlock()
	if _, err := s.Code(ctx, h, now); err != nil {
		return err
	}
	if err := s.remote.RedeemCode(ctx, h, i, now); !errors.Is(err, storage.ErrConsumed) {
		return err
	}
	return nil
}

// gaveUp fails if another caller has rotated the token meanwhile, as a database does whose transactions are serializable.
type gaveUp struct{ remote }

func (s gaveUp) RotateRefreshToken(ctx context.Context, h storage.Hash, i *storage.Issuance, grace time.Duration, now time.Time) error {
	err := s.remote.RotateRefreshToken(ctx, h, i, grace, now)
	if errors.Is(err, storage.ErrConsumed) {
		return fmt.Errorf("%w: serialization failure", portner.ErrUnavailable)
	}
	return err
}

// optimist takes a lost response for a success.
type optimist struct{ remote }

func (s optimist) Revoke(ctx context.Context, r storage.Revocation, now time.Time) error {
	if err := s.remote.Revoke(ctx, r, now); !errors.Is(err, portner.ErrUnavailable) {
		return err
	}
	return nil
}

// unnamed returns the errors of its connections as they are.
type unnamed struct{ remote }

func (s unnamed) RedeemCode(ctx context.Context, h storage.Hash, i *storage.Issuance, now time.Time) error {
	err := s.remote.RedeemCode(ctx, h, i, now)
	if errors.Is(err, portner.ErrUnavailable) {
		return errors.New(err.Error())
	}
	return err
}

// piecemeal revokes the grants of a session before it ends the session.
type piecemeal struct{ remote }

func (s piecemeal) EndSession(ctx context.Context, h storage.Hash, now time.Time) (storage.Session, error) {
	in, err := s.Session(ctx, h, now)
	if err != nil {
		return in, err
	}
	all, err := s.Grants(ctx, storage.GrantQuery{UserKey: in.UserKey, Limit: 100}, now)
	for _, g := range all {
		if g.LoginOnly && g.SessionID == in.ID && err == nil {
			err = s.Revoke(ctx, storage.Revocation{GrantID: g.ID}, now)
		}
	}
	if err != nil {
		return in, err
	}
	return s.remote.EndSession(ctx, h, now)
}

package redis_test

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/redis"
)

// The benchmarks compare a method with the bare commands that write the same keys and bytes, in one pipeline of the same client: without
// a check, and so without a verdict.

// benchStore returns a store on a server that stores nothing on disk, and its client.
func benchStore(b *testing.B) (*redis.Store, *goredis.Client) {
	b.Helper()
	installed(b, shared.err)
	c := connect(b, shared.Addr)
	s, err := redis.New(b.Context(), c, redis.Config{Prefix: prefix(), Logger: quiet})
	require.NoError(b, err)
	return s, c
}

// concurrently calls f for 0 to b.N-1 from 16 callers for each core.
func concurrently(b *testing.B, f func(i int) error) {
	b.Helper()
	var next atomic.Int64
	b.SetParallelism(16)
	b.ResetTimer()
	before := serverCPU(b)
	defer func() { b.ReportMetric((serverCPU(b)-before)*1e6/float64(b.N), "server-µs/op") }()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if err := f(int(next.Add(1)) - 1); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// prepared calls f for 0 to n-1 from 16 callers.
func prepared(b *testing.B, n int, f func(i int) error) {
	b.Helper()
	var next atomic.Int64
	parallel(16, func(int) {
		for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
			if err := f(i); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func benchCode(i int) storage.Outcome {
	o := newCode(fmt.Sprint(i), storage.Session{UserKey: storage.HashOf(fmt.Sprint("user ", i))})
	o.Code.Grant.Identity = make([]byte, 250)
	return o
}

func BenchmarkRedeemCode(b *testing.B) {
	b.Run("script", func(b *testing.B) {
		s, _ := benchStore(b)
		prepared(b, b.N, func(i int) error { return s.FinishRequest(b.Context(), benchCode(i), epoch) })
		concurrently(b, func(i int) error {
			o := benchCode(i)
			return s.RedeemCode(b.Context(), o.Code.Hash, newIssuance(fmt.Sprint(i), o), epoch)
		})
	})
	b.Run("commands", func(b *testing.B) {
		s, c := benchStore(b)
		at := s.Prefix() + ":"
		prepared(b, b.N, func(i int) error { return s.FinishRequest(b.Context(), benchCode(i), epoch) })
		concurrently(b, func(i int) error {
			o := benchCode(i)
			issue := newIssuance(fmt.Sprint(i), o)
			p := c.Pipeline()
			p.HSet(b.Context(), at+"code:"+redis.Name(o.Code.Hash), "used", "12345678901234567890123456")
			p.HSet(b.Context(), at+"grant:"+o.Code.Grant.ID, redis.GrantFields(&issue.Grant)...)
			p.PExpire(b.Context(), at+"grant:"+o.Code.Grant.ID, 2*time.Hour)
			writeTokens(b, p, at, issue)
			p.ZAdd(b.Context(), at+"grants:"+redis.Name(o.Code.Grant.UserKey), goredis.Z{Member: redis.Digits(epoch.UnixNano()) + o.Code.Grant.ID})
			p.PExpire(b.Context(), at+"grants:"+redis.Name(o.Code.Grant.UserKey), 2*time.Hour)
			p.PExpire(b.Context(), at+"authorization:"+redis.Owner(o.Code.Grant.UserKey, "client-a"), 2*time.Hour)
			_, err := p.Exec(b.Context())
			return err
		})
	})
}

// writeTokens writes both tokens of an issuance.
func writeTokens(b *testing.B, p goredis.Pipeliner, at string, i *storage.Issuance) {
	stop := redis.Digits(epoch.UnixNano())
	access, refresh := at+"access:"+redis.Name(i.Access.Hash), at+"refresh:"+redis.Name(i.Refresh.Hash)
	p.HSet(b.Context(), access, "grant", i.Grant.ID, "stop", stop, "call", "12345678901234567890123456", "record", redis.AccessRecord(&i.Access))
	p.PExpire(b.Context(), access, 2*time.Minute)
	p.HSet(b.Context(), refresh, "grant", i.Grant.ID, "stop", stop, "generation", i.Refresh.Generation)
	p.PExpire(b.Context(), refresh, 10*time.Minute)
}

func BenchmarkRotateRefreshToken(b *testing.B) {
	b.Run("script", func(b *testing.B) {
		s, _ := benchStore(b)
		prepared(b, b.N, func(i int) error {
			return s.InsertGrant(b.Context(), newIssuance(fmt.Sprint(i), benchCode(i)), epoch)
		})
		concurrently(b, func(i int) error {
			o := benchCode(i)
			return s.RotateRefreshToken(b.Context(), storage.HashOf(fmt.Sprint("refresh ", i)), newIssuance(fmt.Sprint("next ", i), o), 0, epoch)
		})
	})
	b.Run("commands", func(b *testing.B) {
		s, c := benchStore(b)
		at := s.Prefix() + ":"
		prepared(b, b.N, func(i int) error {
			return s.InsertGrant(b.Context(), newIssuance(fmt.Sprint(i), benchCode(i)), epoch)
		})
		concurrently(b, func(i int) error {
			issue := newIssuance(fmt.Sprint("next ", i), benchCode(i))
			p := c.Pipeline()
			old := at + "refresh:" + redis.Name(storage.HashOf(fmt.Sprint("refresh ", i)))
			p.HSet(b.Context(), old, "used", "1", "consumed", redis.Digits(epoch.UnixNano()), "successor", redis.Name(issue.Refresh.Hash))
			p.PExpire(b.Context(), old, 2*time.Hour)
			writeTokens(b, p, at, issue)
			_, err := p.Exec(b.Context())
			return err
		})
	})
}

func BenchmarkSession(b *testing.B) {
	s, _ := benchStore(b)
	in := newSession("a", "a")
	_, err := s.ReplaceSession(b.Context(), none, in, 0, epoch)
	require.NoError(b, err)
	concurrently(b, func(int) error { _, err := s.Session(b.Context(), in.Hash, epoch); return err })
}

func BenchmarkAccessToken(b *testing.B) {
	s, _ := benchStore(b)
	i := newIssuance("a", benchCode(0))
	require.NoError(b, s.InsertGrant(b.Context(), i, epoch))
	concurrently(b, func(int) error { _, _, err := s.AccessToken(b.Context(), i.Access.Hash, epoch); return err })
}

// serverCPU returns the CPU seconds of the server.
func serverCPU(b *testing.B) (sum float64) {
	info, err := connect(b, shared.Addr).Info(b.Context(), "cpu").Result()
	require.NoError(b, err)
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name == "used_cpu_sys" || name == "used_cpu_user" {
			seconds, err := strconv.ParseFloat(value, 64)
			require.NoError(b, err)
			sum += seconds
		}
	}
	return sum
}

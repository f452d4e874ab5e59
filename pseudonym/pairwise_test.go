package pseudonym_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/pseudonym"
)

const pid = "01818012345" // synthetic: month + 80

func key() []byte {
	k := make([]byte, 32)
	for i := range k {
		k[i] = byte(i)
	}
	return k
}

func pairwise(t testing.TB) *pseudonym.Pairwise {
	t.Helper()
	p, err := pseudonym.NewPairwise(key())
	require.NoError(t, err)
	return p
}

func subject(t testing.TB, p *pseudonym.Pairwise, sector string, id pseudonym.Identifier) string {
	t.Helper()
	sub, err := p.Subject(pseudonym.Open, sector, id)
	require.NoError(t, err)
	return sub
}

// Computed with another implementation. If one of these changes, every client sees new users.
func TestSubjectKnownAnswers(t *testing.T) {
	t.Parallel()
	const open, hidden = pseudonym.Open, pseudonym.Pseudonymous
	for _, tt := range []struct {
		key                        []byte
		protection                 pseudonym.Protection
		sector, idType, identifier string
		want                       string
	}{
		{key(), open, "client:a", "pid", pid, "cWoHo2M9QZVibadN_BWSAVC2xGYmQzfnZqNMb1Uu5AM"},
		{key(), hidden, "client:a", "pid", pid, "z6YKBfdCnDG5MlXqVhsOXaSzesoQ2URQk9LNG4geriM"},
		{key(), open, "client:b", "pid", pid, "7uHRZSnrOINTVs1JMqBj4ByQDfEGp_iN84n_cbLi-i8"},
		{key(), open, "client:a", "subject", "user-1", "rCJiQb-qvAxY8hgxucLRPu-KEsMfwZKohTvHBS6mIdI"},
		{key(), open, "client:a", "eidas", "SE/NO/1234", "EH-PVN3gPlR6Nj4ROCNyukau9Pv8GeJcoulNhhvPuLQ"},
		{bytes.Repeat([]byte{0xff}, 64), open, "client:a", "pid", pid, "eZngIlqTo8PY03XX12yskI1eOe_nSQPMrLJdSMvDM5o"},
		{key(), hidden, "tjeneste-å", "email", "ola@example.no", "FSGh0lUtgUmspK8eBUq_5sHENR1M4yQA5MPP_n9vhlA"},
	} {
		p, err := pseudonym.NewPairwise(tt.key)
		require.NoError(t, err)
		for range 3 { // a pooled state gives the same result
			got, err := p.Subject(tt.protection, tt.sector, identifier(t, tt.idType, tt.identifier))
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		}
	}
}

// The subject of a grant that is not open differs from every open subject, in every sector and for every identifier, and is one
// for all of them, also for a protection that is not known.
func TestPseudonymsAreNoOpenSubjects(t *testing.T) {
	t.Parallel()
	p := pairwise(t)
	open := map[string]bool{}
	sectors := []string{"client:a", "client:b", "host:a", "open", "pseudonymous", "pseudonymous\x00", "a"}
	ids := []pseudonym.Identifier{identifier(t, "pid", pid), identifier(t, "subject", "kari"), identifier(t, "pseudonymous", pid), identifier(t, "open", pid)}
	for _, sector := range sectors {
		for _, id := range ids {
			open[subject(t, p, sector, id)] = true
		}
	}
	require.Len(t, open, len(sectors)*len(ids))
	for _, sector := range sectors {
		for _, id := range ids {
			want, err := p.Subject(pseudonym.Pseudonymous, sector, id)
			require.NoError(t, err)
			require.False(t, open[want])
			for _, protection := range []pseudonym.Protection{pseudonym.ByReference, -1, 3} {
				got, err := p.Subject(protection, sector, id)
				require.NoError(t, err)
				require.Equal(t, want, got)
			}
		}
	}
}

func TestSubjectFieldsAreUnambiguous(t *testing.T) {
	t.Parallel()
	p := pairwise(t)
	seen := map[string][3]string{}
	parts := []string{"", "a", "b", "ab", "ba", "aab", "a\x00b", "\x00", "a\x00\x00\x00\x00\x00\x00\x00\x01b", "pid", pid}
	for _, sector := range parts {
		for _, idType := range parts {
			for _, id := range parts {
				identifier, invalid := pseudonym.NewIdentifier(idType, id)
				sub, err := p.Subject(pseudonym.Open, sector, identifier)
				if sector == "" || invalid != nil {
					require.Error(t, err)
					require.Empty(t, sub)
					continue
				}
				require.NoError(t, err)
				require.Regexp(t, subjectForm, sub)
				other, ok := seen[sub]
				require.False(t, ok, "%q and %q", other, [3]string{sector, idType, id})
				seen[sub] = [3]string{sector, idType, id}
			}
		}
	}
}

func TestSubjectIsPairwiseAndStable(t *testing.T) {
	t.Parallel()
	k := key()
	p, err := pseudonym.NewPairwise(k)
	require.NoError(t, err)
	k[0]++ // NewPairwise copied the key
	id := identifier(t, "pid", pid)
	want := subject(t, p, "a", id)
	require.Equal(t, want, subject(t, pairwise(t), "a", id), "another instance with the same key")
	require.NotEqual(t, want, subject(t, p, "b", id))
	require.NotContains(t, want, pid)
	require.True(t, pseudonym.IsSubject(want))
	for _, other := range []string{"", want[1:], want + "A", want[:42] + "=", want[:42] + "B", "kari"} {
		require.False(t, pseudonym.IsSubject(other), other)
	}

	changed, err := pseudonym.NewPairwise(k)
	require.NoError(t, err)
	require.NotEqual(t, want, subject(t, changed, "a", id))
}

func TestSubjectConcurrently(t *testing.T) {
	t.Parallel()
	p := pairwise(t)
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			id, err := pseudonym.NewIdentifier("pid", strings.Repeat(fmt.Sprint(n), n+1))
			want, err2 := pairwise(t).Subject(pseudonym.Open, "c", id)
			if err != nil || err2 != nil {
				t.Errorf("%v, %v", err, err2)
				return
			}
			for range 500 {
				if got, _ := p.Subject(pseudonym.Open, "c", id); got != want {
					t.Errorf("%s, want %s", got, want)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestNewPairwiseKeyLength(t *testing.T) {
	t.Parallel()
	for n, ok := range map[int]bool{0: false, 31: false, 32: true, 100: true} {
		p, err := pseudonym.NewPairwise(make([]byte, n))
		require.Equal(t, ok, err == nil, n)
		require.Equal(t, ok, p != nil, n)
	}
}

func TestPairwiseRedactsItself(t *testing.T) {
	t.Parallel()
	p := pairwise(t)
	subject(t, p, "c", identifier(t, "pid", pid))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q"} {
		require.Equal(t, "REDACTED", fmt.Sprintf(verb, p))
	}
	out, err := json.Marshal(map[string]any{"key": p})
	require.NoError(t, err)
	require.Equal(t, `{"key":{}}`, string(out))
}

// subjectForm is the form that package client rejects as a client_id.
var subjectForm = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

func BenchmarkSubject(b *testing.B) {
	p, id := pairwise(b), identifier(b, "pid", pid)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = p.Subject(pseudonym.Open, "0c1e7c1a-1b2d-4f0e-9d53-7a2b6c1d4e5f", id)
	}
}

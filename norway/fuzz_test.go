package norway_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/norway"
)

// Each accepted number is eleven digits that come back unchanged, and the modulus 11 digits find every
// single wrong digit: no neighbour of a valid number is valid.
func FuzzParsePID(f *testing.F) {
	f.Add(pid, uint8(3), uint8(1))
	f.Add(dNumber, uint8(10), uint8(9))
	f.Add("2187949801\xb2", uint8(0), uint8(0))
	f.Fuzz(func(t *testing.T, s string, at, by uint8) {
		p, err := norway.ParsePID(s)
		if err != nil {
			require.ErrorIs(t, err, norway.ErrPID)
			require.True(t, p.IsZero())
			// A fuzzer does not find check digits: start from a valid number instead.
			birth := time.Date(1940, 1, 1+int(at)*100+int(by), 0, 0, 0, 0, time.UTC)
			p, err = norway.SyntheticPID(birth, len(s)%100)
			require.NoError(t, err)
			s = p.Reveal()
		}
		require.Regexp(t, `\A[0-9]{11}\z`, s)
		require.Equal(t, s, p.Reveal())
		require.NotContains(t, fmt.Sprintf("%v %+v %#v %q %x %d", p, p, p, p, p, p), s)

		wrong := []byte(s)
		i := int(at) % len(wrong)
		wrong[i] = '0' + (wrong[i]-'0'+1+by%9)%10
		_, err = norway.ParsePID(string(wrong))
		require.Error(t, err)
	})
}

// What is accepted has two to four parts, survives a second reading, and yields nine digits at most.
func FuzzParseIdentifier(f *testing.F) {
	f.Add("0192:991825827")
	f.Add("0192:986186999:MP//vergemålsnemnda:1")
	f.Add("9908:991825827")
	f.Fuzz(func(t *testing.T, id string) {
		i, err := norway.ParseIdentifier(id)
		if err != nil {
			require.ErrorIs(t, err, norway.ErrIdentifier)
			require.Zero(t, i)
			_, ok := norway.Identifier{Authority: norway.Authority, ID: id}.Orgno()
			require.False(t, ok)
			return
		}
		parts := strings.Split(i.ID, ":")
		require.True(t, len(parts) >= 2 && len(parts) <= 4)
		require.NotContains(t, i.ID, "\n")
		if orgno, ok := i.Orgno(); ok {
			require.Equal(t, "0192", parts[0])
			require.Regexp(t, `\A[0-9]{9}\z`, orgno)
			require.True(t, id == norway.OrgIdentifier(orgno).ID || strings.HasPrefix(id, "0192:"+orgno+":"))
		} else {
			require.NotEqual(t, "0192", parts[0])
		}
	})
}

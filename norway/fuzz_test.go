package norway_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/norway"
)

// Reveal returns the eleven accepted digits, and the check digits detect every single wrong digit.
func FuzzParsePID(f *testing.F) {
	f.Add(pid, uint8(3), uint8(1))
	f.Add(dNumber, uint8(10), uint8(9))
	f.Add("2187949801\xb2", uint8(0), uint8(0))
	for _, s := range []string{"", "0", "00000000000", "99999999999", "218794980120", " 21879498012", "21879498012\n", "２１８７９４９８０１２", "31020000000", "-1879498012"} {
		f.Add(s, uint8(5), uint8(2))
	}
	f.Fuzz(func(t *testing.T, s string, at, by uint8) {
		p, err := norway.ParsePID(s)
		if err != nil {
			require.ErrorIs(t, err, norway.ErrPID)
			require.True(t, p.IsZero())
			// A fuzzer cannot find check digits, so they are computed.
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

// A number has nine digits, belongs to the Norwegian register, and ParseOrgno accepts the same number if its check digit is right.
func FuzzIdentifierNumber(f *testing.F) {
	f.Add("0192:991825827")
	f.Add("0192:986186999:MP//vergemålsnemnda:1")
	f.Add("9908:991825827")
	for _, id := range []string{"", ":", "0192:", "0192", "0192:000000000", "0192:99182582", "0192:9918258270", "0192:991825827:", "0192:991 825 827", "991825827", "0192:99182582７"} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		number, ok := norway.Identifier{Authority: norway.Authority, ID: id}.Number()
		orgno, err := norway.ParseOrgno(id)
		if !ok {
			require.Empty(t, number)
			require.True(t, err != nil || orgno.String() == id)
			return
		}
		require.Regexp(t, `\A[0-9]{9}\z`, number)
		require.True(t, id == norway.OrgIdentifier(number).ID || strings.HasPrefix(id, "0192:"+number+":"))
		require.LessOrEqual(t, strings.Count(id, ":"), 3)
		require.NotContains(t, id, "\n")
		if err == nil {
			require.Equal(t, number, orgno.String())
		}
	})
}

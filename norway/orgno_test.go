package norway_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/norway"
)

func TestParseOrgno(t *testing.T) {
	t.Parallel()
	valid := func(s string) bool {
		o, err := norway.ParseOrgno(s)
		if err != nil {
			require.ErrorIs(t, err, norway.ErrOrgno)
			require.True(t, o.IsZero())
			require.Empty(t, o.String())
			return false
		}
		require.Equal(t, strings.TrimPrefix(s, "0192:"), o.String())
		require.Equal(t, o.String(), fmt.Sprint(o))
		return true
	}
	for _, s := range []string{
		"991825827", "910753614", "987464291", "974761076", "944117784", "936796702", "314240979",
		"313367002", "810969342", "910076787", "889640782", "974760223", "311046349", "983163327", "986186999",
	} {
		require.True(t, valid(s), s)
		require.True(t, valid("0192:"+s), s)
		for d := byte('0'); d <= '9'; d++ {
			other := s[:8] + string(d)
			require.Equal(t, other == s, valid(other), other)
		}
	}
	for _, s := range []string{
		"999888777", "777888999", "999777555", "999555111", // published examples with wrong check digits
		"", "99182582", "9918258270", "991 825 827", "99182582x", "٩91825827", "-91825827", "000000000",
		"9908:991825827", "0192:", "0192:0192:991825827", "0192:991825827:x", ":991825827", " 991825827", "991825827\n",
	} {
		require.False(t, valid(s), s)
	}
}

func TestIdentifierNumber(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, id, number string // "" if the identifier is rejected
	}{
		{"two parts", "0192:991825827", "991825827"},
		{"sub-entity, four parts", "0192:991825827:ER//987464291:1", "991825827"},
		{"sub-entity with a name", "0192:986186999:MP//vergemålsnemnda:1", "986186999"},
		{"three parts", "0192:991825827:x", "991825827"},
		{"wrong check digit", "0192:999888777", "999888777"},
		{"legacy register", "9908:991825827", ""},
		{"foreign register", "0007:5567321707", ""},
		{"one part", "0192", ""},
		{"number without register", "991825827", ""},
		{"five parts", "0192:991825827:a:b:c", ""},
		{"empty", "", ""},
		{"empty number", "0192:", ""},
		{"empty sub-entity", "0192:991825827:", ""},
		{"empty register", ":991825827", ""},
		{"short register", "192:991825827", ""},
		{"register of letters", "iso1:991825827", ""},
		{"eight digits", "0192:99182582", ""},
		{"ten digits", "0192:9918258270", ""},
		{"space", "0192: 991825827", ""},
		{"line break in the sub-entity", "0192:991825827:a\nb", ""},
		{"sub-entity of 35 characters", "0192:991825827:" + strings.Repeat("å", 35), "991825827"},
		{"sub-entity of 36 characters", "0192:991825827:" + strings.Repeat("å", 36), ""},
		{"not UTF-8", "0192:991825827:\xff", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			number, ok := norway.Identifier{Authority: norway.Authority, ID: tt.id}.Number()
			require.Equal(t, tt.number, number)
			require.Equal(t, tt.number != "", ok)
			_, ok = norway.Identifier{Authority: "etsi-en-319-412", ID: tt.id}.Number()
			require.False(t, ok, "another authority")
		})
	}
}

// The claim consumer of an access token that ID-porten publishes as an example.
func TestConsumerClaim(t *testing.T) {
	t.Parallel()
	const claim = `{"authority":"iso6523-actorid-upis","ID":"0192:991825827"}`
	data, err := json.Marshal(norway.OrgIdentifier("991825827"))
	require.NoError(t, err)
	require.Equal(t, claim, string(data))
	var i norway.Identifier
	require.NoError(t, json.Unmarshal([]byte(claim), &i))
	number, ok := i.Number()
	require.True(t, ok)
	require.Equal(t, "991825827", number)
}

package norway_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/norway"
)

func TestValidOrgno(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"991825827", "910753614", "987464291", "974761076", "944117784", "936796702", "314240979",
		"313367002", "810969342", "910076787", "889640782", "974760223", "311046349", "983163327", "986186999",
	} {
		require.True(t, norway.ValidOrgno(s), s)
		for d := byte('0'); d <= '9'; d++ {
			other := s[:8] + string(d)
			require.Equal(t, other == s, norway.ValidOrgno(other), other)
		}
	}
	for _, s := range []string{
		"999888777", "777888999", "999777555", "999555111", // published samples with wrong check digits
		"", "99182582", "9918258270", "991 825 827", "99182582x", "٩91825827", "-91825827", "000000000", "0192:991825827",
	} {
		require.False(t, norway.ValidOrgno(s), s)
	}
}

func TestIdentifier(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, id string
		ok       bool
		orgno    string // "" if no organisation of the Norwegian register
	}{
		{"two parts", "0192:991825827", true, "991825827"},
		{"sub-entity (four parts)", "0192:991825827:ER//987464291:1", true, "991825827"},
		{"sub-entity with a name", "0192:986186999:MP//vergemålsnemnda:1", true, "986186999"},
		{"three parts", "0192:991825827:x", true, "991825827"},
		{"sample with a wrong check digit", "0192:999888777", true, "999888777"},
		{"legacy register (R7)", "9908:991825827", true, ""},
		{"foreign register", "0007:5567321707", true, ""},
		{"one part", "0192", false, ""},
		{"plain number", "991825827", false, ""},
		{"five parts", "0192:991825827:a:b:c", false, ""},
		{"empty", "", false, ""},
		{"empty number", "0192:", false, ""},
		{"empty sub-entity", "0192:991825827:", false, ""},
		{"empty register", ":991825827", false, ""},
		{"short register", "192:991825827", false, ""},
		{"register of letters", "iso1:991825827", false, ""},
		{"eight digits", "0192:99182582", false, ""},
		{"ten digits", "0192:9918258270", false, ""},
		{"space", "0192: 991825827", false, ""},
		{"line break in the sub-entity", "0192:991825827:a\nb", false, ""},
		{"35 characters", "0007:" + strings.Repeat("å", 35), true, ""},
		{"36 characters", "0007:" + strings.Repeat("å", 36), false, ""},
		{"not UTF-8", "0007:\xff", false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			i, err := norway.ParseIdentifier(tt.id)
			if !tt.ok {
				require.ErrorIs(t, err, norway.ErrIdentifier)
				require.Zero(t, i)
				i = norway.Identifier{Authority: norway.Authority, ID: tt.id} // as a claim may hold it
			} else {
				require.NoError(t, err)
				require.Equal(t, tt.id, i.ID)
			}
			orgno, ok := i.Orgno()
			require.Equal(t, tt.orgno != "", ok)
			if ok {
				require.Equal(t, tt.orgno, orgno)
			}
			_, ok = norway.Identifier{Authority: "etsi-en-319-412", ID: tt.id}.Orgno() // R6
			require.False(t, ok)
		})
	}
}

// The consumer claim of ID-porten's sample token.
func TestConsumerClaim(t *testing.T) {
	t.Parallel()
	const claim = `{"authority":"iso6523-actorid-upis","ID":"0192:991825827"}`
	data, err := json.Marshal(norway.OrgIdentifier("991825827"))
	require.NoError(t, err)
	require.Equal(t, claim, string(data))
	var i norway.Identifier
	require.NoError(t, json.Unmarshal([]byte(claim), &i))
	orgno, ok := i.Orgno()
	require.True(t, ok)
	require.Equal(t, "991825827", orgno)
}

package authorize

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"strconv"

	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/scope"
)

// content is a digest of every text of a page that the user approves or chooses from. An answer counts only for the same content.
type content struct{ hash.Hash }

func newContent() content { return content{sha256.New()} }

func (c content) add(texts ...string) { c.Write(appendTexts(nil, texts...)) }

// appendTexts appends texts with their lengths, so that a text cannot continue in the next one.
func appendTexts(b []byte, texts ...string) []byte {
	for _, t := range texts {
		b = append(binary.AppendUvarint(b, uint64(len(t))), t...)
	}
	return b
}

func (c content) count(n int) { c.add(strconv.Itoa(n)) }

func (c content) digest() string { return string(c.Sum(nil)) }

func (c content) client(i ClientInfo) { c.add(i.ID, i.Name, i.Orgno, i.Supplier, i.URI, i.LogoURI) }

// scopes adds the scopes of a consent page. The version is not shown, but it is what the consent is recorded for.
func (c content) scopes(shown []scope.Shown, records []*scope.Scope) {
	c.count(len(shown))
	for i, s := range shown {
		c.add(s.Name, s.Description, s.Long, s.Lasts.String(), records[i].ConsentVersion)
	}
}

func (c content) details(shown []rar.Shown) {
	c.count(len(shown))
	for _, d := range shown {
		c.add(d.ID, d.Type, string(d.JSON), d.Title)
		c.count(len(d.Lines))
		c.add(d.Lines...)
	}
}

func (c content) selection(q *rar.Selection) {
	c.add(strconv.FormatBool(q.Multiple), strconv.FormatBool(q.Required))
	c.count(len(q.Choices))
	for _, choice := range q.Choices {
		c.add(choice.ID, choice.Name, choice.Hint)
	}
}

// offered returns the digest of what the representation page shows: the choices, and the details that they are for.
func offered(represented []rar.Shown, q *rar.Selection) string {
	if q == nil {
		return ""
	}
	c := newContent()
	c.details(represented)
	c.selection(q)
	return c.digest()
}

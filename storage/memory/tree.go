package memory

import "hash/maphash"

// The grants of a user that were redeemed are nodes of a treap: a search tree by age (grantText.compareAge) that is a heap by random
// ranks, and therefore has a depth of about 2 ln n. Older grants are on the left. The stripe of the user guards it.

// rank returns the random rank of a node.
func (s *Store) rank(g *grant) uint64 { return maphash.Comparable(s.seed, g) }

// list inserts g. The caller holds g and its stripe.
func (s *Store) list(g *grant) {
	key, rank, st := g.text(), s.rank(g), &s.users[g.stripe]
	at := &g.auth.user.grants
	for *at != nil && s.rank(*at) >= rank {
		st.visited++
		at = (*at).side(key)
	}
	g.issue.older, g.issue.newer = st.split(*at, key)
	*at, g.listed = g, true
}

// side returns the place of the subtree of g in which a key is.
func (g *grant) side(key grantText) **grant {
	if key.compareAge(g.text()) < 0 {
		return &g.issue.older
	}
	return &g.issue.newer
}

// split divides a tree into the nodes that are older and newer than key.
func (st *userStripe) split(t *grant, key grantText) (older, newer *grant) {
	o, n := &older, &newer
	for t != nil {
		st.visited++
		if t.text().compareAge(key) < 0 {
			*o, o, t = t, &t.issue.newer, t.issue.newer
		} else {
			*n, n, t = t, &t.issue.older, t.issue.older
		}
	}
	*o, *n = nil, nil
	return older, newer
}

// unlist removes g if it is listed. The caller holds its stripe.
func (s *Store) unlist(g *grant) {
	if !g.listed {
		return
	}
	st, at := &s.users[g.stripe], &g.auth.user.grants
	for key := g.text(); *at != g; at = (*at).side(key) {
		st.visited++
	}
	older, newer := g.issue.older, g.issue.newer
	for older != nil && newer != nil {
		st.visited++
		if s.rank(older) > s.rank(newer) {
			*at, at, older = older, &older.issue.newer, older.issue.newer
		} else {
			*at, at, newer = newer, &newer.issue.older, newer.issue.older
		}
	}
	if *at = older; older == nil {
		*at = newer
	}
	g.issue.older, g.issue.newer, g.listed = nil, nil, false
}

// walk calls visit for the nodes of g that are older than before, newest first, until visit returns false. Without before, it calls
// visit for all nodes.
func (st *userStripe) walk(g *grant, before grantText, visit func(*grant) bool) bool {
	if g == nil {
		return true
	}
	st.visited++
	if before == "" || g.text().compareAge(before) < 0 {
		if !st.walk(g.issue.newer, before, visit) || !visit(g) {
			return false
		}
	}
	return st.walk(g.issue.older, before, visit)
}

package memory

import "hash/maphash"

// The grants of a user that were redeemed are nodes of a treap: a search tree by age (grantText.compareAge) that is a heap by random
// ranks, and therefore has a depth of about 2 ln n. Older grants are on the left. The stripe of the user guards it. The nodes have the
// numbers of others, which take half of the memory of pointers; 0 is no node.

// rank returns the random rank of a node.
func (s *Store) rank(node uint32) uint64 { return maphash.Comparable(s.seed, node) }

// list inserts g. The caller holds g and its stripe.
func (s *Store) list(g *grant) {
	node, key, st := g.place.number, g.text(), &s.users[g.stripe]
	at := &g.auth.user.grants
	for rank := s.rank(node); *at != 0 && s.rank(*at) >= rank; {
		st.visited++
		at = s.outcomes.at(*at).side(key)
	}
	g.older, g.newer = s.split(st, *at, key)
	*at, g.listed = node, true
}

// side returns the place of the subtree of g in which a key is.
func (g *grant) side(key grantText) *uint32 {
	if key.compareAge(g.text()) < 0 {
		return &g.older
	}
	return &g.newer
}

// split divides a tree into the nodes that are older and newer than key.
func (s *Store) split(st *userStripe, node uint32, key grantText) (older, newer uint32) {
	o, n := &older, &newer
	for node != 0 {
		st.visited++
		if g := s.outcomes.at(node); g.text().compareAge(key) < 0 {
			*o, o, node = node, &g.newer, g.newer
		} else {
			*n, n, node = node, &g.older, g.older
		}
	}
	*o, *n = 0, 0
	return older, newer
}

// unlist removes g if it is listed. The caller holds its stripe.
func (s *Store) unlist(g *grant) {
	if !g.listed {
		return
	}
	st, at := &s.users[g.stripe], &g.auth.user.grants
	for key := g.text(); *at != g.place.number; at = s.outcomes.at(*at).side(key) {
		st.visited++
	}
	older, newer := g.older, g.newer
	for older != 0 && newer != 0 {
		st.visited++
		if s.rank(older) > s.rank(newer) {
			left := s.outcomes.at(older)
			*at, at, older = older, &left.newer, left.newer
		} else {
			right := s.outcomes.at(newer)
			*at, at, newer = newer, &right.older, right.older
		}
	}
	*at = max(older, newer) // one of them is 0
	g.older, g.newer, g.listed = 0, 0, false
}

// walk calls visit for the nodes of a tree that are older than before, newest first, until visit returns false. Without before, it calls
// visit for all nodes.
func (s *Store) walk(st *userStripe, node uint32, before grantText, visit func(*grant) bool) bool {
	if node == 0 {
		return true
	}
	st.visited++
	g := s.outcomes.at(node)
	if before == "" || g.text().compareAge(before) < 0 {
		if !s.walk(st, g.newer, before, visit) || !visit(g) {
			return false
		}
	}
	return s.walk(st, g.older, before, visit)
}

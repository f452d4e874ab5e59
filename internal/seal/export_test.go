package seal

// Derive exports Keys.derive to tests.
func (k *Keys) Derive(purpose string) [][]byte { return k.derive(purpose) }

// PerPrefix is the number of values that one derived key seals.
const PerPrefix = perPrefix

// Remembers reports whether the box keeps the derived key of a value that it did not seal.
func (b *Box) Remembers(sealed []byte) bool {
	p := prefix(sealed)
	d := b.keys[0].slot(p).Load()
	return d != nil && d.prefix == p
}

// XAES returns a box with one key, and the function that derives the key of AES-256-GCM from the first half of a nonce.
func XAES(key []byte) (*Box, func(prefix []byte) [32]byte) {
	x := newXAES(key)
	return &Box{keys: []*xaes{x}}, func(p []byte) [32]byte { return x.subkey(prefix(p)) }
}

package keyset

// Struct has a field.
type Struct struct {
	Field int // the rule (K5)
}

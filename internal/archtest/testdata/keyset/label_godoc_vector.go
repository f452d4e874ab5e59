package keyset

// Vector is MV1.
const Vector = 1

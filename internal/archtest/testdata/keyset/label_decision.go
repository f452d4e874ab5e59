package keyset

// decision K5
const decision = 1

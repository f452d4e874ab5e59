package keyset

// rules of §12.4
const paragraph = 1

package keyset

// rules of section 12.4
const section = 1

package keyset

// as seed 002 has it
const seed = 1

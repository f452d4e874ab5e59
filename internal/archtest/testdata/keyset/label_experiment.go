package keyset

// the experiment X18
const experiment = 1

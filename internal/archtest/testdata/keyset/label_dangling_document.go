package keyset

// docs/spec/nowhere.md §1
const danglingDocument = 1

package keyset

// docs/spec/idporten.md §12.5
const danglingSection = 1

package keyset

// docs/threat-model.md A12 and B1
const danglingList = 1

package keyset

// Threat follows docs/threat-model.md A12.
const Threat = 1

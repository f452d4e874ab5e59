package session

// Encode and DecodeIdentity are the encoding that a Vault seals.
var (
	Encode         = (*Identity).encode
	DecodeIdentity = decodeIdentity
)

package session

// Encode and DecodeIdentity are the encoding that a Vault seals.
var (
	Encode         = (*Identity).encode
	DecodeIdentity = decodeIdentity
)

// StoreOf returns the store of a Keeper.
func StoreOf(k *Keeper) Store { return k.store }

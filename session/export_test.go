package session

// Encode returns the encoding that a Vault seals.
func Encode(i *Identity) []byte { return i.appendTo(make([]byte, 0, 256)) }

// DecodeIdentity reverses Encode.
var DecodeIdentity = decodeIdentity

// StoreOf returns the store of a Keeper.
func StoreOf(k *Keeper) Store { return k.store }

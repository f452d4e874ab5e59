// Package jose is the only importer of jwx: signing with headers encoded once, strict verification,
// JWK reading. No jwx type leaves it.
package jose

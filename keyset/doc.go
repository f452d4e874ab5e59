// Package keyset holds a provider's signing keys: publication, use and rotation.
//
// Each key has a planned life (Life): it is published, then signs, then is only published until the
// last token it signed is dead, then is gone. A Set works out from those instants what holds now, so
// nodes that hold the same keys and instants do the same thing without talking to each other.
//
// The caller keeps the private keys, in a file or in an HSM or KMS behind crypto.Signer, and stores the
// planned instants ([KeyState]) where every node reads them. A key must be published for [Rotation].PublishLead
// before it signs, and kept for [Rotation].Keep after, or clients refuse tokens that are good.
//
// RFC 7515 and 7518 (signatures), RFC 7517 (the published set), RFC 7638 (kid), security chapter F.
package keyset

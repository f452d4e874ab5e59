// Package keyset holds the signing keys of a provider, publishes them, and rotates them.
//
// Each [Key] has planned instants ([Life]): it is published, signs, is only published until the last token that it signed has
// expired, and is removed. A [Set] derives from these instants which key signs and which keys are published, so nodes with the
// same keys make the same decisions without communicating.
//
// A [Directory] keeps the keys in files and rotates them; several nodes may share it. A host with an HSM or KMS passes
// crypto.Signer values to [New], plans successors with [Rotation.Plan], and stores the resulting [KeyState] values where every
// node reads them.
//
// A key must be published for [Rotation].PublishLead before it signs, and for [Rotation].Keep after its last signature.
// Otherwise clients and resource servers reject valid tokens.
//
// Signatures are those of RFC 7515 and RFC 7518, the published set is that of RFC 7517, and a kid is an RFC 7638 thumbprint.
package keyset

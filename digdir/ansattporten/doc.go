// Package ansattporten is the profile of Ansattporten, where people log in on behalf of an organisation, and
// the types of authorization_details (RFC 9396) of Ansattporten and of idporten:fullmakt.
//
// [Profile] makes a provider.Provider an Ansattporten. The types ask registers the host has: each takes one
// small interface ([Altinn], [Employers], [Mandates]) and becomes a rar.Type for
// provider.Config.AuthorizationDetails:
//
//	types, err := rar.NewRegistry(ansattporten.ServiceType(altinn), ansattporten.ResourceType(altinn))
//
// Whoever logs in chooses on the host's page whom to represent, at every such request. Tokens still speak
// of the person: sub and pid are theirs, and whom they represent stands in authorization_details and in no
// other claim. An API must not compare it with consumer: people act for organisations that have nothing to
// do with the client's (maskinporten-altinn section 4.2, Q11).
package ansattporten

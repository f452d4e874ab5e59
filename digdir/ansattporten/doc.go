// Package ansattporten is the profile of Ansattporten, where users log in on behalf of an organisation, with the types of
// authorization_details (RFC 9396) of Ansattporten and the type idporten:fullmakt (docs.digdir.no: Ansattporten).
//
// [Profile] is a value for provider.Config.Profile. Each type reads a register of the host through a small interface and becomes
// part of provider.Config.AuthorizationDetails:
//
//	types, err := rar.NewRegistry(ansattporten.ServiceType(altinn), ansattporten.ResourceType(altinn))
//
// At every request with authorization_details, the user chooses on the host's representation page whom to represent. sub and pid
// of the tokens are the user's. The represented organisation is in authorization_details only. An API must not compare it with
// consumer: a user may represent an organisation that has no relation to the client.
package ansattporten

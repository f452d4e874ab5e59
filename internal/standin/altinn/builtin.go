package altinn

// builtin returns the built-in configuration: three organisations and the users of examples/idporten.
func builtin(opt Options) Config {
	return Config{
		Maskinporten: issuers(opt.Maskinporten),
		IDPorten:     issuers(opt.IDPorten),
		Organisations: []organisation{
			{"991825827", "digdir", "Digitaliseringsdirektoratet"},
			{"974761076", "skd", "Skatteetaten"},
			{"974760223", "dibk", "Direktoratet for byggkvalitet"},
		},
		Users: []user{
			{PID: "21879498012", UserID: 161488, Username: "kari", PartyID: 50714238, PartyUUID: "5f2b6a51-0f5a-4a4c-9a0c-6d3c0d1f2a01"},
			{PID: "45840375084", UserID: 161489, Username: "ola", PartyID: 50714239, PartyUUID: "5f2b6a51-0f5a-4a4c-9a0c-6d3c0d1f2a02"},
		},
		DelegationSources: []string{"https://tt02.altinn.no/", "https://altinn.no/"},
	}
}

// issuers returns a provider with one issuer, or with none if it is "".
func issuers(issuer string) providerEntry {
	if issuer == "" {
		return providerEntry{}
	}
	return providerEntry{Issuers: []issuerEntry{{Issuer: issuer}}}
}

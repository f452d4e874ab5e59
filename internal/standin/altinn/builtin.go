package altinn

// customer is the organisation that the built-in users represent, and the customer of the local Maskinporten.
const customer = "910753614"

// builtin returns the built-in configuration: three organisations, three parties and the users of examples/idporten.
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
			{
				PID: "21879498012", UserID: 161488, Username: "kari", PartyID: 50714238, PartyUUID: "5f2b6a51-0f5a-4a4c-9a0c-6d3c0d1f2a01",
				Represents: []representation{{Orgno: customer, AccessManager: true, Roles: []string{"DAGL"}, Resources: []string{"eksempel-mva"}}},
			},
			{
				PID: "45840375084", UserID: 161489, Username: "ola", PartyID: 50714239, PartyUUID: "5f2b6a51-0f5a-4a4c-9a0c-6d3c0d1f2a02",
				Represents: []representation{{Orgno: customer, Resources: []string{"eksempel-mva"}}},
			},
		},
		Parties: []party{
			{Orgno: "991825827", Name: "Eksempelvirksomheten", PartyID: 50714301, PartyUUID: "5f2b6a51-0f5a-4a4c-9a0c-6d3c0d1f2b01", UnitType: "ORGL"},
			{Orgno: customer, Name: "Kunden", PartyID: 50714300, PartyUUID: "5f2b6a51-0f5a-4a4c-9a0c-6d3c0d1f2b02", UnitType: "AS"},
			{Orgno: "974761076", Name: "API-tilbyderen", PartyID: 50714302, PartyUUID: "5f2b6a51-0f5a-4a4c-9a0c-6d3c0d1f2b03", UnitType: "ORGL"},
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

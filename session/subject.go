package session

// SubjectKey says by which identifier, and of which type, the person is told to clients: every "sub" is
// pseudonym.Pairwise.Subject(client_id, idType, identifier) of it (idporten section 6.4).
//
// A European user keeps the eIDAS identifier after being matched with a national identity number
// (idporten section 21, C33); an e-mail user is the address; who has none of these is the host's Subject.
// A change of the identifier, or of its type, is another person to every client.
func (i Identity) SubjectKey() (idType, identifier string) {
	switch {
	case i.EIDASPersonIdentifier != "":
		return "eidas", i.EIDASPersonIdentifier
	case !i.PID.IsZero():
		return "pid", i.PID.Reveal()
	case i.Email != "":
		return "email", i.Email
	}
	return "subject", i.Subject
}

package keyset

var ends = []string{"refresh token (D8)"}

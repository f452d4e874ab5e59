package client

// DecodeBasic is decodeBasic, for the differential fuzz test.
func DecodeBasic(header string) (id, secret string, ok bool) { return decodeBasic(header) }

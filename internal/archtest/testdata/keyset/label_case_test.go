package keyset

var cases = []string{"B3 JSON"}

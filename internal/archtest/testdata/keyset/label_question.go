package keyset

func question() {
	// Q15 is open
}

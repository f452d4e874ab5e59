package keyset

func TestRevocation_D9() {}

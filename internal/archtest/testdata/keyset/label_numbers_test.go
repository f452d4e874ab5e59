package keyset

func TestOrgno_1_13() {}

package keyset

// Rows 7 of the table.
func TestForms() {}
